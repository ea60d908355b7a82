"""From a request to its appraisal: what the verifier says of the report, and what the broker itself asks.

A launch digest is worth something only because a trusted owner signed a manifest that predicts it. The
volumes that may be asked for are those of that manifest; the VM identity is the report's HOST_DATA.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from warily.core.appraisal import CLEAN, Appraisal
from warily.core.collateral import SnpCollateral
from warily.core.declaration import Platform
from warily.core.evidence import SnpEvidence
from warily.core.expect import BitRule, SnpExpect
from warily.core.finding import Finding, Outcome, Waived, failed, passed
from warily.core.manifest import Manifest
from warily.formats import guest_state, snp_certs, tsm_report
from warily.formats.guest_state import GuestState
from warily.formats.snp_report import PolicyBit
from warily.formats.tsm_report import TsmReport
from warily.posture.rules.devices import left_alone, undeclared
from warily.release import nonce
from warily.release.binding import HARDWARE, digest_without, report_data
from warily.release.messages import IDENTITY_SIZE, AttestRequest
from warily.verify import appraise as verify

REGISTER: Final = "launch_digest"
NOBODY: Final = bytes(IDENTITY_SIZE)
WANTED: Final = {HARDWARE: tsm_report.MEDIA_TYPE, guest_state.LABEL: guest_state.MEDIA_TYPE}
OWN_CHECKS: Final = frozenset(
    {
        nonce.CHECK,
        "release.evidence",
        "release.binding",
        "release.identity",
        "release.manifest",
        "release.volume",
        "release.devices",
    }
)
NAMED: Final = 200  # characters of a list in a finding

_BY_DIGEST: Final = Waived("the image is recognised by its launch digest, which a signed manifest predicts")
_ANY_CHIP: Final = Waived("any genuine chip may run the image")
_NO_FLOOR: Final = Waived("no TCB floor was configured")
_ANY_PLATFORM: Final = Waived("no platform bit was asked for")
_PROVISIONAL: Final = Waived("clouds commit new firmware weeks after they start it")
_KNOWN_ATTACKS: Final = Waived("known attacks are named in the result; a floor is an operator's decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom the broker believes: manifests that a trusted owner signed, and rehearsal roots by SHA-256.

    `unknown_devices`: a machine may have devices that its image has no use for, as long as none has a driver.
    """

    manifests: tuple[Manifest, ...]
    rehearsal_roots: frozenset[bytes]
    unknown_devices: bool


def appraise(request: AttestRequest, trust: Trust, *, fresh: Finding, at: datetime) -> Appraisal:
    """The appraisal of a request whose nonce was judged as `fresh` says. Raises `FormatError`.

    A nonce that is not ours, or was used before, ends it: nothing else is looked at.
    """
    if fresh.outcome not in CLEAN:
        return _refusal(fresh, at=at)
    whole = _evidence_is_whole(request)
    own = (fresh, whole, _key_is_a_point(request), _identity_is_named(request))
    if whole.outcome not in CLEAN:
        return _refusal(*own, at=at)
    report = TsmReport.decode(request.evidence[HARDWARE].value)
    certificates, crls = _certificates(report.auxblob)
    verified = verify(
        SnpEvidence(report=report.outblob, certificates=certificates),
        SnpCollateral(crls=crls),
        expectation(request, trust),
        at=at,
    )
    manifest, known = _manifest_is_known(verified, trust)
    return replace(
        verified,
        required=verified.required | OWN_CHECKS,
        findings=(
            *own,
            *verified.findings,
            known,
            _volumes_are_declared(request, manifest),
            _devices_are_declared(request, manifest, rehearsal=verified.rehearsal, unknown=trust.unknown_devices),
        ),
    )


def expectation(request: AttestRequest, trust: Trust) -> SnpExpect:
    """What the report of this one request must say."""
    platforms = (Platform.SNP, Platform.REHEARSAL)
    predicted = (manifest.values(platform, REGISTER) for manifest in trust.manifests for platform in platforms)
    return SnpExpect(
        rehearsal_roots=trust.rehearsal_roots,
        measurements=frozenset().union(*predicted),
        report_data=report_data(
            nonce=request.nonce,
            session_key=request.session_key,
            evidence_digest=digest_without(request.evidence, HARDWARE),
        ),
        host_data=frozenset({request.identity}),
        vmpls=frozenset({0}),
        policy=BitRule(
            required=int(PolicyBit.RESERVED_ONE), forbidden=int(PolicyBit.DEBUG) | int(PolicyBit.MIGRATE_MA)
        ),
        platform=_ANY_PLATFORM,
        unknown_bits=False,
        tcb_floor=_NO_FLOOR,
        guest_svn=_BY_DIGEST,
        chip_ids=_ANY_CHIP,
        id_key_digests=_BY_DIGEST,
        author_key_digests=_BY_DIGEST,
        family_id=_BY_DIGEST,
        image_id=_BY_DIGEST,
        migration_agent=False,
        provisional_firmware=_PROVISIONAL,
        must_exclude=_KNOWN_ATTACKS,
    )


