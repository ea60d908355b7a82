"""Reference manifests: which one is about the device's driver and which about its VBIOS, is it NVIDIA's, does it match.

For each of the two an ordered table of checks, that stops at the first which does not pass. No measurement that a
manifest covers passes by being absent.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from warily.core.appraisal import CLEAN
from warily.core.expect import NvidiaExpect
from warily.core.finding import Finding, Outcome, Waived, failed, passed, undecided, waived
from warily.verify import certificate_path, x509
from warily.verify.nvidia import chain
from warily.verify.nvidia.case import Case, Manifest
from warily.verify.revocation import not_revoked

DECODER: Final = 35  # the measurement of the first video decoder; it means nothing while that is off
MAX_CANDIDATES: Final = 16
_SWITCH: Final = "a switch has no driver of its own"
_SHOWN: Final = 6


class Part(StrEnum):
    """What a manifest is about."""

    DRIVER = "driver"
    VBIOS = "vbios"


NAMES: Final = {Part.DRIVER: "driver", Part.VBIOS: "VBIOS"}
EDITIONS: Final = {False: "GPU", True: "SWITCH"}

ManifestCheck = Callable[[str, Manifest, Case], Finding]


def device_is_named(check: str, manifest: Manifest, case: Case) -> Finding:
    """Is about this kind of device: its chip and its edition."""
    product, edition = manifest.rim.product, manifest.rim.edition.upper()
    wanted = EDITIONS[case.report.is_switch]
    if chain.family_of(product) != chain.family_of(case.model) or edition != wanted:
        return failed(check, expected=f"{case.model}, {wanted}", found=f"{product}, {edition}"[:80])
    return passed(check, found=product)


def signer_is_certified(check: str, manifest: Manifest, _: Case) -> Finding:
    """Names a signer, and each certificate from there up to a root is signed by the next."""
    if not manifest.path:
        return failed(check, expected="the certificate of a signer", found="authorities alone")
    broken = certificate_path.broken_link(manifest.path)
    if broken is not None:
        return failed(check, expected="every certificate signed by an authority above it", found=broken)
    if not certificate_path.may(manifest.path[0], certificate_path.DIGITAL_SIGNATURE):
        return failed(check, expected="a signer that may sign", found=f"{manifest.path[0].name} may not")
    return passed(check, found=manifest.path[0].name)


def root_is_trusted(check: str, manifest: Manifest, case: Case) -> Finding:
    """Ends at NVIDIA's pinned root over manifests, or at a rehearsal root that the expectation names."""
    top = manifest.path[-1]
    anchor = chain.anchor_of(top, chain.MANIFEST_ROOT, case.rehearsal_roots)
    if anchor is None:
        found = f"{top.name}, sha256 {x509.fingerprint(top).hex()}"
        return failed(check, expected="NVIDIA's root over manifests, or one that the expectation names", found=found)
    return passed(check, found=anchor.name)


def signer_is_in_date(check: str, manifest: Manifest, case: Case) -> Finding:
    """Has a signer and authorities that are valid at the given time."""
    late = certificate_path.out_of_date(manifest.path, case.at)
    if late is not None:
        found = f"valid {late.not_before:%Y-%m-%d} to {late.not_after:%Y-%m-%d}"
        hint = "get the manifest anew, or pass --at to judge old evidence at its own time"
        return failed(check, expected=f"{late.name} valid at {case.at:%Y-%m-%d}", found=found, hint=hint)
    return passed(check, found=f"until {min(entry.not_after for entry in manifest.path):%Y-%m-%d}")


def signer_is_not_revoked(check: str, manifest: Manifest, case: Case) -> Finding:
    """Has no signer or authority that is revoked, by OCSP answers and lists that were given."""
    return not_revoked(check, manifest.path, case.said, allow_hold=case.certificate_hold, at=case.at)


def signature_verifies(check: str, manifest: Manifest, _: Case) -> Finding:
    """Carries a signature (XML-DSig, ECDSA P-384, SHA-384) by its signer."""
    rim = manifest.rim
    if not chain.raw_verifies(manifest.path[0], rim.signature, rim.signed_info):
        hint = "get the manifest anew from NVIDIA's service"
        expected = f"a signature by {manifest.path[0].name}"
        return failed(check, expected=expected, found="one that does not verify", hint=hint)
    return passed(check)


def digest_is_right(check: str, manifest: Manifest, _: Case) -> Finding:
    """Is what was signed: the SHA-384 of its canonical form is the signed one."""
    made = hashlib.sha384(manifest.rim.content).digest()
    if made != manifest.rim.digest:
        hint = "the manifest was changed: get it anew from NVIDIA's service"
        return failed(check, expected=f"{manifest.rim.digest.hex()[:16]}…", found=f"{made.hex()[:16]}…", hint=hint)
    return passed(check, found=f"{made.hex()[:16]}…")


def measurements_match(check: str, manifest: Manifest, case: Case) -> Finding:
    """Covers measurements, and each one of them has a value that it allows."""
    wanted, measured = manifest.rim.active, case.report.measurements
    spared = DECODER in wanted and case.report.decoder_is_off
    looked_at = [entry for index, entry in wanted.items() if not (spared and index == DECODER)]
    wrong = [entry for entry in looked_at if measured.get(entry.index) not in entry.values]
    if wrong or not looked_at:
        said = ", ".join(f"{entry.index} {_short(measured.get(entry.index))}" for entry in wrong[:_SHOWN])
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        hint = (
            f"this device runs something else than {manifest.rim.product} {manifest.rim.version} as NVIDIA released it"
        )
        expected = f"all {len(looked_at)} measurements as the manifest of {manifest.rim.version} has them"
        return failed(check, expected=expected, found=f"{len(wrong)} others: {said}{more}", hint=hint)
    note = f"; {DECODER} is not compared, its decoder is off" if spared else ""
    return passed(check, found=f"{len(looked_at)} of {len(looked_at)} match{note}")


