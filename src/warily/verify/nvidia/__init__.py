"""NVIDIA GPUs and switches: `authentic` (is it genuine), `manifests` and `acceptable` (is it wanted), `claims`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from warily.core.appraisal import CLEAN, Appraisal
from warily.core.collateral import NvidiaCollateral
from warily.core.evidence import NvidiaEvidence
from warily.core.expect import NvidiaExpect
from warily.core.finding import Finding, Outcome
from warily.errors import FormatError
from warily.verify.nvidia.acceptable import RULES, acceptable, matched
from warily.verify.nvidia.authentic import CHECKS, authentic
from warily.verify.nvidia.case import Case, pick
from warily.verify.nvidia.claims import claims

PLATFORM: Final = "NVIDIA GPU or switch"
GPU: Final = "NVIDIA GPU"
SWITCH: Final = "NVIDIA NVSwitch"
NO_ANCHOR: Final = "none"
MAX_DEVICES: Final = 64
REQUIRED: Final = frozenset(CHECKS) | frozenset(RULES)


def appraise_nvidia(
    evidence: NvidiaEvidence, collateral: NvidiaCollateral, expect: NvidiaExpect, *, at: datetime
) -> Appraisal:
    """The appraisal of one device, or of several with an appraisal of each in `parts`.

    Raises `FormatError` where anything is malformed, or there is no device, or over 64.
    """
    if not 1 <= len(evidence.devices) <= MAX_DEVICES:
        msg = f"NVIDIA evidence: {len(evidence.devices)} devices, not 1 to {MAX_DEVICES}"
        raise FormatError(msg)
    cases = pick(
        evidence,
        collateral,
        rehearsal_roots=expect.rehearsal_roots,
        certificate_hold=expect.certificate_hold,
        at=at,
    )
    parts = {case.label: _one(case, expect) for case in cases}
    return next(iter(parts.values())) if len(parts) == 1 else _together(parts, at)


def _one(case: Case, expect: NvidiaExpect) -> Appraisal:
    """One device. The rules look only at an authentic report."""
    findings = authentic(case)
    genuine = all(finding.outcome in CLEAN for finding in findings)
    said: dict[str, object] = {}
    required = REQUIRED
    if genuine:
        rules = acceptable(case, expect)
        findings += rules.findings
        required = frozenset(CHECKS) | rules.required
        said = claims(case, matched(findings))
    else:
        findings += tuple(Finding(check=check, outcome=Outcome.NOT_REACHED) for check in RULES)
    anchor = case.anchor
    return Appraisal(
        platform=SWITCH if case.report.is_switch else GPU,
        at=case.at,
        anchor=anchor.name if anchor and genuine else NO_ANCHOR,
        required=required,
        findings=findings,
        claims=said,
        rehearsal=anchor is not None and anchor.rehearsal,
    )


def _together(parts: dict[str, Appraisal], at: datetime) -> Appraisal:
    """All devices: every finding of each, said of which, so that one bad device rejects the whole."""
    kinds = [part.platform for part in parts.values()]
    counted = [f"{kind} ({kinds.count(kind)})" for kind in sorted(set(kinds))]
    return Appraisal(
        platform=", ".join(counted),
        at=at,
        anchor=", ".join(sorted({part.anchor for part in parts.values()})),
        required=frozenset().union(*(part.required for part in parts.values())),
        findings=tuple(_said_of(label, one) for label, part in parts.items() for one in part.findings),
        claims={"devices": {label: dict(part.claims) for label, part in parts.items()}} if _any_claims(parts) else {},
        rehearsal=any(part.rehearsal for part in parts.values()),
        parts=parts,
    )


def _any_claims(parts: dict[str, Appraisal]) -> bool:
    return any(part.claims for part in parts.values())


def _said_of(label: str, finding: Finding) -> Finding:
    return replace(finding, found=f"{label}: {finding.found}" if finding.found else label)


def checks() -> Sequence[tuple[str, str]]:
    """Every check in the order in which it is made: its id and the one sentence that says what it means."""
    genuine = [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in CHECKS.items()]
    return [*genuine, *RULES.items()]
