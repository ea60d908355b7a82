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
_MAX_ELEMENTS: Final = 1 << 16


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
    scope: "Node"


class BufferUnit(NamedTuple):
    """A field of a buffer made by CreateField: of `source`, `bits` from `start`."""

    source: Value
    start: Value
    bits: Value


class Slot(Cell):
    """What a name may stand for, all definitions and stores together."""

    __slots__ = ("buffer_units", "methods", "node", "regions", "units")

    def __init__(self, node: "Node") -> None:
        super().__init__()
        self.node: Final = node
        self.regions: dict[int, Region] = {}
        self.units: dict[int, Unit] = {}
        self.buffer_units: dict[int, BufferUnit] = {}
        self.methods: dict[int, Method] = {}

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


class Text(NamedTuple):
    """A string that is known."""

    text: str


class Buffer(Watched):
    """A buffer: the bytes it begins with, and what was written into which bits. `size` is None where unknown."""

    __slots__ = ("data", "scrambled", "size", "writes")

    def __init__(self, data: bytes, size: int | None) -> None:
        super().__init__()
        self.data: Final = data
        self.size: Final = size
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

    def read(self, start: Value, bits: Value) -> Value:
        """What those bits may hold, as a number."""
        if not isinstance(bits, int) or bits > WORD or bits < 1:
            return ANY
        if self.scrambled or not isinstance(start, int) or self.size is None:
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
    """A package: what each element may be, and what was stored at an unknown index."""

    __slots__ = ("anywhere", "elements", "whole")

    def __init__(self, elements: list[Value]) -> None:
        super().__init__()
        self.elements: Final = elements
        self.anywhere: Value = NOTHING
        self.whole: Value = NOTHING
        for each in elements:
            self.whole = join(self.whole, each)

    def read(self, index: int | None) -> Value:
        """What the element may be, or any of them."""
        if index is None:
            return self.whole
        if index < len(self.elements):
            return join(self.elements[index], self.anywhere)
        return self.anywhere

    def write(self, index: int | None, value: Value) -> bool:
        """`value` may be that element; whether that is new."""
        if index is None or index >= _MAX_ELEMENTS:
            new = widen(self.anywhere, value)
            changed = new != self.anywhere
            self.anywhere = new
            self.whole = join(self.whole, new)
            return changed
        if index >= len(self.elements):
            return False
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
