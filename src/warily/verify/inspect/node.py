"""A piece of a file as a tree: name, place, value, parts. Any declared layout becomes one without further code."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from itertools import islice
from typing import Any, Final

from warily.errors import FormatError
from warily.formats._layout import BIG, Layout, Place

SHOWN_BYTES: Final = 64
SHOWN_TEXT: Final = 200
SHOWN_PARTS: Final = 256
MAX_NODES: Final = 10_000

Decoder = Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One piece. `offset` and `size` are in bytes of the file; None where the file is text or packed in other ways.

    `note` says what is odd about it, or what it stands for.
    """

    name: str
    offset: int | None = None
    size: int | None = None
    value: str = ""
    note: str = ""
    parts: tuple["Node", ...] = ()

    def as_json(self) -> dict[str, object]:
        """The piece as a JSON value; members that say nothing are left out."""
        found: dict[str, object] = {"name": self.name}
        for name in ("offset", "size", "value", "note"):
            value = getattr(self, name)
            if value not in (None, ""):
                found[name] = value
        if self.parts:
            found["parts"] = [part.as_json() for part in self.parts]
        return found

    def count(self) -> int:
        """How many pieces this one is, itself included."""
        return 1 + sum(part.count() for part in self.parts)


def shown(value: object) -> str:
    """A value as text: numbers in both bases, enumerations by name, bytes in hexadecimal; never long."""
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case IntEnum():
            return f"{value.name} ({value.value})"
        case Enum():
            return str(value.value)
        case int():
            return str(value) if -10 < value < 10 else f"{value} ({value:#x})"  # noqa: PLR2004  # alike in both bases
        case bytes():
            return _octets(value)
        case str():
            return clean(value)
        case _:
            return clean(str(value))


def _octets(value: bytes) -> str:
    if not any(value):
        return f"{len(value)} zero bytes" if value else "empty"
    if len(value) <= SHOWN_BYTES:
        return value.hex()
    return f"{value[:SHOWN_BYTES].hex()}… ({len(value)} bytes)"


def clean(text: str) -> str:
    """Text that a terminal only prints: on one line, and not long."""
    kept = "".join(letter if letter.isprintable() else "?" for letter in text[: SHOWN_TEXT + 1])
    return kept if len(kept) <= SHOWN_TEXT else kept[:SHOWN_TEXT] + "…"


def few(parts: Iterable[Node], *, limit: int = SHOWN_PARTS) -> tuple[Node, ...]:
    """The first parts, and a last one that says that there are more. No more are made than are shown."""
    source = iter(parts)
    found = tuple(islice(source, limit))
    return found if next(source, None) is None else (*found, Node(name="…", value="more, not shown"))


def layout_node(
    kind: type[Layout], data: bytes, *, at: int, name: str = "", decoders: Mapping[str, Decoder] | None = None
) -> Node:
    """`data` read as a declared layout, `at` its offset in the file. What does not fit the specification is noted.

    Unlike `unpack`, this shows malformed structures too: it is how one finds out what is wrong with them.
    """
    parts = few(_fields(kind, data, at, decoders or {}))
    note = kind.SOURCE
    try:
        kind.unpack(data)
    except FormatError as error:
        note = f"malformed: {error}"
    return Node(name=name or kind.__name__, offset=at, size=len(data), note=note, parts=parts)


def _fields(kind: type[Layout], data: bytes, at: int, decoders: Mapping[str, Decoder]) -> Iterator[Node]:
    named = [(place, name, field) for name, (place, field) in kind.PLACES.items()]
    gaps = [(Place(start, end - start, raw=True), "reserved", bytes) for start, end in kind.GAPS]
    for place, name, field in sorted([*named, *gaps], key=lambda entry: entry[0].offset):
        part = data[place.offset : place.end]
        if len(part) != place.width:
            yield Node(name=name, offset=at + place.offset, note="the bytes end here")
            return
        yield _field(name, field, part, place, at, decoders)


def _field(name: str, kind: type, part: bytes, place: Place, at: int, decoders: Mapping[str, Decoder]) -> Node:
    offset = at + place.offset
    if place.raw and issubclass(kind, Layout):
        return layout_node(kind, part, at=offset, name=name, decoders=decoders)
    value = part if place.raw else _number(kind, part, place)
    note = "not zero" if name == "reserved" and any(part) else ""
    if name in decoders:
        note = clean(decoders[name](value))
    return Node(name=name, offset=offset, size=place.width, value=shown(value), note=note)


def _number(kind: type, part: bytes, place: Place) -> object:
    number = int.from_bytes(part, "big" if place.order == BIG else "little")
    try:
        return kind(number)
    except ValueError:
        return number
