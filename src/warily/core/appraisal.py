"""The appraisal: every finding about one piece of evidence, and the one verdict that follows.

An appraisal cannot be used as a boolean, and an empty one is a rejection. Code that acts on a
verdict (a key release, say) calls `require`, which raises unless the evidence was accepted.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, NoReturn

from warily.core.advisory import Exposure
from warily.core.finding import Finding, Outcome
from warily.errors import CollateralError, WarilyError

CLEAN: Final = (Outcome.PASS, Outcome.WAIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """Findings in the order they were made.

    `required` names the checks that must have run; `anchor` says whose word the authenticity
    rests on (`AMD ARK-Genoa`, or a rehearsal root by its fingerprint); `claims` is what the
    evidence says about the machine, present only when it is authentic; so are `advisories`, which say of each known
    attack whether the evidence excludes it. `parts` has an appraisal for each device, by its label, where evidence is
    of several; `findings` are then those of all.
    """

    platform: str
    at: datetime
    anchor: str
    required: AbstractSet[str]
    findings: tuple[Finding, ...]
    claims: Mapping[str, object] = field(default_factory=dict)
    rehearsal: bool = False
    advisories: Sequence[Exposure] = ()
    parts: Mapping[str, "Appraisal"] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Every required check ran, and every finding is a pass or a waiver. Empty is a rejection."""
        ran = {finding.check for finding in self.findings}
        clean = all(finding.outcome in CLEAN for finding in self.findings)
        return bool(self.required) and set(self.required) <= ran and clean

    @property
    def undecided(self) -> bool:
        """Nothing failed, but something needed was missing: neither accepted nor rejected."""
        outcomes = {finding.outcome for finding in self.findings}
        return Outcome.UNDECIDED in outcomes and Outcome.FAIL not in outcomes

    @property
    def verdict(self) -> str:
        """`accepted`, `undecided` or `rejected`."""
        return "accepted" if self.accepted else "undecided" if self.undecided else "rejected"

    @property
    def first_failure(self) -> Finding | None:
        """The first finding that failed, since it decides; else the first that is neither a pass nor a waiver."""
        failures = (finding for finding in self.findings if finding.outcome is Outcome.FAIL)
        return next(failures, next((finding for finding in self.findings if finding.outcome not in CLEAN), None))

    def outcome_of(self, check: str) -> Outcome | None:
        """The outcome of one check, or None where it is not part of this appraisal."""
        outcomes = [finding.outcome for finding in self.findings if finding.check == check]
        return next((outcome for outcome in outcomes if outcome not in CLEAN), outcomes[0] if outcomes else None)

    def require(self) -> None:
        """The evidence was accepted; otherwise raises `Rejected`, or `CollateralError` if undecided."""
        if self.accepted:
            return
        first = self.first_failure
        what = first.check if first else "no check was made"
        if self.undecided and first is not None:
            message = f"could not decide {first.check}: {first.expected} is missing"
            raise CollateralError(message, hint=first.hint or None)
        message = f"the evidence is rejected: {what}"
        raise Rejected(message, appraisal=self, hint=(first.hint or None) if first else None)

    def as_json(self) -> dict[str, object]:
        """The object that `warily verify --json` prints."""
        whole: dict[str, object] = {
            "accepted": self.accepted,
            "verdict": self.verdict,
            "first_failure": first.check if (first := self.first_failure) else None,
            "platform": self.platform,
            "at": self.at.isoformat(),
            "anchor": self.anchor,
            "rehearsal": self.rehearsal,
            "findings": [finding.as_json() for finding in self.findings],
            "claims": dict(self.claims),
            "advisories": [exposure.as_json() for exposure in self.advisories],
        }
        if self.parts:
            whole["parts"] = {label: part.as_json() for label, part in self.parts.items()}
        return whole

    def __bool__(self) -> NoReturn:
        msg = "an Appraisal is not a boolean: call .require(), or read .accepted"
        raise TypeError(msg)


class Rejected(WarilyError):  # noqa: N818  # a decision, named as one
    """Decided: the evidence does not pass."""

    exit_status: ClassVar[int] = 10
    code: ClassVar[str] = "rejected"

    def __init__(self, what: str, *, appraisal: Appraisal, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.appraisal = appraisal
