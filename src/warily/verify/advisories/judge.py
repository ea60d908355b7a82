"""Advisories against what evidence says: three answers, and never a guess between them.

Where evidence fits several silicon lines, the answer is one only if all of them give it. An advisory that says
nothing of a product cannot be told. So adding an advisory adds a line and takes none away.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from warily.core.advisory import Exposure, Standing
from warily.verify.advisories.book import Advisory, Answer, Condition

CANNOT_TELL: Final = "this evidence cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Whether a condition holds, None where the evidence does not say; the phrase that says so.

    `level` says that newer firmware, microcode or modules would make it hold.
    """

    yes: bool | None
    says: str
    level: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to compare with: the product, the silicon lines that it may be, and how conditions are decided."""

    product: str
    lines: tuple[str, ...]
    holds: Callable[[Advisory, Condition], Held]


def judge(advisory: Advisory, facts: Facts) -> Exposure:
    """The advisory as it stands for the evidence that `facts` are of."""
    answers = {line: advisory.answer_for(line, facts.product) for line in facts.lines or (facts.product,)}
    outcomes = {line: _outcome(advisory, answer, line, facts) for line, answer in answers.items()}
    found = next(iter(outcomes.values()))
    if len({outcome.standing for outcome in outcomes.values()}) > 1:
        parts = "; ".join(f"{line}: {outcome.because}" for line, outcome in outcomes.items())
        found = _Outcome(Standing.UNKNOWN, f"the report does not say which silicon it is of; {parts}")
    return Exposure(
        advisory=advisory.id,
        title=advisory.title,
        attacks=advisory.attacks,
        cves=advisory.cves,
        published=advisory.published,
        data_of=advisory.data_of,
        source=advisory.source,
        standing=found.standing,
        because=found.because,
        answerable=any(answer is not None and bool(answer.ways) for answer in answers.values()),
        behind=found.behind,
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one silicon line comes to."""

    standing: Standing
    because: str
    behind: bool = False


def _outcome(advisory: Advisory, answer: Answer | None, line: str, facts: Facts) -> _Outcome:
    if answer is None or answer.unknown:
        reason = answer.unknown if answer else f"what answers it on {line} is not known here"
        return _Outcome(Standing.UNKNOWN, f"{CANNOT_TELL}: {reason}")
    if answer.unaffected:
        return _Outcome(Standing.EXCLUDED, f"{line} is not affected")
    if answer.none:
        return _Outcome(Standing.OPEN, f"no evidence answers it: {answer.none}")
    return _best([[facts.holds(advisory, condition) for condition in way] for way in answer.ways])


def _best(ways: list[list[Held]]) -> _Outcome:
    """Excluded where some way holds in full, open where each way fails somewhere, else more than can be told."""
    for way in ways:
        if all(held.yes is True for held in way):
            return _Outcome(Standing.EXCLUDED, _phrase(way))
    undecided = [way for way in ways if all(held.yes is not False for held in way)]
    if undecided:
        missing = (held for way in undecided for held in way if held.yes is None)
        return _Outcome(Standing.UNKNOWN, f"{CANNOT_TELL}: {_phrase(missing)}")
    lacking = min(([held for held in way if held.yes is False] for way in ways), key=len)
    return _Outcome(Standing.OPEN, _phrase(lacking), any(held.level for held in lacking))


def _phrase(parts: Iterable[Held]) -> str:
    return "; ".join(dict.fromkeys(held.says for held in parts))
