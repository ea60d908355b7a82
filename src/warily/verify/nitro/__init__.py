"""AWS Nitro attestation documents: `authentic` (is it genuine), `acceptable` (is it wanted), `claims`."""

from datetime import datetime
from typing import Final

from warily.core.appraisal import CLEAN, Appraisal
from warily.core.evidence import NitroEvidence
from warily.core.expect import NitroExpect
from warily.core.finding import Finding, Outcome
from warily.verify.nitro.acceptable import RULES, acceptable
from warily.verify.nitro.authentic import CHECKS, authentic
from warily.verify.nitro.chain import pick
from warily.verify.nitro.claims import claims

PLATFORM: Final = "AWS Nitro"
ENCLAVE: Final = "AWS Nitro Enclave"
TPM: Final = "AWS NitroTPM"
NO_ANCHOR: Final = "none"
REQUIRED: Final = frozenset(CHECKS) | frozenset(RULES)


def appraise_nitro(evidence: NitroEvidence, expect: NitroExpect, *, at: datetime) -> Appraisal:
    """The appraisal of one document at one time. Raises `FormatError` where it is malformed.

    A document brings its whole chain, so that there is no collateral. The rules look only at an authentic one.
    """
    case = pick(evidence, rehearsal_roots=expect.rehearsal_roots, at=at)
    findings = authentic(case)
    genuine = all(finding.outcome in CLEAN for finding in findings)
    if genuine:
        findings += acceptable(case, expect)
    else:
        findings += tuple(Finding(check=check, outcome=Outcome.NOT_REACHED) for check in RULES)
    anchored = case.anchor
    return Appraisal(
        platform=TPM if case.document.tpm else ENCLAVE,
        at=at,
        anchor=anchored.name if anchored and genuine else NO_ANCHOR,
        required=REQUIRED,
        findings=findings,
        claims=claims(case) if genuine else {},
        rehearsal=anchored is not None and anchored.rehearsal,
    )


def checks() -> list[tuple[str, str]]:
    """Every check in the order in which it is made: its id and the one sentence that says what it means."""
    tables = (*CHECKS.items(), *RULES.items())
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in tables]
