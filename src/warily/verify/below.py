"""The processor below a virtual TPM: its evidence taken out of the paravisor's report, and judged on its own."""

from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from warily.core.collateral import SnpCollateral, TpmCollateral
from warily.core.evidence import SnpEvidence, TdxEvidence, TpmEvidence
from warily.core.expect import SnpExpect, TdxExpect, TpmExpect
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.formats.hcl_report import HclReport, ReportType
from warily.formats.snp_report import SnpReport
from warily.formats.tdx_quote import Quote
from warily.verify.snp import appraise_snp
from warily.verify.snp import presets as snp
from warily.verify.tdx import appraise_tdx
from warily.verify.tdx import presets as tdx
from warily.verify.vtpm.case import Hardware

_BOUND: Final = Waived("judged as vtpm.runtime-data: it is the hash of the paravisor's runtime data")

_X = TypeVar("_X", SnpExpect, TdxExpect)


def evidence_below(evidence: TpmEvidence) -> SnpEvidence | TdxEvidence | None:
    """The evidence of the processor that vouches for a virtual TPM; None where none does, or its quote is not there.

    Raises `FormatError` for a malformed report of the paravisor.
    """
    if not evidence.hcl_report:
        return None
    report = HclReport.decode(evidence.hcl_report)
    if report.report_type is ReportType.SNP:
        return SnpEvidence(report=report.hardware, certificates=evidence.certificates)
    return TdxEvidence(quote=evidence.td_quote) if evidence.td_quote else None


def hardware_below(
    evidence: TpmEvidence, collateral: TpmCollateral, expect: TpmExpect, *, at: datetime
) -> Hardware | None:
    """The appraisal of the processor that vouches for a virtual TPM; None where none claims to.

    Raises `FormatError` for a malformed report or quote, `UsageError` where the expectation is for another processor.
    """
    below = evidence_below(evidence)
    match below:
        case None:
            return None
        case TdxEvidence():
            return _tdx(below, collateral, expect, at=at)
        case SnpEvidence():
            want = _wanted(expect.hardware, snp.GENUINE)
            offered = snp_collateral_below(collateral)
            return Hardware(
                appraisal=appraise_snp(below, offered, replace(want, report_data=_BOUND), at=at),
                report_data=SnpReport.unpack(below.report).report_data,
            )


def snp_collateral_below(collateral: TpmCollateral) -> SnpCollateral:
    """The part of collateral for a virtual TPM that an SNP report below it is judged with."""
    return SnpCollateral(certificates=collateral.certificates, crls=collateral.crls)


def _tdx(below: TdxEvidence, collateral: TpmCollateral, expect: TpmExpect, *, at: datetime) -> Hardware:
    """The quote beside the report: the TDREPORT inside it proves nothing to anybody but its own machine."""
    want = replace(_wanted(expect.hardware, tdx.GENUINE), report_data=_BOUND)
    return Hardware(
        appraisal=appraise_tdx(below, collateral.tdx, want, at=at),
        report_data=Quote.decode(below.quote).report_data,
    )


def _wanted(want: SnpExpect | TdxExpect | Waived, genuine: _X) -> _X:
    """What is wanted of the processor; where that is waived, authenticity alone, and the reason on every rule."""
    if isinstance(want, Waived):
        rules: dict[str, Any] = {
            entry.name: want for entry in fields(genuine) if isinstance(getattr(genuine, entry.name), Waived)
        }
        return replace(genuine, **rules)
    if not isinstance(want, type(genuine)):
        msg = f"the expectation is for another processor: a {type(want).__name__}, not a {type(genuine).__name__}"
        raise UsageError(msg)
    return want
