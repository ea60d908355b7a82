"""Declare a fixed binary structure once: offsets, widths, types and the document they come from.

    @layout(8, source="Example Specification 1.0, table 3")
    class Pair(Layout):
        first: Annotated[int, u32(0)]
        second: Annotated[int, u32(4)]

A declared class is a frozen keyword-only record with `unpack`, `pack` and `SIZE`. Fields may not
overlap or overrun (checked at import); bytes that no field names must be zero. Hence the one property
that holds for every layout: arbitrary bytes raise `FormatError`, or `unpack(b).pack() == b`.
"""

from collections.abc import Callable
from struct import Struct
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Self,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
)

from warily.errors import FormatError
from warily.formats._record import record

LITTLE: Final = "little"
BIG: Final = "big"


class Place:
    """Where a field lives: offset and width in bytes, and how its bytes become a value. Never changed once made."""

    __slots__ = ("offset", "order", "raw", "width")

    def __init__(self, offset: int, width: int, order: str = LITTLE, *, raw: bool = False) -> None:
        self.offset = offset
        self.width = width
        self.order = order
        self.raw = raw

    @property
    def end(self) -> int:
        """The first offset after the field."""
        return self.offset + self.width


def u8(offset: int) -> Place:
    """One unsigned byte."""
    return Place(offset, 1)


def u16(offset: int) -> Place:
    """A little-endian 16-bit unsigned integer."""
    return Place(offset, 2)


def u32(offset: int) -> Place:
    """A little-endian 32-bit unsigned integer."""
    return Place(offset, 4)


def u64(offset: int) -> Place:
    """A little-endian 64-bit unsigned integer."""
    return Place(offset, 8)


def u16be(offset: int) -> Place:
    """A big-endian 16-bit unsigned integer."""
    return Place(offset, 2, BIG)


def u32be(offset: int) -> Place:
    """A big-endian 32-bit unsigned integer."""
    return Place(offset, 4, BIG)


def u64be(offset: int) -> Place:
    """A big-endian 64-bit unsigned integer."""
    return Place(offset, 8, BIG)


def octets(offset: int, width: int) -> Place:
    """Exactly `width` bytes, kept as they are."""
    return Place(offset, width, raw=True)


class Layout:
    """The base of every declared structure. Use with `@layout`, never alone."""

    __slots__ = ()

    SIZE: ClassVar[int]
    SOURCE: ClassVar[str]
    PLACES: ClassVar[dict[str, tuple[Place, type]]]
    GAPS: ClassVar[tuple[tuple[int, int], ...]]
    _STRUCT: ClassVar[Struct]
    _BETWEEN: ClassVar[Struct]
    _ZEROS: ClassVar[tuple[bytes, ...]]
    _PUT: ClassVar[dict[str, Callable[[Any, Any], None]]]
    _PUT_IN_ORDER: ClassVar[tuple[Callable[[Any, Any], None], ...]]
    _READERS: ClassVar[tuple[tuple[int, Callable[[Any], object]], ...]]
    _CHECK: ClassVar[Callable[[Any], None] | None]

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Self:
        """The value that `data` encodes. `data` must be exactly `SIZE` bytes long."""
        blob = bytes(data)
        if len(blob) != cls.SIZE:
            msg = f"{cls.__name__}: {len(blob)} bytes where {cls.SIZE} are specified"
            raise FormatError(msg)
        between = cls._BETWEEN.unpack(blob)
        if between != cls._ZEROS:
            start, end = next(gap for gap, part in zip(cls.GAPS, between, strict=True) if any(part))
            msg = f"{cls.__name__}: reserved bytes {start:#x}..{end - 1:#x} are not zero"
            raise FormatError(msg)
        parts: Any = cls._STRUCT.unpack(blob)
        if cls._READERS:
            parts = list(parts)
            for at, read in cls._READERS:
                parts[at] = read(parts[at])
        made = object.__new__(cls)
        for put, part in zip(cls._PUT_IN_ORDER, parts, strict=True):
            put(made, part)
        if cls._CHECK is not None:
            cls._CHECK(made)
        return made

    def pack(self) -> bytes:
        """The `SIZE` bytes that encode this value."""
        out = bytearray(self.SIZE)
        for name, (place, _) in self.PLACES.items():
            value: Any = getattr(self, name)
            if isinstance(value, Layout):
                part = value.pack()
            elif place.raw:
                part = value
            else:
                part = int(value).to_bytes(place.width, "little" if place.order == LITTLE else "big")
            if len(part) != place.width:
                msg = f"{type(self).__name__}: {name}: {len(part)} bytes where {place.width} are specified"
                raise FormatError(msg)
            out[place.offset : place.end] = part
        return bytes(out)


