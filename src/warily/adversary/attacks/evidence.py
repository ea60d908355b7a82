"""Genuine evidence, used by somebody else, for something else, or a second time; and proof that is out of date.

The control is a verifier as one writes it first: it checks the signature and the measurement, and nothing that ties
the evidence to this question. The image's is the broker's own code, in this process.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warily.adversary.attack import Alone, Attack, Seen, refused, succeeded
from warily.adversary.desk import Desk, PaperGuest, desk, failed_checks, paper_guest
from warily.core.collateral import SnpCollateral
from warily.core.evidence import SnpEvidence
from warily.core.expect import SnpExpect
from warily.core.finding import Waived
from warily.core.manifest import PredictedRegister
from warily.formats import snp_certs
from warily.formats.tsm_report import TsmReport
from warily.launch.rehearsal_keys import hierarchy
from warily.launch.rehearsal_sp import fingerprint
from warily.release.binding import HARDWARE
from warily.release.grant import uncompressed
from warily.release.messages import AttestRequest
from warily.release.signing import sign_manifest, verify_manifest
from warily.service.appraise import Trust, expectation
from warily.service.problem import Problem
from warily.verify import appraise

if TYPE_CHECKING:
    from warily.adversary.lab import Lab
    from warily.adversary.stage import Stage

OTHER: Final = bytes(31) + b"\x02"
DEBUG: Final = 0xB0000  # the policy of a launch, with bit 19: the host may decrypt guest memory
NAIVE: Final = Waived("a verifier that asks for a good signature and a known measurement alone")
Sends = Callable[[Desk, PaperGuest], AttestRequest]


def sent_again(broker: Desk, guest: PaperGuest) -> AttestRequest:
    """The host kept a request that was granted, and sends the same bytes."""
    request = guest.request(broker.nonce())
    broker.attest(request)
    return request


def with_an_old_nonce(broker: Desk, guest: PaperGuest) -> AttestRequest:
    """The evidence is over a nonce that the broker gave out an hour ago."""
    nonce = broker.nonce()
    broker.clock.move(hours=1)
    return guest.request(nonce)


def with_a_foreign_nonce(broker: Desk, guest: PaperGuest) -> AttestRequest:
    """The evidence is over a nonce of the host's own making."""
    nonce = broker.nonce()
    return guest.request(nonce[:-1] + bytes([nonce[-1] ^ 1]))


def for_the_host(broker: Desk, guest: PaperGuest) -> AttestRequest:
    """The host puts a session key of its own beside a machine's evidence, so that the keys come to it."""
    return replace(guest.request(broker.nonce()), session_key=uncompressed(generate_private_key(SECP256R1())))


def for_another_machine(broker: Desk, guest: PaperGuest) -> AttestRequest:
    """The host presents one machine's evidence to get the volumes of another."""
    return replace(guest.request(broker.nonce()), identity=OTHER)


def in_another_session(broker: Desk, guest: PaperGuest) -> AttestRequest:
    """The host presents evidence that a machine made for one nonce with the nonce of a session of its own."""
    return replace(guest.request(broker.nonce()), nonce=broker.nonce())


def after_the_clock_went_back(broker: Desk, guest: PaperGuest) -> AttestRequest:
    """The broker's clock is set forward until it forgets a used nonce, then back until the nonce holds again."""
    request = guest.request(broker.nonce())
    broker.attest(request)
    broker.clock.move(hours=1)
    broker.attest(guest.request(broker.nonce()))
    broker.clock.move(hours=-1)
    return request


def on_image(lab: "Lab", *, sends: Sends) -> Seen:
    """What the broker answers."""
    with desk(lab.stage) as broker:
        answer = broker.attest(sends(broker, paper_guest(lab.stage)))
    if isinstance(answer, Problem):
        return refused(f"the broker answers {failed_checks(answer)}")
    return succeeded("the broker granted the keys")


def on_control(lab: "Lab", *, sends: Sends) -> Seen:
    """What a verifier answers that looks at signature and measurement alone."""
    with desk(lab.stage) as broker:
        request = sends(broker, paper_guest(lab.stage))
        at = broker.clock()
    evidence = snp_evidence(request)
    judged = appraise(evidence, SnpCollateral(crls=()), _naive(request, lab.stage), at=at)
    if not judged.accepted:
        return refused(f"even that refuses it: {judged.first_failure}")
    return succeeded("a verifier of signature and measurement accepts it, and would send the keys")


