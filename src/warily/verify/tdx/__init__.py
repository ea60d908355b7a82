"""Intel quotes, TDX and SGX: `authentic` and `endorsed` (is it genuine), `acceptable` (is it wanted), `claims`."""

from datetime import datetime
from typing import Final

from warily.core.advisory import JudgedLater
from warily.core.appraisal import CLEAN, Appraisal
from warily.core.claims import ReadLater
from warily.core.collateral import TdxCollateral
from warily.core.evidence import TdxEvidence
from warily.core.expect import TdxExpect
from warily.core.finding import Finding, Outcome
from warily.verify.tdx.acceptable import RULES, acceptable
from warily.verify.tdx.authentic import CHECKS, authentic
from warily.verify.tdx.case import pick
from warily.verify.tdx.claims import claims
from warily.verify.tdx.exposure import exposures

PLATFORM: Final = "Intel TDX"
ENCLAVE: Final = "Intel SGX"
NO_ANCHOR: Final = "none"
REQUIRED: Final = frozenset(CHECKS) | frozenset(RULES)


def appraise_tdx(evidence: TdxEvidence, collateral: TdxCollateral, expect: TdxExpect, *, at: datetime) -> Appraisal:
    """The appraisal of one quote at one time. Raises `FormatError` where quote or collateral is malformed.

    The rules of acceptance look only at an authentic quote; before that there is nothing to believe.
    """
    case = pick(evidence, collateral, rehearsal_roots=expect.rehearsal_roots, at=at)
    findings = authentic(case)
    genuine = findings[-1].outcome in CLEAN  # after a failure no check is reached
    anchored = case.anchor
    if genuine:
        findings += acceptable(case, expect)
    else:
        findings += tuple(Finding(check=check, outcome=Outcome.NOT_REACHED) for check in RULES)
    return Appraisal(
        platform=PLATFORM if case.is_td else ENCLAVE,
        at=at,
        anchor=anchored.name if anchored and genuine else NO_ANCHOR,
        required=REQUIRED,
        findings=findings,
        claims=ReadLater(lambda: claims(case)) if genuine else {},
        rehearsal=anchored is not None and anchored.rehearsal,
        advisories=JudgedLater(lambda: exposures(case)) if genuine else (),
    )


def checks() -> list[tuple[str, str]]:
    """Every check in the order in which it is made: its id and the one sentence that says what it means."""
    tables = (*CHECKS.items(), *RULES.items())
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in tables]