_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _struct(cls: type[Layout], order: list[str]) -> Struct:
    """All fields in the order of their offsets: little-endian integers as such, everything else as bytes."""
    codes, at = ["<"], 0
    for place, _ in map(cls.PLACES.__getitem__, order):
        code = f"{place.width}s" if place.raw or place.order != LITTLE else _CODES[place.width]
        codes.append(f"{place.offset - at}x{code}")
        at = place.end
    return Struct("".join(codes) + f"{cls.SIZE - at}x")


def _between(cls: type[Layout]) -> Struct:
    """All gaps in order, as bytes."""
    codes, at = ["<"], 0
    for start, end in cls.GAPS:
        codes.append(f"{start - at}x{end - start}s")
        at = end
    return Struct("".join(codes) + f"{cls.SIZE - at}x")


def _reader(cls: type[Layout], name: str) -> Callable[[Any], object] | None:
    """How a part that the struct unpacked becomes the field's value; None where it is that already."""
    place, kind = cls.PLACES[name]
    if place.raw:
        return kind.unpack if issubclass(kind, Layout) else None
    big = place.order != LITTLE
    if kind is int:
        return (lambda part: int.from_bytes(part, "big")) if big else None

    def member(part: Any) -> object:  # noqa: ANN401  # an integer, or bytes of one
        number = int.from_bytes(part, "big") if big else part
        try:
            return kind(number)
        except ValueError:
            msg = f"{cls.__name__}: {name}: invalid value {number:#x} at offset {place.offset:#x}"
            raise FormatError(msg) from None

    return member


_L = TypeVar("_L", bound=Layout)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def layout(size: int, *, source: str) -> Callable[[type[_L]], type[_L]]:
    """Make the class a frozen record of `size` bytes, laid out as `source` specifies."""

    def declare(cls: type[_L]) -> type[_L]:
        made: Any = record(cls)
        made.SIZE = size
        made.SOURCE = source
        made.PLACES = _places(made)
        order = sorted(made.PLACES, key=lambda name: made.PLACES[name][0].offset)
        made.GAPS = _gaps(made, order)
        made._STRUCT = _struct(made, order)  # noqa: SLF001  # the class that this declares
        made._BETWEEN = _between(made)  # noqa: SLF001  # likewise
        made._ZEROS = tuple(bytes(end - start) for start, end in made.GAPS)  # noqa: SLF001  # likewise
        made._PUT_IN_ORDER = tuple(made._PUT[name] for name in order)  # noqa: SLF001  # likewise
        readers = ((at, _reader(made, name)) for at, name in enumerate(order))
        made._READERS = tuple((at, read) for at, read in readers if read is not None)  # noqa: SLF001  # likewise
        found: type[_L] = made
        return found

    return declare


def _places(cls: type[Layout]) -> dict[str, tuple[Place, type]]:
    """Each field's place and type, in declaration order."""
    found: dict[str, tuple[Place, type]] = {}
    for name in cls._PUT:
        hint: Any = cls.__annotations__[name]
        if get_origin(hint) is not Annotated:
            msg = f"{cls.__name__}.{name} has no place"
            raise TypeError(msg)
        kind, place = get_args(hint)
        found[name] = (place, kind)
    return found


def _gaps(cls: type[Layout], order: list[str]) -> tuple[tuple[int, int], ...]:
    """The byte ranges that no field covers. Overlap and overrun are programming errors."""
    at = 0
    gaps = []
    for place, _ in map(cls.PLACES.__getitem__, order):
        if place.offset < at or place.end > cls.SIZE:
            msg = f"{cls.__name__}: a field at {place.offset:#x} overlaps or overruns"
            raise TypeError(msg)
        if place.offset > at:
            gaps.append((at, place.offset))
        at = place.end
    if at < cls.SIZE:
        gaps.append((at, cls.SIZE))
    return tuple(gaps)
