"""The AR4SI trustworthiness vector (draft-ietf-rats-ar4si): what findings say in eight numbers.

Which check speaks for which claim is a table, `ear_checks.CLAIMS`. A claim is affirming only where every check
it needs has passed: what was waived, not reached or undecided leaves 0, "no claim", which is not "ok".
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final

from warily.core.appraisal import Appraisal
from warily.core.finding import Outcome
from warily.verify.ear_checks import (
    AFFIRMING,
    APPROVED_BOOT,
    CLAIMS,
    CONTRAINDICATED,
    KNOWN_WEAKNESSES,
    NO_CLAIM,
    UNRECOGNIZED,
    Claim,
)


class Tier(IntEnum):
    """The four trust tiers (AR4SI, section 3.2), as CBOR spells them."""

    NONE = 0
    AFFIRMING = 2
    WARNING = 32
    CONTRAINDICATED = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """The eight claims in the order of their labels, 0 to 7. All of them are always there."""

    instance_identity: int = NO_CLAIM
    configuration: int = NO_CLAIM
    executables: int = NO_CLAIM
    file_system: int = NO_CLAIM
    hardware: int = NO_CLAIM
    runtime_opaque: int = NO_CLAIM
    storage_opaque: int = NO_CLAIM
    sourced_data: int = NO_CLAIM

    def values(self) -> dict[str, int]:
        """The claims by the names of the specification."""
        return {entry.name.replace("_", "-"): getattr(self, entry.name) for entry in fields(self)}


# Without these three there is no affirming status.
UP_TO_DATE: Final = "UpToDate"
ESSENTIAL: Final = ("hardware", "configuration", "executables")


def platform_of(appraisal: Appraisal) -> str:
    """The first part of the check ids: `snp`, for instance; empty where there is no finding."""
    return appraisal.findings[0].check.partition(".")[0] if appraisal.findings else ""


def vector_of(appraisal: Appraisal, *, runtime: bool) -> Vector:
    """The vector of one appraisal. `runtime`: other evidence showed what was loaded since boot, all of it approved.

    Software that plays a processor is no hardware, and its memory is open to whoever runs it, whatever it reports.
    """
    table = CLAIMS.get(platform_of(appraisal), {})
    values = {name: _value(claim, appraisal) for name, claim in table.items()}
    if appraisal.rehearsal:
        values |= {"hardware": UNRECOGNIZED, "runtime_opaque": CONTRAINDICATED}
    if values.get("hardware") == AFFIRMING and _is_behind(appraisal):
        values["hardware"] = KNOWN_WEAKNESSES
    if runtime and values.get("executables") == APPROVED_BOOT:
        values["executables"] = AFFIRMING
    return Vector(**values)


def _is_behind(appraisal: Appraisal) -> bool:
    """Whether the vendor calls the platform anything but up to date, or newer firmware answers a known attack on it.

    That holds though the expectation takes the platform as it is.
    """
    if any(exposure.behind for exposure in appraisal.advisories):
        return True
    tcb = appraisal.claims.get("tcb")
    status = tcb.get("status", UP_TO_DATE) if isinstance(tcb, dict) else UP_TO_DATE
    return status != UP_TO_DATE


def _value(claim: Claim, appraisal: Appraisal) -> int:
    for check in (*claim.needs, *claim.also):
        if appraisal.outcome_of(check) is Outcome.FAIL:
            return claim.bad.get(check, claim.otherwise)
    proven = all(appraisal.outcome_of(check) is Outcome.PASS for check in claim.needs)
    return claim.good if proven else NO_CLAIM


def tier_of(value: int) -> Tier:
    """The tier of one claim's value, -128 to 127 (AR4SI, section 2.3.2)."""
    distance = value if value >= 0 else -1 - value
    if distance < Tier.AFFIRMING:
        return Tier.NONE
    if distance < Tier.WARNING:
        return Tier.AFFIRMING
    return Tier.WARNING if distance < Tier.CONTRAINDICATED else Tier.CONTRAINDICATED


def status_of(appraisal: Appraisal, vector: Vector) -> Tier:
    """The overall status: no better than the worst claim, and contraindicated when the evidence was rejected.

    Where nothing is known of hardware, configuration or executables it is `NONE`, though all that was asked passed: a
    relying party that reads nothing but the status must not take "authentic" for "as wanted".
    """
    values = vector.values()
    worst = max(map(tier_of, values.values()))
    if not appraisal.accepted:
        return max(worst, Tier.NONE if appraisal.undecided else Tier.CONTRAINDICATED)
    if worst is Tier.AFFIRMING and not all(values[name] for name in ESSENTIAL):
        return Tier.NONE
    return worst
