"""The expectations that need no file, by name, for every platform: `genuine` and `baseline`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, overload

from warily.core.evidence import (
    Evidence,
    NitroEvidence,
    NvidiaEvidence,
    SnpEvidence,
    SpdmEvidence,
    TdxEvidence,
    TpmEvidence,
)
from warily.core.expect import (
    Expect,
    LastWord,
    NitroExpect,
    NvidiaExpect,
    PlatformExpect,
    SnpExpect,
    SpdmExpect,
    TdxExpect,
    TpmExpect,
)
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.formats.hcl_report import HclReport, ReportType
from warily.verify.nitro import presets as nitro
from warily.verify.nvidia import presets as nvidia
from warily.verify.snp import presets as snp
from warily.verify.spdm import presets as spdm
from warily.verify.tdx import presets as tdx
from warily.verify.vtpm import presets as vtpm
from warily.verify.vtpm.case import Binding

NAMES: Final = ("genuine", "baseline")
PRESETS: Final[dict[type[Evidence], Mapping[str, PlatformExpect]]] = {
    SnpEvidence: snp.PRESETS,
    TdxEvidence: tdx.PRESETS,
    NitroEvidence: nitro.PRESETS,
    NvidiaEvidence: nvidia.PRESETS,
    SpdmEvidence: spdm.PRESETS,
}

# Over the preset of the processor below, which the evidence names.
_TPM: Final = {"genuine": vtpm.genuine, "baseline": vtpm.baseline}


def preset(name: str, evidence: Evidence) -> PlatformExpect:
    """The expectation of that name for the platform that made `evidence`. Raises `UsageError` for another name."""
    if name not in NAMES:
        message = f"no expectation is called {name!r}"
        raise UsageError(message, hint=f"there are: {', '.join(NAMES)}; anything else is an expectation of your own")
    if isinstance(evidence, TpmEvidence):
        return _TPM[name](_below(evidence, name))
    return PRESETS[type(evidence)][name]


@overload
def trusting(expect: PlatformExpect, roots: frozenset[bytes]) -> PlatformExpect: ...
@overload
def trusting(expect: LastWord, roots: frozenset[bytes]) -> LastWord: ...
def trusting(expect: Expect, roots: frozenset[bytes]) -> Expect:
    """The expectation with rehearsal roots added where it has a place for them."""
    match expect:
        case SnpExpect() | TdxExpect() | NitroExpect() | NvidiaExpect() | SpdmExpect():
            return replace(expect, rehearsal_roots=expect.rehearsal_roots | roots)
        case TpmExpect(hardware=SnpExpect() | TdxExpect() as below):
            return replace(expect, hardware=replace(below, rehearsal_roots=below.rehearsal_roots | roots))
        case TpmExpect():
            return expect
        case LastWord():
            return replace(expect, over=trusting(expect.over, roots))


@overload
def naming_authorities(expect: PlatformExpect, authorities: frozenset[bytes]) -> PlatformExpect: ...
@overload
def naming_authorities(expect: LastWord, authorities: frozenset[bytes]) -> LastWord: ...
def naming_authorities(expect: Expect, authorities: frozenset[bytes]) -> Expect:
    """The expectation with these authorities trusted too. Raises `UsageError` where none can be named."""
    if isinstance(expect, LastWord):
        return replace(expect, over=naming_authorities(expect.over, authorities))
    if not authorities:
        return expect
    if not isinstance(expect, TpmExpect | SpdmExpect):
        message = "an authority can be named over keys of TPMs and SPDM devices: other makers' roots are built in"
        raise UsageError(message)
    return replace(expect, authorities=expect.authorities | authorities)


def naming_keys(expect: PlatformExpect, keys: frozenset[bytes]) -> PlatformExpect:
    """The expectation with attestation keys of TPMs trusted by name: SHA-256 of their SubjectPublicKeyInfo."""
    if not isinstance(expect, TpmExpect) or not keys:
        return expect
    bindings = expect.bindings if isinstance(expect.bindings, Waived) else expect.bindings | {Binding.NAMED.value}
    return replace(expect, attestation_keys=expect.attestation_keys | keys, bindings=bindings)


def _below(evidence: TpmEvidence, name: str) -> SnpExpect | TdxExpect | None:
    """What is wanted of the processor below a virtual TPM; None where none vouches."""
    if not evidence.hcl_report:
        return None
    snp_below = HclReport.decode(evidence.hcl_report).report_type is ReportType.SNP
    return snp.PRESETS[name] if snp_below else tdx.PRESETS[name]