def checks() -> list[tuple[str, str]]:
    """The broker's own checks in the order in which they are made: id, and the one sentence that says what it means."""
    made = {
        nonce.CHECK: nonce.check,
        "release.evidence": _evidence_is_whole,
        "release.binding": _key_is_a_point,
        "release.identity": _identity_is_named,
        "release.manifest": _manifest_is_known,
        "release.volume": _volumes_are_declared,
        "release.devices": _devices_are_declared,
    }
    return [(check, (decide.__doc__ or "").partition("\n")[0]) for check, decide in made.items()]


def _refusal(*findings: Finding, at: datetime) -> Appraisal:
    """An appraisal that ends before the report was judged. It is never accepted."""
    return Appraisal(platform="none", at=at, anchor="none", required=OWN_CHECKS, findings=findings)


def _certificates(auxblob: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Certificates and revocation lists of the table that came with the report."""
    kinds = {snp_certs.VCEK, snp_certs.VLEK, snp_certs.ASK, snp_certs.ARK}
    table = snp_certs.decode_table(auxblob)
    certificates = tuple(blob for guid, blob in table if guid in kinds)
    return certificates, tuple(blob for guid, blob in table if guid == snp_certs.CRL)


def _evidence_is_whole(request: AttestRequest) -> Finding:
    """The evidence is a report and the guest's account of itself, of known types, and nothing else."""
    check = "release.evidence"
    found = {label: record.media_type for label, record in request.evidence.items()}
    if found != WANTED:
        return failed(check, expected=", ".join(WANTED), found=", ".join(found)[:NAMED] or "nothing")
    GuestState.decode(request.evidence[guest_state.LABEL].value)
    provider = TsmReport.decode(request.evidence[HARDWARE].value).provider
    if provider == tsm_report.TDX_GUEST:
        return failed(check, expected="an SNP report", found=provider, hint="this version cannot judge TDX quotes")
    return passed(check)


def _key_is_a_point(request: AttestRequest) -> Finding:
    """The session key is an uncompressed point of P-256, so that a grant can be sealed to it."""
    check = "release.binding"
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), request.session_key)
    except ValueError:
        return failed(check, expected="an uncompressed point of P-256", found="another session key")
    return passed(check)


def _identity_is_named(request: AttestRequest) -> Finding:
    """The VM has an identity: HOST_DATA of zeros is what every VM without one reports."""
    check = "release.identity"
    if request.identity == NOBODY:
        return failed(check, expected="the digest of an identity", found="zeros", hint="launch it with HOST_DATA")
    return passed(check, found=f"{request.identity.hex()[:16]}…")


def _manifest_is_known(verified: Appraisal, trust: Trust) -> tuple[Manifest | None, Finding]:
    """A signed manifest predicts this launch digest for the platform that vouches for it: which, and the finding."""
    check = "release.manifest"
    if not verified.claims:
        return None, Finding(check=check, outcome=Outcome.NOT_REACHED)
    platform = Platform.REHEARSAL if verified.rehearsal else Platform.SNP
    measurement = bytes.fromhex(str(verified.claims["measurement"]))
    for manifest in trust.manifests:
        if measurement in manifest.values(platform, REGISTER):
            return manifest, passed(check, found=f"{manifest.name} on {platform}")
    known = ", ".join(manifest.name for manifest in trust.manifests)[:200] or "none"
    hint = "start the broker with the image's manifest, or rebuild the image"
    found = f"{measurement.hex()[:16]}… on {platform}"
    return None, failed(check, expected=f"a launch digest of: {known}", found=found, hint=hint)


def _volumes_are_declared(request: AttestRequest, manifest: Manifest | None) -> Finding:
    """Every volume asked for is one of the manifest's, and asked for once."""
    check = "release.volume"
    if manifest is None:
        return Finding(check=check, outcome=Outcome.NOT_REACHED)
    declared = {volume.name for volume in manifest.volumes}
    asked = set(request.volumes)
    if len(asked) != len(request.volumes) or not asked <= declared:
        expected = ", ".join(sorted(declared)) or "no volume"
        return failed(check, expected=expected, found=", ".join(request.volumes)[:200])
    return passed(check, found=", ".join(request.volumes))


def _devices_are_declared(
    request: AttestRequest, manifest: Manifest | None, *, rehearsal: bool, unknown: bool
) -> Finding:
    """The guest has bound declared devices alone. Others without a driver are named, or refused where so configured."""
    check = "release.devices"
    if manifest is None:
        return Finding(check=check, outcome=Outcome.NOT_REACHED)
    sample = GuestState.decode(request.evidence[guest_state.LABEL].value)
    strays = undeclared(sample, manifest, rehearsal=rehearsal)
    alone = left_alone(sample)
    if strays or (alone and not unknown):
        found = ", ".join(map(str, strays or alone))[:NAMED]
        return failed(check, expected="the devices that the image declares", found=found)
    return passed(check, found=", ".join(map(str, alone))[:NAMED])
