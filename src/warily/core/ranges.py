"""Address ranges: half-open, never empty, and what a sorted set of them covers."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError

MAX_ADDRESS: Final = 1 << 64


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """The addresses `start` up to and not including `end`. Raises `FormatError` where there is none."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= MAX_ADDRESS:
            msg = f"{self.start:#x}-{self.end:#x} is no range of addresses"
            raise FormatError(msg)

    def __str__(self) -> str:
        return f"{self.start:#x}-{self.end:#x}"

    @property
    def size(self) -> int:
        """How many bytes lie in it."""
        return self.end - self.start

    def overlaps(self, other: "Range") -> bool:
        """Whether at least one address lies in both."""
        return self.start < other.end and other.start < self.end

    def covers(self, other: "Range") -> bool:
        """Whether every address of `other` lies in this one."""
        return self.start <= other.start and other.end <= self.end

    @classmethod
    def parse(cls, text: str) -> Self:
        """The range that `START-END` writes, both hexadecimal with 0x or decimal. Raises `FormatError`."""
        start, dash, end = text.partition("-")
        try:
            if dash:
                return cls(int(start, 0), int(end, 0))
        except ValueError:
            pass
        msg = f"{text!r} is no range of addresses: START-END is wanted, such as 0x100000-0x80000000"
        raise FormatError(msg)


@dataclass(frozen=True, slots=True)
class RangeSet:
    """What several ranges cover together: sorted, joined where they touch. Asking costs a binary search."""

    ranges: tuple[Range, ...]

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> Self:
        """The union of `ranges`."""
        joined: list[Range] = []
        for each in sorted(ranges):
            if joined and each.start <= joined[-1].end:
                joined[-1] = Range(joined[-1].start, max(joined[-1].end, each.end))
            else:
                joined.append(each)
        return cls(tuple(joined))

    def first_overlap(self, wanted: Range) -> Range | None:
        """The part of the first member that lies in `wanted`; None where nothing does."""
        at = bisect_right(self.ranges, wanted.start, key=lambda each: each.start)
        for each in self.ranges[max(at - 1, 0) : at + 1]:
            if each.overlaps(wanted):
                return Range(max(each.start, wanted.start), min(each.end, wanted.end))
        return None

    def covers(self, wanted: Range) -> bool:
        """Whether every address of `wanted` lies in one of the members."""
        at = bisect_right(self.ranges, wanted.start, key=lambda each: each.start)
        return at > 0 and self.ranges[at - 1].covers(wanted)
