"""The expectations that need no file, by name, for every platform: `genuine` and `baseline`."""

from collections.abc import Mapping
from typing import Final

from warily.core.evidence import Evidence, NitroEvidence, SnpEvidence, TdxEvidence, TpmEvidence
from warily.core.expect import Expect, SnpExpect, TdxExpect
from warily.errors import UsageError
from warily.formats.hcl_report import HclReport, ReportType
from warily.verify.nitro import presets as nitro
from warily.verify.snp import presets as snp
from warily.verify.tdx import presets as tdx
from warily.verify.vtpm import presets as vtpm

NAMES: Final = ("genuine", "baseline")
PRESETS: Final[dict[type[Evidence], Mapping[str, Expect]]] = {
    SnpEvidence: snp.PRESETS,
    TdxEvidence: tdx.PRESETS,
    NitroEvidence: nitro.PRESETS,
}

# Over the preset of the processor below, which the evidence names.
_TPM: Final = {"genuine": vtpm.genuine, "baseline": vtpm.baseline}


def preset(name: str, evidence: Evidence) -> Expect:
    """The expectation of that name for the platform that made `evidence`. Raises `UsageError` for another name."""
    if name not in NAMES:
        message = f"no expectation is called {name!r}"
        raise UsageError(message, hint=f"there are: {', '.join(NAMES)}; anything else is an expectation of your own")
    if isinstance(evidence, TpmEvidence):
        return _TPM[name](_below(evidence, name))
    return PRESETS[type(evidence)][name]


def _below(evidence: TpmEvidence, name: str) -> SnpExpect | TdxExpect | None:
    """What is wanted of the processor below a virtual TPM; None where none vouches."""
    if not evidence.hcl_report:
        return None
    snp_below = HclReport.decode(evidence.hcl_report).report_type is ReportType.SNP
    return snp.PRESETS[name] if snp_below else tdx.PRESETS[name]
