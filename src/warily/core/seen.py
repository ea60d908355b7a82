"""The newest collateral that was ever seen, series by series, so that an older answer served again is noticed.

A series is what one key says of one subject: TCB info of an FMSPC, a revocation list of an authority. Its name holds a
fingerprint of that key, so that what anybody else signs begins a series of its own and spoils none. The record is JSON:

    {"collateral_seen": 1, "marks": {"<series>": {"issued": "2026-03-15T00:00:00Z", "number": "18"}, …}}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject, canonical

LIMIT: Final = 1 << 20
MAX_MARKS: Final = 4096
_KEY: Final = "collateral_seen"
_VERSION: Final = 1
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_MAX_NUMBER: Final = 1 << 168  # CRL numbers have up to 20 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far one series is. `number` is the tcbEvaluationDataNumber or CRL number, 0 where there is none.

    `by_date` says that of two with the same number the one issued later is newer. That holds for revocation lists;
    TCB info of one number says the same whenever it was issued.
    """

    series: str
    number: int
    issued: datetime
    by_date: bool

    def is_older_than(self, seen: "Mark") -> bool:
        """Whether this was superseded by what was seen."""
        if self.number != seen.number:
            return self.number < seen.number
        return self.by_date and self.issued < seen.issued

    def __str__(self) -> str:
        number = f"number {self.number}, " if self.number else ""
        return f"{number}issued {self.issued:%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest mark of each series."""

    marks: Mapping[str, Mark]

    def older(self, offered: Iterable[Mark]) -> list[tuple[Mark, Mark]]:
        """Of the marks offered those that are older than one seen before, each with that one."""
        pairs = ((mark, self.marks.get(mark.series)) for mark in offered)
        return [(mark, seen) for mark, seen in pairs if seen is not None and mark.is_older_than(seen)]

    def with_marks(self, offered: Iterable[Mark]) -> "Seen":
        """The record after these were seen too. Raises `FormatError` where it would grow over its limit."""
        marks = dict(self.marks)
        for mark in offered:
            before = marks.get(mark.series)
            if before is None or before.is_older_than(mark):
                marks[mark.series] = mark
        if len(marks) > MAX_MARKS:
            msg = f"a record of over {MAX_MARKS} series of collateral"
            raise FormatError(msg)
        return Seen(marks=marks)

    def encode(self) -> bytes:
        """The record as canonical JSON."""
        marks = {
            series: {"number": str(mark.number), "issued": _text(mark.issued)}
            | ({"by_date": True} if mark.by_date else {})
            for series, mark in self.marks.items()
        }
        return canonical({_KEY: _VERSION, "marks": marks})

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The record that `text` (at most 1 MiB) is. Raises `FormatError`."""
        top = JsonObject.parse(text, what="record of collateral seen", limit=LIMIT)
        if _KEY not in top or top.number(_KEY) != _VERSION:
            msg = f"not a record of collateral seen, of version {_VERSION}"
            raise FormatError(msg)
        listed = top.object("marks")
        top.finish()
        names = listed.keys()
        if len(names) > MAX_MARKS:
            msg = f"record of collateral seen: over {MAX_MARKS} series"
            raise FormatError(msg)
        return cls(marks={name: _mark(name, listed.object(name)) for name in names})


NOTHING_SEEN: Final = Seen(marks={})


def _text(at: datetime) -> str:
    """The time in UTC to the second; four digits of year, which `strftime` does not promise."""
    return at.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def _mark(series: str, entry: JsonObject) -> Mark:
    number, issued = entry.text("number", limit=64), entry.text("issued", limit=32)
    by_date = entry.flag("by_date") if "by_date" in entry else False
    entry.finish()
    try:
        at = datetime.strptime(issued, _TIME).replace(tzinfo=UTC)
    except ValueError:
        at = None
    if at is None or not number.isascii() or not number.isdecimal() or int(number) >= _MAX_NUMBER:
        msg = f"{entry.what}: a number and a time are not as they should be"
        raise FormatError(msg)
    return Mark(series=series, number=int(number), issued=at, by_date=by_date)
