"""Every rule against what is known: closed, open, or not looked at. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from warily.audit.conditions import Seen, examine
from warily.audit.facts import Facts
from warily.audit.rules import Rule


class State(StrEnum):
    """How a rule came out. `EXPLAINED` is open, with a reason that somebody gave."""

    OPEN = "open"
    EXPLAINED = "explained"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One rule's outcome. `evidence` is what was seen, or what would have to be looked at."""

    rule: Rule
    state: State
    evidence: str
    because: str = ""

    def as_json(self) -> dict[str, object]:
        """The object that `warily audit --json` prints."""
        return {
            "id": self.rule.id,
            "state": self.state.value,
            "title": self.rule.title,
            "why": self.rule.why,
            "attacks": list(self.rule.attacks),
            "evidence": self.evidence,
            "because": self.because,
            "mend": self.rule.mend,
            "source": self.rule.source,
        }


def judge(facts: Facts, rules: Sequence[Rule], explained: Mapping[str, str]) -> tuple[AuditFinding, ...]:
    """A finding for each rule that applies; `explained` gives reasons by rule id for what stays open."""
    return tuple(_finding(rule, facts, explained) for rule in rules if facts.running or not rule.running)


def _finding(rule: Rule, facts: Facts, explained: Mapping[str, str]) -> AuditFinding:
    unknown: list[str] = []
    against: list[str] = []
    for alternative in rule.closed_by:
        seen = [examine(condition, facts) for condition in alternative]
        if all(each.holds for each in seen):
            return AuditFinding(rule=rule, state=State.CLOSED, evidence=_joined(seen))
        failing = [each for each in seen if each.holds is False]
        if failing:
            against += [each.what for each in failing]
        else:
            unknown += [each.what for each in seen if each.holds is None]
    if unknown:
        what = ", ".join(dict.fromkeys(unknown))
        return AuditFinding(rule=rule, state=State.UNKNOWN, evidence=f"not looked at: {what}")
    evidence = "; ".join(dict.fromkeys(against))
    because = explained.get(rule.id, "")
    return AuditFinding(rule=rule, state=State.EXPLAINED if because else State.OPEN, evidence=evidence, because=because)


def _joined(seen: Sequence[Seen]) -> str:
    return ", ".join(dict.fromkeys(each.what for each in seen))
