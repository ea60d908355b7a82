"""The record of how new collateral was: only newer marks move it, and it reads back as it was written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.core.seen import MAX_MARKS, NOTHING_SEEN, Mark, Seen
from warily.errors import FormatError

TIMES = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9998, 12, 30)).map(  # noqa: DTZ001  # UTC is said below
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
MARKS = st.builds(
    Mark,
    series=st.text(max_size=8),
    number=st.integers(0, (1 << 160) - 1),
    issued=TIMES,
    by_date=st.booleans(),
)
NOW = datetime(2026, 3, 15, tzinfo=UTC)


def mark(number: int, day: int = 1, *, by_date: bool = False, series: str = "a") -> Mark:
    return Mark(series=series, number=number, issued=datetime(2026, 3, day, tzinfo=UTC), by_date=by_date)


@given(st.lists(MARKS, max_size=5))
def test_it_reads_back(marks: list[Mark]) -> None:
    seen = NOTHING_SEEN.with_marks(marks)
    assert Seen.decode(seen.encode()) == seen
    assert Seen.decode(seen.encode()).encode() == seen.encode()
    assert seen.older(seen.marks.values()) == []


@given(st.lists(MARKS, max_size=5), MARKS)
def test_it_never_goes_back(marks: list[Mark], one: Mark) -> None:
    before = NOTHING_SEEN.with_marks(marks)
    after = before.with_marks([one])
    for series, was in before.marks.items():
        assert not after.marks[series].is_older_than(was)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Seen.decode(data)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"marks":{}}',
        '{"collateral_seen":2,"marks":{}}',
        '{"collateral_seen":1,"marks":{},"more":1}',
        '{"collateral_seen":1,"marks":{"a":{"number":"-1","issued":"2026-03-15T00:00:00Z"}}}',
        '{"collateral_seen":1,"marks":{"a":{"number":"1","issued":"yesterday"}}}',
        '{"collateral_seen":1,"marks":{"a":{"number":"1","issued":"2026-03-15T00:00:00Z","more":1}}}',
        '{"collateral_seen":1,"marks":{"a":{"number":"' + "9" * 60 + '","issued":"2026-03-15T00:00:00Z"}}}',
    ],
)
def test_malformed_records_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Seen.decode(text.encode())


def test_what_is_older() -> None:
    assert mark(17).is_older_than(mark(18))
    assert not mark(18, 2).is_older_than(mark(18, 1))
    assert not mark(18, 1).is_older_than(mark(18, 2)), "of one evaluation number each issue says the same"
    assert mark(1, 1, by_date=True).is_older_than(mark(1, 2, by_date=True))
    assert not mark(2, 1, by_date=True).is_older_than(mark(1, 2, by_date=True))
    seen = NOTHING_SEEN.with_marks([mark(18)])
    assert seen.older([mark(17), mark(18), mark(1, series="b")]) == [(mark(17), mark(18))]


def test_it_does_not_grow_without_end() -> None:
    with pytest.raises(FormatError, match="over 4096 series"):
        NOTHING_SEEN.with_marks(mark(1, series=str(at)) for at in range(MAX_MARKS + 1))
