"""Proof that was good once: lists of revoked certificates from before the one that matters was revoked.

What is attacked is the verifier of `warily verify`, with `--seen` where a memory is needed. A broker judges the list
that comes with the evidence by the first rule alone.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from warily.adversary.attack import Alone, Attack, Seen, refused, succeeded
from warily.adversary.attacks.evidence import snp_evidence, trust_in
from warily.adversary.desk import desk, paper_guest
from warily.core.appraisal import Appraisal
from warily.core.collateral import SnpCollateral
from warily.core.finding import Outcome
from warily.core.seen import NOTHING_SEEN
from warily.errors import HostError
from warily.formats.x509 import RevocationList
from warily.launch.rehearsal_keys import hierarchy
from warily.service.appraise import expectation
from warily.verify import appraise, seen
from warily.verify import x509 as read
from warily.verify.seen.marks import mark_of_list

if TYPE_CHECKING:
    from warily.adversary.lab import Lab
    from warily.adversary.stage import Stage

ARK_KEY: Final = "ark.key"
SALT: Final = 48
Judge = Callable[["Stage", datetime, bytes], Appraisal]


def revocation_list(folder: Path, *, issued: datetime, until: datetime, revoked: int | None) -> bytes:
    """A list in DER by the rehearsal's own root, which names a serial number or nothing."""
    key = load_pem_private_key((folder / ARK_KEY).read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise HostError("the rehearsal's root is no RSA key")
    issuer = x509.load_der_x509_certificate(hierarchy(folder).ark).subject
    builder = x509.CertificateRevocationListBuilder(issuer_name=issuer, last_update=issued, next_update=until)
    if revoked is not None:
        entry = x509.RevokedCertificateBuilder(serial_number=revoked, revocation_date=issued).build()
        builder = builder.add_revoked_certificate(entry)
    pss = padding.PSS(padding.MGF1(SHA384()), salt_length=SALT)
    return builder.sign(key, SHA384(), rsa_padding=pss).public_bytes(Encoding.DER)


def judged(stage: "Stage", at: datetime, crl: bytes) -> Appraisal:
    """The appraisal of genuine evidence with this list, at this time."""
    with desk(stage) as broker:
        request = paper_guest(stage).request(broker.nonce())
    wanted = expectation(request, trust_in(stage))
    return appraise(snp_evidence(request), SnpCollateral(crls=(crl,)), wanted, at=at)


def judged_with_memory(stage: "Stage", at: datetime, crl: bytes) -> Appraisal:
    """The same by a verifier that remembers the newest list it saw: the one that revokes the chip's certificate."""
    with desk(stage) as broker:
        request = paper_guest(stage).request(broker.nonce())
    evidence, collateral = snp_evidence(request), SnpCollateral(crls=(crl,))
    first = appraise(evidence, collateral, expectation(request, trust_in(stage)), at=at)
    mark = mark_of_list(RevocationList.decode(_newest(stage, at)), (read.decoded(hierarchy(stage.home.rehearsal).ark),))
    if mark is None:
        raise HostError("the newest list is by nobody known")
    return seen.against(first, evidence, collateral, NOTHING_SEEN.with_marks([mark]), at=at)


def expired(stage: "Stage", at: datetime) -> bytes:
    """A list of last year, which says itself that it is over."""
    folder = stage.home.rehearsal
    return revocation_list(folder, issued=at - timedelta(days=400), until=at - timedelta(days=30), revoked=None)


def superseded(stage: "Stage", at: datetime) -> bytes:
    """A list of last month, still in date, from before the chip's certificate was revoked."""
    folder = stage.home.rehearsal
    return revocation_list(folder, issued=at - timedelta(days=30), until=at + timedelta(days=30), revoked=None)


def on_image(lab: "Lab", *, served: Callable[["Stage", datetime], bytes], judge: Judge) -> Seen:
    """What the verifier says of the list that the host serves."""
    with desk(lab.stage) as broker:
        at = broker.clock()
    found = judge(lab.stage, at, served(lab.stage, at))
    if found.accepted:
        return succeeded("`warily verify` accepts the evidence with the older list")
    stopped = next(one for one in found.findings if one.outcome in (Outcome.FAIL, Outcome.UNDECIDED))
    why = f"{stopped.check} is {stopped.outcome.value}: {stopped.expected or stopped.found}"
    return refused(f"`warily verify` does not accept it: {why}")


def expired_on_control(lab: "Lab") -> Seen:
    """A verifier that checks who signed a list, and not when it ends."""
    with desk(lab.stage) as broker:
        at = broker.clock()
    found = RevocationList.decode(expired(lab.stage, at))
    root = read.decoded(hierarchy(lab.stage.home.rehearsal).ark)
    if not read.is_signed_by(found, root) or found.serials:
        return refused("the list is not good, or names somebody")
    return succeeded("its signature is good for ever, and it names nobody: the chip is taken for one in good standing")


def superseded_on_control(lab: "Lab") -> Seen:
    """A verifier without a memory: the list is signed and in date."""
    with desk(lab.stage) as broker:
        at = broker.clock()
    found = judged(lab.stage, at, superseded(lab.stage, at))
    if not found.accepted:
        return refused(f"even that refuses it: {found.first_failure}")
    return succeeded("a verifier without a memory accepts the chip that a newer list revokes")


def _newest(stage: "Stage", at: datetime) -> bytes:
    keys = hierarchy(stage.home.rehearsal)
    serial = x509.load_der_x509_certificate(keys.vcek).serial_number
    until = at + timedelta(days=60)
    return revocation_list(stage.home.rehearsal, issued=at - timedelta(days=1), until=until, revoked=serial)


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="collateral.expired",
        title="The host serves a revocation list that has ended",
        component="attestation",
        catalogue=("D08",),
        how=Alone(control=expired_on_control, image=partial(on_image, served=expired, judge=judged)),
    ),
    Attack(
        id="collateral.superseded",
        title="The host serves a revocation list from before the one that was seen last",
        component="attestation",
        catalogue=("D08",),
        how=Alone(control=superseded_on_control, image=partial(on_image, served=superseded, judge=judged_with_memory)),
    ),
)