PRESENT: Final = "present"
MATCH: Final = "match"
# The checks of one manifest, after the one that finds it: that it was changed is said before that it is old.
GENUINE: Final[dict[str, ManifestCheck]] = {
    "links": signer_is_certified,
    "root": root_is_trusted,
    "signed": signature_verifies,
    "digest": digest_is_right,
    "dates": signer_is_in_date,
    "revoked": signer_is_not_revoked,
}
FITTING: Final[dict[str, ManifestCheck]] = {"device": device_is_named, MATCH: measurements_match}


def rules() -> dict[str, str]:
    """Every check of both manifests in order, with the sentence that says what it means."""
    found = {}
    for part in Part:
        name = f"The manifest of the {NAMES[part]}"
        found[_id(part, PRESENT)] = f"A manifest of the {NAMES[part]} that the report names is at hand."
        for suffix, decide in (GENUINE | FITTING).items():
            found[_id(part, suffix)] = f"{name} {(decide.__doc__ or '').strip()}"
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The findings about one part, and the manifest they are about, if there is one; `spared` where none is needed."""

    findings: tuple[Finding, ...]
    manifest: Manifest | None = None
    spared: bool = False

    @property
    def required(self) -> frozenset[str]:
        """The checks that must have run: all of the part, or the first alone where no manifest is needed."""
        (first, *_) = self.findings
        stem = first.check.removesuffix(PRESENT)
        rest = () if self.spared else (*GENUINE, *FITTING)
        return frozenset({first.check, *(stem + suffix for suffix in rest)})


def judge(part: Part, case: Case, want: NvidiaExpect) -> Compared:
    """Every finding about the manifest of one part of the device."""
    if part is Part.DRIVER and case.report.is_switch:
        return Compared(findings=(passed(_id(part, PRESENT), found=_SWITCH),), spared=True)
    version = case.report.driver_version if part is Part.DRIVER else case.report.vbios_version
    fitting = [one for one in case.manifests if version and one.rim.version.upper() == version.upper()]
    if not fitting:
        return _missing(part, case, want, version)
    judged = [(manifest, _judged(part, manifest, case)) for manifest in fitting[:MAX_CANDIDATES]]
    manifest, findings = max(judged, key=lambda entry: sum(finding.outcome in CLEAN for finding in entry[1]))
    there = passed(_id(part, PRESENT), found=f"{manifest.rim.product} {manifest.rim.version}")
    return Compared(findings=(there, *findings), manifest=manifest)


def _judged(part: Part, manifest: Manifest, case: Case) -> tuple[Finding, ...]:
    return tuple(_in_order(part, GENUINE | FITTING, manifest, case))


def _in_order(part: Part, checks: dict[str, ManifestCheck], manifest: Manifest, case: Case) -> Iterator[Finding]:
    open_ = True
    for suffix, decide in checks.items():
        check = _id(part, suffix)
        finding = decide(check, manifest, case) if open_ else Finding(check=check, outcome=Outcome.NOT_REACHED)
        open_ = open_ and finding.outcome in CLEAN
        yield finding


def _missing(part: Part, case: Case, want: NvidiaExpect, version: str | None) -> Compared:
    """No manifest is of this version: what was offered instead may be nobody's, which is worse than nothing."""
    wanted = f"a manifest of {NAMES[part]} {version}"
    for manifest in case.manifests:
        bad = next((one for one in _in_order(part, GENUINE, manifest, case) if one.outcome is Outcome.FAIL), None)
        if bad is not None and not bad.check.endswith(".dates"):
            offered = f"{manifest.rim.product} {manifest.rim.version}, which is not NVIDIA's: {bad.found}"
            return _then_nothing(part, failed(_id(part, PRESENT), expected=wanted, found=offered[:300]))
    if isinstance(want.manifests, Waived) or not want.manifests:
        reason = want.manifests if isinstance(want.manifests, Waived) else Waived("the expectation needs no manifests")
        return _waived(part, Waived(f"{reason.because}; no manifest of {NAMES[part]} {version} was given"))
    name = case.report.vbios_manifest if part is Part.VBIOS else chain.driver_manifest(case.model, version or "")
    hint = f"get {name} from NVIDIA's reference manifest service and pass it with --collateral"
    return _then_nothing(part, undecided(_id(part, PRESENT), missing=wanted, hint=hint))


def _then_nothing(part: Part, first: Finding) -> Compared:
    rest = (Finding(check=_id(part, suffix), outcome=Outcome.NOT_REACHED) for suffix in GENUINE | FITTING)
    return Compared(findings=(first, *rest))


def _waived(part: Part, reason: Waived) -> Compared:
    """The one finding where no manifest is needed: the checks of one are then not required."""
    return Compared(findings=(waived(_id(part, PRESENT), reason),), spared=True)


def _id(part: Part, suffix: str) -> str:
    return f"nvidia.{part}.{suffix}"


def _short(value: bytes | None) -> str:
    return "absent" if value is None else f"{value.hex()[:8]}…"
