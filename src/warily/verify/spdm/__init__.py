"""Devices that speak SPDM: `authentic` (is it genuine), `acceptable` (is it wanted), `claims`."""

from datetime import datetime
from typing import Final

from warily.core.appraisal import CLEAN, Appraisal
from warily.core.collateral import SpdmCollateral
from warily.core.evidence import SpdmEvidence
from warily.core.expect import SpdmExpect
from warily.core.finding import Finding, Outcome
from warily.verify.spdm.acceptable import RULES, acceptable
from warily.verify.spdm.authentic import CHECKS, authentic
from warily.verify.spdm.case import pick
from warily.verify.spdm.claims import claims

PLATFORM: Final = "SPDM device"
NO_ANCHOR: Final = "none"
REQUIRED: Final = frozenset(CHECKS) | frozenset(RULES)


def appraise_spdm(evidence: SpdmEvidence, collateral: SpdmCollateral, expect: SpdmExpect, *, at: datetime) -> Appraisal:
    """The appraisal of one conversation at one time. Raises `FormatError` where anything is malformed.

    The rules look only at an authentic one.
    """
    case = pick(evidence, collateral, authorities=expect.authorities, rehearsal_roots=expect.rehearsal_roots, at=at)
    findings = authentic(case)
    genuine = all(finding.outcome in CLEAN for finding in findings)
    if genuine:
        findings += acceptable(case, expect)
    else:
        findings += tuple(Finding(check=check, outcome=Outcome.NOT_REACHED) for check in RULES)
    anchor = case.anchor
    return Appraisal(
        platform=PLATFORM,
        at=at,
        anchor=anchor.name if anchor and genuine else NO_ANCHOR,
        required=REQUIRED,
        findings=findings,
        claims=claims(case) if genuine else {},
        rehearsal=anchor is not None and anchor.rehearsal,
    )


def checks() -> list[tuple[str, str]]:
    """Every check in the order in which it is made: its id and the one sentence that says what it means."""
    tables = (*CHECKS.items(), *RULES.items())
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in tables]
