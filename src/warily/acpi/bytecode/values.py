"""What a value may be: a known number, a few numbers or a range, and the objects it may refer to.

Every operation gives a value that covers whatever the interpreter in a kernel could compute. A plain `int` is a number
that is known exactly. Source of the operations: ACPI 6.5, 19.6 ASL Operator Reference.
"""

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from warily.acpi.bytecode.things import Thing

WORD: Final = 64
"""Bits of the widest integer."""
MAX: Final = (1 << WORD) - 1
MAX_POINTS: Final = 8
MAX_THINGS: Final = 64


class Values(NamedTuple):
    """Numbers `lo` to `hi` (none where `lo` is greater), `points` if only these; objects; `open`: any other object.

    `lost` says that the objects became too many to follow: then any object of the tables may be meant.
    """

    lo: int
    hi: int
    points: frozenset[int] | None = None
    things: "frozenset[Thing]" = frozenset()
    open: bool = False
    lost: bool = False


Value: TypeAlias = int | Values

NOTHING: Final = Values(1, 0, frozenset())
"""What code yields that was not reached."""
ANY: Final = Values(0, MAX, None, frozenset(), open=True)


LOST: Final = Values(0, MAX, None, frozenset(), open=True, lost=True)


def unknown(bits: int) -> Values:
    """Any number of so many bits, at most 64."""
    return Values(0, (1 << min(bits, WORD)) - 1)


def between(lo: int, hi: int) -> Value:
    """The numbers from `lo` to `hi`; nothing where there is none."""
    if lo == hi:
        return lo
    return Values(lo, hi) if lo < hi else NOTHING


def one_of(numbers: Iterable[int]) -> Value:
    """Exactly these numbers, or the range over them where they are many."""
    points = frozenset(numbers)
    if not points:
        return NOTHING
    lo, hi = min(points), max(points)
    if lo == hi:
        return lo
    return Values(lo, hi, points if len(points) <= MAX_POINTS else None)


def thing(each: "Thing") -> Values:
    """A reference to one object, and no number."""
    return Values(1, 0, frozenset(), frozenset((each,)))


def bounds(value: Value) -> tuple[int, int]:
    """Smallest and greatest number; the first is greater where there is no number."""
    return (value, value) if isinstance(value, int) else (value.lo, value.hi)


def points_of(value: Value) -> frozenset[int] | None:
    """The numbers one by one, where they are few."""
    return frozenset((value,)) if isinstance(value, int) else value.points


def things_of(value: Value) -> "Collection[Thing]":
    """The objects that it may refer to, as far as they are known, always in the same order."""
    if isinstance(value, int) or not value.things:
        return ()
    if len(value.things) == 1:
        return value.things
    from warily.acpi.bytecode.things import order  # noqa: PLC0415 - things hold values

    return sorted(value.things, key=order)


def join(a: Value, b: Value) -> Value:
    """Whatever `a` or `b` may be."""
    if a is b or a == b or b is NOTHING:
        return a
    if a is NOTHING:
        return b
    if isinstance(a, int) and isinstance(b, int):
        return Values(min(a, b), max(a, b), frozenset((a, b)))
    first, second = _wide(a), _wide(b)
    if first.lost or second.lost:
        return LOST
    if first.lo > first.hi:
        lo, hi, points = second.lo, second.hi, second.points
    elif second.lo > second.hi:
        lo, hi, points = first.lo, first.hi, first.points
    else:
        lo, hi = min(first.lo, second.lo), max(first.hi, second.hi)
        points = None
        if first.points is not None and second.points is not None:
            points = first.points | second.points
            points = points if len(points) <= MAX_POINTS else None
    things = first.things | second.things if first.things or second.things else first.things
    if len(things) > MAX_THINGS:
        return LOST
    if lo == hi and not things and not (first.open or second.open):
        return lo
    return Values(lo, hi, points, things, first.open or second.open)


def widen(old: Value, new: Value) -> Value:
    """Like `join`, but a bound that moved goes to its limit, so that a growing value is settled soon."""
    both = join(old, new)
    if both == old or isinstance(both, int):
        return both
    lo, hi = bounds(old)
    if lo > hi:
        return both
    return both._replace(lo=0 if both.lo < lo else both.lo, hi=MAX if both.hi > hi else both.hi, points=None)


def number_only(value: Value) -> Value:
    """The value without the objects."""
    if isinstance(value, int) or not (value.things or value.open):
        return value
    if value.lo == value.hi:
        return value.lo
    return Values(value.lo, value.hi, value.points)


def _wide(value: Value) -> Values:
    return Values(value, value, frozenset((value,))) if isinstance(value, int) else value


_Exact: TypeAlias = Callable[[int, int], int]
_Range: TypeAlias = Callable[[int, int, int, int], tuple[int, int]]


def _bitwise(name: str, a: int, b: int, c: int, d: int, also: tuple[int, int]) -> tuple[int, int]:
    """Bounds from the leading bits, which are the same in all of `a` to `b` and in all of `c` to `d`, and `also`."""
    varying = max((a ^ b).bit_length(), (c ^ d).bit_length())
    lo = _EXACT[name](a >> varying, c >> varying) << varying
    return max(lo, also[0]), min(lo | ((1 << varying) - 1), also[1])


