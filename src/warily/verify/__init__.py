"""Is the evidence genuine, and is it what was wanted? Pure: evidence, collateral, expectation, time."""

from datetime import datetime

from warily.core.appraisal import Appraisal
from warily.core.collateral import SnpCollateral
from warily.core.evidence import Evidence, SnpEvidence
from warily.core.expect import SnpExpect
from warily.errors import UsageError
from warily.verify.snp import appraise_snp


def appraise(evidence: Evidence, collateral: SnpCollateral, expect: SnpExpect, *, at: datetime) -> Appraisal:
    """The appraisal of `evidence` at the time `at`, which must name its time zone.

    Raises `FormatError` for malformed evidence or collateral; everything else is a finding.
    """
    if at.tzinfo is None:
        msg = "the time of an appraisal needs a time zone"
        raise UsageError(msg)
    match evidence:
        case SnpEvidence():
            return appraise_snp(evidence, collateral, expect, at=at)
