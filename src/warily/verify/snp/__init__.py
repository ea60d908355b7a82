"""AMD SEV-SNP attestation reports: `authentic` (is it genuine), `acceptable` (is it wanted), `claims`."""

from datetime import datetime
from typing import Final

from warily.core.advisory import JudgedLater
from warily.core.appraisal import CLEAN, Appraisal
from warily.core.claims import ReadLater
from warily.core.collateral import SnpCollateral
from warily.core.evidence import SnpEvidence
from warily.core.expect import SnpExpect
from warily.core.finding import Finding, Outcome
from warily.verify.snp.acceptable import RULES, acceptable
from warily.verify.snp.authentic import CHECKS, authentic
from warily.verify.snp.chain import Case, pick
from warily.verify.snp.claims import claims
from warily.verify.snp.exposure import exposures

PLATFORM: Final = "AMD SEV-SNP"
NO_ANCHOR: Final = "none"
REQUIRED: Final = frozenset(CHECKS) | frozenset(RULES)


def appraise_snp(evidence: SnpEvidence, collateral: SnpCollateral, expect: SnpExpect, *, at: datetime) -> Appraisal:
    """The appraisal of one report at one time. Raises `FormatError` where report or collateral is malformed.

    The rules of acceptance look only at an authentic report; before that there is nothing to believe.
    """
    case = pick(evidence, collateral, rehearsal_roots=expect.rehearsal_roots, at=at)
    findings = authentic(case)
    genuine = findings[-1].outcome in CLEAN  # after a failure no check is reached
    anchored = case.anchor
    if genuine and case.product is not None and case.leaf is not None:
        findings += acceptable(case.report, case.product, expect)
    else:
        findings += tuple(Finding(check=check, outcome=Outcome.NOT_REACHED) for check in RULES)
    return Appraisal(
        platform=PLATFORM,
        at=at,
        anchor=anchored.name if anchored and genuine else NO_ANCHOR,
        required=REQUIRED,
        findings=findings,
        claims=_claims(case) if genuine else {},
        rehearsal=anchored is not None and anchored.rehearsal,
        advisories=_exposures(case) if genuine else (),
    )


def _claims(case: Case) -> ReadLater:
    leaf, _, _ = case.chain()
    return ReadLater(lambda: claims(case.report, case.product, leaf) if case.product else {})


def _exposures(case: Case) -> JudgedLater:
    return JudgedLater(lambda: exposures(case.report, case.product) if case.product else ())


def checks() -> list[tuple[str, str]]:
    """Every check in the order in which it is made: its id and the one sentence that says what it means."""
    tables = (*CHECKS.items(), *RULES.items())
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in tables]
