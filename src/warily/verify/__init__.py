"""Is the evidence genuine, and is it what was wanted? Pure: evidence, collateral, expectation, time."""

from datetime import datetime

from warily.core.appraisal import Appraisal
from warily.core.collateral import (
    Collateral,
    NitroCollateral,
    NvidiaCollateral,
    SnpCollateral,
    SpdmCollateral,
    TdxCollateral,
    TpmCollateral,
)
from warily.core.evidence import (
    Evidence,
    NitroEvidence,
    NvidiaEvidence,
    SnpEvidence,
    SpdmEvidence,
    TdxEvidence,
    TpmEvidence,
)
from warily.core.expect import Expect, LastWord, NitroExpect, NvidiaExpect, SnpExpect, SpdmExpect, TdxExpect, TpmExpect
from warily.errors import UsageError
from warily.verify.below import hardware_below
from warily.verify.explained import explained
from warily.verify.last_word import with_last_word
from warily.verify.nitro import appraise_nitro
from warily.verify.nvidia import appraise_nvidia
from warily.verify.snp import appraise_snp
from warily.verify.spdm import appraise_spdm
from warily.verify.tdx import appraise_tdx
from warily.verify.vtpm import appraise_vtpm


def appraise(evidence: Evidence, collateral: Collateral, expect: Expect, *, at: datetime) -> Appraisal:
    """The appraisal of `evidence` at the time `at`, which must name its time zone.

    Raises `FormatError` for malformed evidence or collateral, `UsageError` where collateral or expectation are for
    another platform; everything else is a finding.
    """
    if at.tzinfo is None:
        msg = "the time of an appraisal needs a time zone"
        raise UsageError(msg)
    if isinstance(expect, LastWord):
        return with_last_word(appraise(evidence, collateral, expect.over, at=at), expect.cel)
    match evidence, collateral, expect:
        case SnpEvidence(), SnpCollateral(), SnpExpect():
            return appraise_snp(evidence, collateral, expect, at=at)
        case TdxEvidence(), TdxCollateral(), TdxExpect():
            return explained(appraise_tdx(evidence, collateral, expect, at=at), evidence, expect)
        case TpmEvidence(), TpmCollateral(), TpmExpect():
            hardware = hardware_below(evidence, collateral, expect, at=at)
            return appraise_vtpm(evidence, collateral, expect, hardware=hardware, at=at)
        case NitroEvidence(), NitroCollateral(), NitroExpect():
            return appraise_nitro(evidence, expect, at=at)
        case NvidiaEvidence(), NvidiaCollateral(), NvidiaExpect():
            return appraise_nvidia(evidence, collateral, expect, at=at)
        case SpdmEvidence(), SpdmCollateral(), SpdmExpect():
            return appraise_spdm(evidence, collateral, expect, at=at)
        case _:
            msg = "collateral or expectation are for another platform than the evidence"
            raise UsageError(
                msg,
                hint="an expectation has the table of its platform: [snp], [tdx], [tpm], [nitro], [nvidia] or [spdm]",
            )
