"""What a reader of an expectation should know: dangers, and remarks."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a note matters. A danger lets evidence pass that nearly nobody wants, or none at all."""

    DANGER = "danger"
    REMARK = "remark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One remark about one key of an expectation."""

    level: Level
    key: str
    says: str


def danger(key: str, says: str) -> Note:
    """Whoever wrote this key should think again."""
    return Note(level=Level.DANGER, key=key, says=says)


def remark(key: str, says: str) -> Note:
    """Fine if it was meant."""
    return Note(level=Level.REMARK, key=key, says=says)
