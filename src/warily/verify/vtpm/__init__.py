"""TPM 2.0 quotes: `authentic` (who vouches for the key, what it signed), `acceptable` (is it wanted), `claims`."""

from datetime import datetime
from typing import Final

from warily.core.appraisal import CLEAN, Appraisal
from warily.core.collateral import TpmCollateral
from warily.core.evidence import TpmEvidence
from warily.core.expect import TpmExpect
from warily.core.finding import Finding, Outcome
from warily.verify import eventlog
from warily.verify.vtpm.acceptable import RULES, acceptable, genuine
from warily.verify.vtpm.authentic import CHECKS, authentic, checks_for
from warily.verify.vtpm.case import Binding, Case, Hardware, pick
from warily.verify.vtpm.chain import is_pinned_anchor
from warily.verify.vtpm.claims import claims

PLATFORM: Final = "TPM 2.0"
NO_ANCHOR: Final = "none"
NAMES: Final = {
    Binding.SNP: "virtual TPM of Azure on AMD SEV-SNP",
    Binding.TDX: "virtual TPM of Azure on Intel TDX",
    Binding.CERTIFICATE: PLATFORM,
    Binding.ENDORSEMENT: PLATFORM,
    Binding.NAMED: PLATFORM,
}


def appraise_vtpm(
    evidence: TpmEvidence, collateral: TpmCollateral, expect: TpmExpect, *, hardware: Hardware | None, at: datetime
) -> Appraisal:
    """The appraisal of quotes at one time, after that of the `hardware` below, whose findings come first in it.

    Raises `FormatError` where anything is malformed. Rules of acceptance and logs are looked at only for genuine
    quotes; before that there is nothing to believe.
    """
    case = pick(evidence, collateral, expect, hardware=hardware, at=at)
    below = hardware.appraisal if hardware else None
    findings = authentic(case)
    is_genuine = all(finding.outcome in CLEAN for finding in findings)
    said: dict[str, object] = {}
    if is_genuine:
        it = genuine(case)
        findings += acceptable(it)
        said = claims(it)
    else:
        findings += tuple(Finding(check=check, outcome=Outcome.NOT_REACHED) for check in (*RULES, *eventlog.RULES))
    required = frozenset(checks_for(case.binding)) | frozenset(RULES) | frozenset(eventlog.RULES)
    return Appraisal(
        platform=NAMES[case.binding],
        at=at,
        anchor=_anchor(case) if is_genuine else NO_ANCHOR,
        required=required if below is None else required | below.required,
        findings=findings if below is None else (*below.findings, *findings),
        claims=said,
        rehearsal=below is not None and below.rehearsal,
        advisories=below.advisories if below is not None and is_genuine else (),
    )


def checks() -> list[tuple[str, str]]:
    """Every check in the order in which it is made: its id and the one sentence that says what it means."""
    tables = (*CHECKS.items(), *RULES.items(), *eventlog.RULES.items())
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in tables]


def _anchor(case: Case) -> str:
    """Whose word the quotes rest on."""
    if case.hardware is not None:
        return case.hardware.appraisal.anchor
    if case.chain:
        top = case.chain[-1]
        return f"Google Compute Engine, {top.name}" if is_pinned_anchor(top) else f"named authority {top.name}"
    return "an attestation key that the expectation names"
