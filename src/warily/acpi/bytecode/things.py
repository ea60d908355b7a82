"""What values refer to: named objects, buffers, packages, and the places within them.

One object stands for all that one place in the code makes. What is stored into it is added to what it may hold and
never replaces it, so that the order in which methods run does not matter.
"""

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from warily.acpi.bytecode.values import ANY, NOTHING, WORD, Value, join, unknown, widen

if TYPE_CHECKING:
    from warily.acpi.bytecode.context import Context
    from warily.formats.aml import FieldUnit, Node, Term

_SERIAL: Final = count()
_PATIENCE: Final = 4
"""So often may a cell change before its bounds are given up."""
_MAX_WRITES: Final = 16
_MAX_NESTED: Final = 32
MAX_CONTENT: Final = 4096
"""Bytes of a buffer, or characters of a string, that are followed one by one."""


class Watched:
    """Something whose readers have to run again when it changes."""

    __slots__ = ("readers", "serial")

    def __init__(self) -> None:
        self.readers: dict[Context, None] = {}
        self.serial = next(_SERIAL)


class Cell(Watched):
    """One value that is stored to from anywhere."""

    __slots__ = ("changes", "value")

    def __init__(self, value: Value = NOTHING) -> None:
        super().__init__()
        self.value = value
        self.changes = 0

    def add(self, value: Value) -> bool:
        """`value` is among what the cell may hold; whether that is new."""
        new = (widen if self.changes >= _PATIENCE else join)(self.value, value)
        if new == self.value:
            return False
        self.value = new
        self.changes += 1
        return True


class Region(NamedTuple):
    """An OperationRegion where it is declared. `address` and `length` are what they may be, in bytes."""

    space: int
    address: Value
    length: Value
    table: int
    term: "Term"
    node: "Node"
    signature: Value = NOTHING
    """Of a DataTableRegion: which table."""


class Unit(NamedTuple):
    """A named part of a field: which bits of which region, and how they are reached."""

    table: int
    term: "Term"
    part: "FieldUnit"
    bank: Value
    behind: "tuple[tuple[Slot, ...], ...]"
    """What the names in the field's head meant when it was made: region, or index and data, or region and bank."""


class BufferUnit(NamedTuple):
    """A field of a buffer made by CreateField: of `source`, `bits` from `start`."""

    source: Value
    start: Value
    bits: Value


class Slot(Cell):
    """What a name may stand for, all definitions and stores together."""

    __slots__ = ("buffer_units", "methods", "node", "regions", "units", "writers")

    def __init__(self, node: "Node") -> None:
        super().__init__()
        self.node: Final = node
        self.regions: dict[int, Region] = {}
        self.units: dict[int, Unit] = {}
        self.buffer_units: dict[int, BufferUnit] = {}
        self.methods: dict[int, Method] = {}
        self.writers: dict[Context, None] = {}

    @property
    def holds_data(self) -> bool:
        """Whether nothing but stored values is behind the name."""
        return not (self.units or self.buffer_units or self.regions or self.methods)


class Method(NamedTuple):
    """A method: its term, the table it stands in, and the scope of its names."""

    term: "Term"
    table: int
    node: "Node"
    label: str = ""
    loads: bool = False
    """Whether it is not a method but what a table executes when it loads."""


class Text(NamedTuple):
    """A string that is known."""

    text: str