def snp_evidence(request: AttestRequest) -> SnpEvidence:
    """The report of a request, with the certificates that came with it."""
    report = TsmReport.decode(request.evidence[HARDWARE].value)
    certificates = tuple(blob for guid, blob in snp_certs.decode_table(report.auxblob) if guid != snp_certs.CRL)
    return SnpEvidence(report=report.outblob, certificates=certificates)


def _naive(request: AttestRequest, stage: "Stage") -> SnpExpect:
    """What the broker expects, without whatever belongs to this one question."""
    return replace(expectation(request, trust_in(stage)), report_data=NAIVE, host_data=NAIVE)


def trust_in(stage: "Stage") -> Trust:
    """Trust in the stage's image, and in its rehearsal's root."""
    root = fingerprint(hierarchy(stage.home.rehearsal).ark)
    return Trust(manifests=(stage.manifest,), rehearsal_roots=frozenset({root}), unknown_devices=True)


def downgraded_image(lab: "Lab") -> Seen:
    """The host launches an older image that the same owner signed; the broker trusts the newer one."""
    newer = replace(lab.stage.manifest, registers=tuple(map(_other_value, lab.stage.manifest.registers)))
    with desk(lab.stage, manifest=newer) as broker:
        guest = paper_guest(lab.stage)
        answer = broker.attest(guest.request(broker.nonce()))
    if isinstance(answer, Problem):
        return refused(f"the broker answers {failed_checks(answer)}")
    return succeeded("the broker granted the keys to the older image")


def downgraded_control(lab: "Lab") -> Seen:
    """An owner's signature says who made an image, and it never ends."""
    owner = Ed25519PrivateKey.generate()
    older = sign_manifest(lab.stage.manifest, owner)
    found = verify_manifest(older, frozenset({owner.public_key().public_bytes_raw()}))
    return succeeded(f"a verifier of signatures alone accepts the older {found.name}: the signature is good for ever")


def permissive(lab: "Lab") -> Seen:
    """The host launches the image with a policy that lets it decrypt the guest's memory."""
    with desk(lab.stage) as broker:
        guest = paper_guest(lab.stage, policy=DEBUG)
        answer = broker.attest(guest.request(broker.nonce()))
    if isinstance(answer, Problem):
        return refused(f"the broker answers {failed_checks(answer)}")
    return succeeded("the broker granted the keys to a machine that its host can read")


def permissive_control(lab: "Lab") -> Seen:
    """The measurement does not cover the policy."""
    with desk(lab.stage) as broker:
        request = paper_guest(lab.stage, policy=DEBUG).request(broker.nonce())
        at = broker.clock()
    wanted = replace(_naive(request, lab.stage), policy=NAIVE)
    judged = appraise(snp_evidence(request), SnpCollateral(crls=()), wanted, at=at)
    if not judged.accepted:
        return refused(f"even that refuses it: {judged.first_failure}")
    return succeeded("a verifier of signature and measurement accepts a machine whose host may decrypt its memory")


def _other_value(entry: PredictedRegister) -> PredictedRegister:
    return replace(entry, value=bytes(byte ^ 1 for byte in entry.value))


def _sent(name: str, title: str, catalogue: str, sends: Sends) -> Attack:
    how = Alone(control=partial(on_control, sends=sends), image=partial(on_image, sends=sends))
    return Attack(id=f"evidence.{name}", title=title, component="attestation", catalogue=(catalogue,), how=how)


ATTACKS: Final[tuple[Attack, ...]] = (
    _sent("replay", "The host sends evidence that was granted a second time", "G06", sent_again),
    _sent("old-nonce", "The host sends evidence over a nonce of an hour ago", "G06", with_an_old_nonce),
    _sent("own-nonce", "The host chooses the nonce itself", "G06", with_a_foreign_nonce),
    _sent("relay-key", "The host puts its own session key beside a machine's evidence", "G01", for_the_host),
    _sent(
        "relay-identity",
        "The host asks for another machine's volumes with evidence of its own",
        "G01",
        for_another_machine,
    ),
    _sent("relay-session", "The host answers its own nonce with evidence made for another", "G01", in_another_session),
    _sent(
        "clock", "The broker's clock is set forward and back, and evidence sent again", "E03", after_the_clock_went_back
    ),
    Attack(
        id="evidence.policy",
        title="The host launches the image so that it may decrypt its memory",
        component="attestation",
        catalogue=("C25",),
        how=Alone(control=permissive_control, image=permissive),
    ),
    Attack(
        id="evidence.downgrade",
        title="The host launches an older image of the same owner",
        component="attestation",
        catalogue=("W03",),
        how=Alone(control=downgraded_control, image=downgraded_image),
    ),
)
