"""A finding: the outcome of one check, with what was wanted, what was there and what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeVar

C = TypeVar("C")


class Outcome(StrEnum):
    """How one check ended. Only `PASS` and `WAIVED` let an appraisal be accepted."""

    PASS = "pass"  # noqa: S105  # not a password
    FAIL = "fail"
    WAIVED = "waived"
    UNDECIDED = "undecided"
    NOT_REACHED = "not-reached"


_GOES_ON: Final = (Outcome.PASS, Outcome.WAIVED)


@dataclass(frozen=True, slots=True)
class Waived:
    """A check switched off on purpose. The reason is printed in every report."""

    because: str

    def __post_init__(self) -> None:
        if not self.because.strip():
            msg = "a waiver needs a reason"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. `check` is its stable dotted id, such as `snp.measurement`."""

    check: str
    outcome: Outcome
    expected: str = ""
    found: str = ""
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        """The five members that `--json` promises, always all of them."""
        return {
            "check": self.check,
            "outcome": self.outcome.value,
            "expected": self.expected,
            "found": self.found,
            "hint": self.hint,
        }


@lru_cache(maxsize=1024)  # most findings of a service are the same ones again
def passed(check: str, found: str = "") -> Finding:
    """The check passed."""
    return Finding(check=check, outcome=Outcome.PASS, found=found)


def failed(check: str, *, expected: str, found: str, hint: str = "") -> Finding:
    """The check failed: `found` is not what was `expected`."""
    return Finding(check=check, outcome=Outcome.FAIL, expected=expected, found=found, hint=hint)


def waived(check: str, waiver: Waived) -> Finding:
    """The check was switched off, for the reason the waiver gives."""
    return _waived(check, waiver.because)


@lru_cache(maxsize=1024)
def _waived(check: str, because: str) -> Finding:
    return Finding(check=check, outcome=Outcome.WAIVED, found=because)


def undecided(check: str, *, missing: str, hint: str = "") -> Finding:
    """The check could not be made because something is missing."""
    return Finding(check=check, outcome=Outcome.UNDECIDED, expected=missing, found="missing", hint=hint)


def until_first_failure(checks: Mapping[str, Callable[[C], Finding]], case: C) -> tuple[Finding, ...]:
    """One finding for every check, in order: up to the first that is neither passed nor waived, then `NOT_REACHED`."""
    findings: list[Finding] = []
    remaining = iter(checks.items())
    for _, decide in remaining:
        finding = decide(case)
        findings.append(finding)
        if finding.outcome not in _GOES_ON:
            findings += (Finding(check=check, outcome=Outcome.NOT_REACHED) for check, _ in remaining)
    return tuple(findings)