class Buffer(Watched):
    """A buffer: the bytes it begins with, and what was written into which bits. `size` is what it may be."""

    __slots__ = ("data", "scrambled", "size", "writes")

    def __init__(self, data: bytes, size: Value) -> None:
        super().__init__()
        self.data: Final = data
        self.size = size
        self.writes: dict[tuple[int, int], Value] = {}
        self.scrambled = False

    def write(self, start: Value, bits: Value, value: Value) -> bool:
        """`value` may stand in those bits; whether that is new."""
        if self.scrambled:
            return False
        if not isinstance(start, int) or not isinstance(bits, int) or len(self.writes) >= _MAX_WRITES:
            self.scrambled = True
            return True
        old = self.writes.get((start, bits))
        new = value if old is None else widen(old, value)
        if new == old:
            return False
        self.writes[start, bits] = new
        return True

    def resize(self, size: Value) -> bool:
        """It may be made in that size as well; whether that is new."""
        new = widen(self.size, size)
        changed = new != self.size
        self.size = new
        return changed

    def content(self) -> bytes | None:
        """All its bytes, where they are known for certain and not too many."""
        if self.writes or self.scrambled or not isinstance(self.size, int) or self.size > MAX_CONTENT:
            return None
        return self.data.ljust(self.size, b"\0")

    def read(self, start: Value, bits: Value) -> Value:
        """What those bits may hold, as a number."""
        if not isinstance(bits, int) or bits > WORD or bits < 1:
            return ANY
        if self.scrambled or not isinstance(start, int):
            return unknown(bits)
        whole = int.from_bytes(self.data[start // 8 : (start + bits + 7) // 8], "little")
        value: Value = whole >> start % 8 & ((1 << bits) - 1)
        for (place, width), written in self.writes.items():
            if place == start and width == bits:
                value = join(value, written)
            elif place < start + bits and start < place + width:
                return unknown(bits)
        return value


class Package(Watched):
    """A package: how many elements it may have, what each may be, and what was stored at an unknown index."""

    __slots__ = ("anywhere", "elements", "size", "whole")

    def __init__(self, elements: list[Value], size: Value) -> None:
        super().__init__()
        self.elements: Final = elements
        self.size = size
        self.anywhere: Value = NOTHING
        self.whole: Value = NOTHING
        for each in elements:
            self.whole = join(self.whole, each)

    def resize(self, size: Value) -> bool:
        """It may be made with so many elements as well; whether that is new."""
        new = widen(self.size, size)
        changed = new != self.size
        self.size = new
        return changed

    def holds(self, other: "Package") -> bool:
        """Whether `other` may be in it, or in what is in it, or is it."""
        seen: set[Package] = set()
        waiting = [self]
        while waiting and len(seen) < _MAX_NESTED:
            each = waiting.pop()
            if each is other:
                return True
            if each not in seen and not isinstance(each.whole, int):
                seen.add(each)
                waiting.extend(inner for inner in each.whole.things if isinstance(inner, Package))
        return False

    def read(self, index: int | None) -> Value:
        """What the element may be, or any of them."""
        if index is None:
            return self.whole
        if index < len(self.elements):
            return join(self.elements[index], self.anywhere)
        return self.anywhere

    def write(self, index: int | None, value: Value) -> bool:
        """`value` may be that element; whether that is new."""
        if index is None or index >= len(self.elements):
            new = widen(self.anywhere, value)
            changed = new != self.anywhere
            self.anywhere = new
            self.whole = join(self.whole, new)
            return changed
        new = widen(self.elements[index], value)
        changed = new != self.elements[index]
        self.elements[index] = new
        self.whole = join(self.whole, new)
        return changed


class Named(NamedTuple):
    """A reference to a named object, whatever it is."""

    slot: Slot


class Element(NamedTuple):
    """A reference to an element of a package; `at` None is any of them."""

    package: Package
    at: int | None


class Byte(NamedTuple):
    """A reference to a byte of a buffer."""

    buffer: Buffer
    at: Value


class Place(NamedTuple):
    """A reference to a local or an argument of some method."""

    cell: Cell


def order(each: "Thing") -> tuple[int, str]:
    """A key that sorts objects by when they were made, so that every run finds the same."""
    if isinstance(each, Text):
        return -1, each.text
    if isinstance(each, Watched):
        return each.serial, ""
    return each[0].serial, str(each[1:])


Thing: TypeAlias = Text | Buffer | Package | Named | Element | Byte | Place