_EXACT: Final[dict[str, _Exact]] = {
    "Add": lambda a, b: a + b,
    "Subtract": lambda a, b: a - b,
    "Multiply": lambda a, b: a * b,
    "Divide": lambda a, b: a // b if b else 0,
    "Mod": lambda a, b: a % b if b else 0,
    "And": lambda a, b: a & b,
    "Or": lambda a, b: a | b,
    "XOr": lambda a, b: a ^ b,
    "NAnd": lambda a, b: ~(a & b),
    "NOr": lambda a, b: ~(a | b),
    "ShiftLeft": lambda a, b: a << b if b < WORD else 0,
    "ShiftRight": lambda a, b: a >> b if b < WORD else 0,
}
# Bounds of the result from the bounds of both operands; a result outside the integer's width means any number.
_RANGE: Final[dict[str, _Range]] = {
    "Add": lambda a, b, c, d: (a + c, b + d),
    "Subtract": lambda a, b, c, d: (a - d, b - c),
    "Multiply": lambda a, b, c, d: (a * c, b * d),
    "Divide": lambda a, b, c, d: (a // d if d else 0, b // c if c else b),
    "Mod": lambda _a, b, _c, d: (0, min(b, d - 1) if d else 0),
    "And": lambda a, b, c, d: _bitwise("And", a, b, c, d, (0, min(b, d))),
    "Or": lambda a, b, c, d: _bitwise("Or", a, b, c, d, (max(a, c), b + d)),
    "XOr": lambda a, b, c, d: _bitwise("XOr", a, b, c, d, (0, b + d)),
    "ShiftLeft": lambda a, b, c, d: (a << c, b << d) if d < WORD else (-1, -1),
    "ShiftRight": lambda a, b, c, d: (a >> d if d < WORD else 0, b >> c if c < WORD else 0),
}


def arithmetic(name: str, a: Value, b: Value, mask: int) -> Value:
    """The result of a two-operand operation on numbers, cut to the integer's width."""
    exact = _EXACT[name]
    if isinstance(a, int) and isinstance(b, int):
        return exact(a, b) & mask
    first, second = points_of(a), points_of(b)
    if first is not None and second is not None and len(first) * len(second) <= MAX_POINTS * 2:
        return one_of(exact(x, y) & mask for x in first for y in second)
    (lo, hi), (other_lo, other_hi) = bounds(a), bounds(b)
    if lo > hi or other_lo > other_hi:
        return NOTHING
    if name not in _RANGE:
        return between(0, mask)
    lo, hi = _RANGE[name](lo, hi, other_lo, other_hi)
    return between(lo, hi) if lo >= 0 and hi <= mask else between(0, mask)


def compare(name: str, a: Value, b: Value) -> bool | None:
    """Whether LEqual, LLess or LGreater holds; None where it may and may not."""
    if name == "LGreater":
        return compare("LLess", b, a)
    (lo, hi), (other_lo, other_hi) = bounds(a), bounds(b)
    if lo > hi or other_lo > other_hi:
        return None
    if name == "LLess":
        return True if hi < other_lo else False if lo >= other_hi else None
    if lo == hi == other_lo == other_hi:
        return True
    first, second = points_of(a), points_of(b)
    apart = first is not None and second is not None and not first & second
    return False if apart or hi < other_lo or other_hi < lo else None


def truth(value: Value) -> bool | None:
    """Whether it is anything but zero; None where it may be either."""
    if isinstance(value, int):
        return value != 0
    if value.things or value.open or value.lo > value.hi:
        return None
    if value.lo > 0 or (value.points is not None and 0 not in value.points):
        return True
    return None


def narrow(value: Value, name: str, other: Value, *, holds: bool) -> Value:
    """What `value` still may be where `value name other` holds, or does not."""
    low, high = bounds(other)
    if low > high or isinstance(value, int) or (value.things and not value.open):
        return value
    if value.open:
        return _narrow_open(value, name, other, holds=holds)
    if name == "LEqual":
        return _equal(value, other, holds=holds)
    # Less than the greatest of the others, or greater than the smallest; the negation includes the bound.
    lo, hi = value.lo, value.hi
    if (name == "LLess") == holds:
        hi = min(hi, high - 1 if holds else high)
    else:
        lo = max(lo, low + 1 if holds else low)
    if value.points is not None:
        return one_of(each for each in value.points if lo <= each <= hi)
    return between(lo, hi)


def _narrow_open(value: Values, name: str, other: Value, *, holds: bool) -> Value:
    """An argument of which nothing is known: that it was compared with a number says that it is one."""
    number = narrow(Values(value.lo, value.hi, value.points), name, other, holds=holds)
    lo, hi = bounds(number)
    return value._replace(lo=lo, hi=hi, points=points_of(number), open=False) if value.things else number


def _equal(value: Values, other: Value, *, holds: bool) -> Value:
    if holds:
        few = points_of(other)
        if few is not None:
            return one_of(each for each in few if value.lo <= each <= value.hi)
        lo, hi = bounds(other)
        return between(max(lo, value.lo), min(hi, value.hi))
    if isinstance(other, int):
        if value.points is not None:
            return one_of(each for each in value.points if each != other)
        return between(value.lo + (other == value.lo), value.hi - (other == value.hi))
    return value
