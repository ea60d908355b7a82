"""One appraisal as attesters: a virtual TPM and the processor below it are judged together, and told apart here."""

from dataclasses import replace
from typing import Final

from warily.core.appraisal import Appraisal
from warily.verify.ear import Submodule
from warily.verify.ear_vector import platform_of

# The first parts of check ids that are attesters of their own; logs and the rest belong to the one they came with.
PROCESSORS: Final = ("snp", "tdx")
VTPM: Final = "vtpm"
UNKNOWN: Final = "unknown"


def submodules(appraisal: Appraisal, *, policy_id: str) -> dict[str, Submodule]:
    """The attesters of an appraisal by their labels, such as `snp`, or `snp` and `vtpm`; devices by their own labels.

    Each has the findings, requirements and claims that are its own, so that none speaks for another.
    """
    if appraisal.parts:
        return {label: Submodule(appraisal=part, policy_id=policy_id) for label, part in appraisal.parts.items()}
    processor = next((name for name in PROCESSORS if any(_is_of(f.check, name) for f in appraisal.findings)), "")
    if not processor or not any(_is_of(finding.check, VTPM) for finding in appraisal.findings):
        label = platform_of(appraisal) or UNKNOWN
        return {label: Submodule(appraisal=appraisal, policy_id=policy_id)}
    below = appraisal.claims.get("hardware")
    parts = {
        processor: replace(
            _cut(appraisal, processor, of_it=True), claims=dict(below) if isinstance(below, dict) else {}
        ),
        VTPM: replace(
            _cut(appraisal, processor, of_it=False),
            claims={name: value for name, value in appraisal.claims.items() if name != "hardware"},
            advisories=(),
        ),
    }
    return {label: Submodule(appraisal=part, policy_id=policy_id) for label, part in parts.items()}


def _cut(appraisal: Appraisal, name: str, *, of_it: bool) -> Appraisal:
    """The findings and requirements of the attester of that name, or all others."""
    return replace(
        appraisal,
        findings=tuple(finding for finding in appraisal.findings if _is_of(finding.check, name) is of_it),
        required=frozenset(check for check in appraisal.required if _is_of(check, name) is of_it),
    )


def _is_of(check: str, name: str) -> bool:
    return check.partition(".")[0] == name
