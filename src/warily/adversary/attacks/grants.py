"""Grants that the broker did not make, or made for somebody else, handed to a guest; and a lease that its host ends.

The image's side is the guest's own code, which opens what it is given. The control is a guest that takes what an
encrypted channel brings it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warily.adversary.attack import Alone, Attack, Seen, refused, succeeded
from warily.adversary.desk import Desk, PaperGuest, desk, failed_checks, opened, paper_guest
from warily.errors import FormatError, HostError
from warily.guest import lease
from warily.release.grant import GrantRefused
from warily.release.messages import Grant, LeaseAnswer, LeaseState, VolumeGrant, VolumeState
from warily.service.problem import Problem
from warily.service.seal import seal

if TYPE_CHECKING:
    from warily.adversary.lab import Lab

DISHONEST: Final = "the broker refuses an honest guest"
CHOSEN: Final = b"\x42" * 32
Gives = Callable[[Desk, PaperGuest, bytes], str]


def honest(broker: Desk, guest: PaperGuest, nonce: bytes) -> Grant:
    """The grant that this broker makes for this guest. Raises `HostError` where it refuses."""
    answer = broker.attest(guest.request(nonce))
    if isinstance(answer, Problem):
        raise HostError(DISHONEST, hint=failed_checks(answer))
    return opened(answer, guest, grantor=broker.grantor, nonce=nonce)


def by_an_impostor(broker: Desk, guest: PaperGuest, nonce: bytes) -> str:
    """Whoever answers as the broker signs with a key of its own, and chooses the volumes' secrets."""
    own = tuple(
        VolumeGrant(name=name, secret=CHOSEN, state=VolumeState.BLANK, descriptor=None) for name in guest.volumes
    )
    forged = replace(honest(broker, guest, nonce), volumes=own)
    return seal(forged, session_key=guest.point, grantor=Ed25519PrivateKey.generate())


def of_an_earlier_session(broker: Desk, guest: PaperGuest, nonce: bytes) -> str:
    """The host hands the guest a grant that the broker made for an earlier session of the same guest."""
    del nonce
    earlier = broker.attest(guest.request(broker.nonce()))
    if isinstance(earlier, Problem):
        raise HostError(DISHONEST, hint=failed_checks(earlier))
    return earlier


def of_another_guest(broker: Desk, guest: PaperGuest, nonce: bytes) -> str:
    """The host seals a genuine grant for another machine anew, to this guest's session key."""
    grant = replace(honest(broker, guest, nonce), identity=CHOSEN)
    return seal(grant, session_key=guest.point, grantor=broker.broker.grantor)


def on_image(lab: "Lab", *, gives: Gives) -> Seen:
    """What the guest's code does with it."""
    with desk(lab.stage) as broker:
        guest, nonce = paper_guest(lab.stage), broker.nonce()
        given = gives(broker, guest, nonce)
        try:
            taken = opened(given, guest, grantor=broker.grantor, nonce=nonce)
        except (GrantRefused, FormatError) as error:
            return refused(f"the guest says: {error}")
    return succeeded(f"the guest takes the keys of {len(taken.volumes)} volumes from it")


def on_control(lab: "Lab", *, gives: Gives) -> Seen:
    """What a guest does that believes whoever can encrypt to its session key."""
    with desk(lab.stage) as broker:
        guest, nonce = paper_guest(lab.stage), broker.nonce()
        payload = Grant.decode(believed(gives(broker, guest, nonce), guest))
    names = ", ".join(volume.name for volume in payload.volumes) or "no volume"
    return succeeded(f"it decrypts, and a guest that asks no more takes the keys of: {names}")


def believed(sealed: str, guest: PaperGuest) -> bytes:
    """What a compact JWE to the guest holds, with the signature inside ignored: only for the control."""
    from joserfc import jwe  # noqa: PLC0415  # slow to import
    from joserfc.jwk import ECKey  # noqa: PLC0415  # likewise

    from warily.formats._json import from_b64url  # noqa: PLC0415  # beside its use
    from warily.service.seal import ALGORITHMS  # noqa: PLC0415  # likewise

    plain = jwe.decrypt_compact(sealed, ECKey.import_key(guest.session_key), algorithms=ALGORITHMS).plaintext
    if plain is None:
        raise FormatError("an empty grant")
    return from_b64url(plain.decode("ascii").split(".")[1], what="grant")


def lease_on_image(lab: "Lab") -> Seen:
    """The host answers a lease call in the broker's place: the machine is to end, or to go on for ever."""
    with desk(lab.stage) as broker:
        guest, nonce = paper_guest(lab.stage), broker.nonce()
        grant = honest(broker, guest, nonce)
    forged = LeaseAnswer.make(state=LeaseState.END, session=grant.session, count=1, lease_key=CHOSEN)
    try:
        ended = lease.is_end(forged, grant, 1)
    except FormatError as error:
        return refused(f"the guest says: {error}; it goes on, and asks again")
    return succeeded(f"the guest believes it: {'it ends' if ended else 'it goes on'}")


def lease_on_control(lab: "Lab") -> Seen:
    """An answer without a tag is what it says."""
    del lab
    forged = LeaseAnswer.decode(
        LeaseAnswer.make(state=LeaseState.END, session="any", count=1, lease_key=CHOSEN).encode()
    )
    return succeeded(f"a guest that reads the answer and no tag takes the order: {forged.state.value}")


def _given(name: str, title: str, gives: Gives) -> Attack:
    how = Alone(control=partial(on_control, gives=gives), image=partial(on_image, gives=gives))
    return Attack(id=f"broker.{name}", title=title, component="attestation", catalogue=("W04",), how=how)


ATTACKS: Final[tuple[Attack, ...]] = (
    _given("impostor", "Somebody else answers as the broker, with keys of its own choice", by_an_impostor),
    _given("old-grant", "The host hands a guest the grant of an earlier session", of_an_earlier_session),
    _given("other-grant", "The host hands a guest the grant of another machine", of_another_guest),
    Attack(
        id="broker.lease",
        title="The host answers a guest's lease call in the broker's place",
        component="attestation",
        catalogue=("W04",),
        how=Alone(control=lease_on_control, image=lease_on_image),
    ),
)
