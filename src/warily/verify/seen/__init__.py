"""Collateral against what was seen before: an older answer, served again, is noticed. What was seen is an argument.

`marks.py` names the series that pieces of collateral belong to and how far they are; `warily fetch` keeps the newest of
each in a record, and `against` compares with it what an appraisal was made with.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from warily.core.appraisal import Appraisal
from warily.core.collateral import Collateral, SnpCollateral, TdxCollateral, TpmCollateral
from warily.core.evidence import Evidence, SnpEvidence, TdxEvidence, TpmEvidence
from warily.core.finding import Finding, Outcome, Waived, passed, undecided, waived
from warily.core.seen import Mark, Seen
from warily.verify.below import evidence_below, snp_collateral_below
from warily.verify.seen.marks import mark_of_list, mark_of_qe_identity, mark_of_tcb_info, series_of
from warily.verify.snp import chain as snp
from warily.verify.tdx import case as tdx

PLATFORM: Final = "Collateral seen before (`--seen`)"
NO_LIST: Final = Waived("no revocation list was given, so its age was not judged")
_HINT: Final = "an older answer was served again: run `warily fetch --refresh`, or judge without --seen"
_NOBODY: Final[frozenset[bytes]] = frozenset()


def snp_list_is_not_older(case: snp.Case, seen: Seen) -> Finding:
    """No revocation list of the ARK is older than one of the same ARK that was seen before; one seen is not missing."""
    check = "snp.crl.regressed"
    if case.root is None:
        return undecided(check, missing="the ARK")
    offered = [mark_of_list(one, (case.root,)) for one in case.crls if one.issuer == case.root.subject]
    newest = max((mark for mark in offered if mark), key=lambda mark: (mark.number, mark.issued), default=None)
    if newest is not None:
        return _compared(check, [newest], seen)
    if series_of(case.root) in seen.marks:
        return undecided(check, missing=f"a revocation list of {case.root.name}: one was seen before", hint=_HINT)
    return waived(check, NO_LIST)


def tdx_collateral_is_not_older(case: tdx.Case, seen: Seen) -> Finding:
    """TCB info, QE identity and revocation lists are not older than those of the same series that were seen before."""
    check = "tdx.collateral.regressed"
    if case.tcb_statement is None or case.qe_statement is None or len(case.chain) != tdx.CHAIN:
        return undecided(check, missing="TCB info or QE identity")
    marks = [
        mark_of_tcb_info(case.tcb_statement, case.certificates),
        mark_of_qe_identity(case.qe_statement, case.certificates),
    ]
    _, authority, root = case.parties()
    for issuer, lists in ((root, case.root_crls), (authority, case.pck_crls)):
        by_issuer = [one for one in lists if one.issuer == issuer.subject]
        if by_issuer:
            marks.append(mark_of_list(max(by_issuer, key=lambda one: one.this_update), (issuer,)))
    return _compared(check, [mark for mark in marks if mark], seen)


# The reference page is made from the table. None of these is made without a record of what was seen.
RULES: Final[dict[str, Callable[..., Finding]]] = {
    "snp.crl.regressed": snp_list_is_not_older,
    "tdx.collateral.regressed": tdx_collateral_is_not_older,
}


def checks() -> list[tuple[str, str]]:
    """Every check with the one sentence that says what it means."""
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in RULES.items()]


def against(appraisal: Appraisal, evidence: Evidence, collateral: Collateral, seen: Seen, *, at: datetime) -> Appraisal:
    """The appraisal together with whether its collateral is older than what was seen; the same where it has none.

    A processor below a virtual TPM counts as the evidence it is. After a rejection the check is not reached.
    """
    judged = _judged(appraisal, evidence, collateral, seen, at=at)
    if judged is None:
        return appraisal
    return replace(appraisal, required=appraisal.required | {judged.check}, findings=(*appraisal.findings, judged))


def _judged(
    appraisal: Appraisal, evidence: Evidence, collateral: Collateral, seen: Seen, *, at: datetime
) -> Finding | None:
    reached = bool(appraisal.claims) or appraisal.undecided
    match evidence, collateral:
        case SnpEvidence(), SnpCollateral():
            if not reached:
                return Finding(check="snp.crl.regressed", outcome=Outcome.NOT_REACHED)
            return snp_list_is_not_older(snp.pick(evidence, collateral, rehearsal_roots=_NOBODY, at=at), seen)
        case TdxEvidence(), TdxCollateral():
            if not reached:
                return Finding(check="tdx.collateral.regressed", outcome=Outcome.NOT_REACHED)
            case = tdx.pick(evidence, collateral, rehearsal_roots=_NOBODY, at=at)
            return tdx_collateral_is_not_older(case, seen)
        case TpmEvidence(), TpmCollateral():
            below = evidence_below(evidence)
            if below is None:
                return None
            offered = snp_collateral_below(collateral) if isinstance(below, SnpEvidence) else collateral.tdx
            return _judged(appraisal, below, offered, seen, at=at)
        case _:
            return None


def _compared(check: str, offered: list[Mark], seen: Seen) -> Finding:
    for mark, before in seen.older(offered):
        missing = f"{mark.series} of {before} or later, which was seen before; this one is of {mark}"
        return undecided(check, missing=missing, hint=_HINT)
    known = sum(mark.series in seen.marks for mark in offered)
    return passed(check, found=f"{known} of {len(offered)} seen before")
