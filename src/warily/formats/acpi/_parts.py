"""What the tables have in common: parts at offsets, and fields that are addresses.

A field that is an address says so by its type, so that whoever looks for addresses cannot miss one:

    base: Annotated[DeviceWindow, u64(8)]

and the size of what lies there stands beside it in `SIZES`: a number of bytes, or the field that holds it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, ClassVar, Final, TypeVar

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u8, u64
from warily.formats.acpi_table import HEADER_SIZE, AcpiTable

MAX_PARTS: Final = 1 << 16
PAGE: Final = 4096


class TruncatedError(FormatError):
    """A structure runs past the end of its table."""


class TablePointer(int):
    """Where another table lies. Tables lie in memory, so that says nothing by itself. Zero is none."""


class MemoryPointer(int):
    """Where something lies that the kernel reads or writes for the table's sake: a log, a mailbox. Zero is none."""


class SharedMemory(int):
    """A memory pointer for which zero is an address like any other."""


class DeviceWindow(int):
    """Where the registers of a device begin. Zero is none."""


class ConfigurationWindow(int):
    """A device window for which zero is an address like any other."""


class OrdinaryMemory(int):
    """Where memory that the machine is said to have begins."""


class Use(Enum):
    """What the kernel takes an address for."""

    REGISTER = "register"
    MEMORY = "memory"
    WINDOW = "window"
    ORDINARY = "ordinary memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Addresses that one field names: `size` bytes from `start`, at `offset` in its structure."""

    field: str
    offset: int
    use: Use
    start: int
    size: int


SYSTEM_MEMORY: Final = 0
SYSTEM_IO: Final = 1
PCI_CONFIG: Final = 2
SPACES: Final = {
    0: "SystemMemory",
    1: "SystemIO",
    2: "PCI_Config",
    3: "EmbeddedControl",
    4: "SMBus",
    5: "CMOS",
    6: "PciBarTarget",
    7: "IPMI",
    8: "GeneralPurposeIo",
    9: "GenericSerialBus",
    10: "PCC",
    11: "PlatformRtMechanism",
    0x7F: "FunctionalFixedHardware",
}


@layout(12, source="ACPI 6.5, 5.2.3.2 Generic Address Structure")
class GenericAddress(Layout):
    """A register: in which space, at which address, how wide. All zero is none."""

    space: Annotated[int, u8(0)]
    bit_width: Annotated[int, u8(1)]
    bit_offset: Annotated[int, u8(2)]
    access_size: Annotated[int, u8(3)]
    address: Annotated[int, u64(4)]

    @property
    def size(self) -> int:
        """How many bytes an access may touch: what the bits need or one access takes, at least one."""
        access = 1 << (self.access_size - 1) if 1 <= self.access_size <= 4 else 1
        return max(access, -(-(self.bit_offset + self.bit_width) // 8), 1)

    def __str__(self) -> str:
        space = SPACES.get(self.space, f"space {self.space:#x}")
        return f"{space} {self.address:#x}, {self.bit_width} bits at bit {self.bit_offset}"


_USES: Final[Mapping[type, tuple[Use, bool]]] = {
    MemoryPointer: (Use.MEMORY, True),
    SharedMemory: (Use.MEMORY, False),
    DeviceWindow: (Use.WINDOW, True),
    ConfigurationWindow: (Use.WINDOW, False),
    OrdinaryMemory: (Use.ORDINARY, False),
}


class Structure(Layout):
    """A layout that may hold addresses. `MINIMUM` is the shortest form that a revision of it has."""

    __slots__ = ()

    MINIMUM: ClassVar[int] = 0
    SIZES: ClassVar[Mapping[str, int | str]] = {}

    def areas(self) -> Iterator[Area]:
        """Every address field that is in use, with the size that `SIZES` gives it, one byte at least."""
        return declared_areas(self)

    def ports(self) -> Iterator[Area]:
        """Every I/O port that is in use, likewise."""
        return declared_ports(self)


def declared_areas(structure: Structure) -> Iterator[Area]:
    """The areas that follow from the types of the fields alone."""
    for name, (place, kind) in structure.PLACES.items():
        value = getattr(structure, name)
        if isinstance(value, GenericAddress):
            if value.space == SYSTEM_MEMORY and value.address:
                size = max(value.size, _size(structure, name, 1))
                yield Area(field=name, offset=place.offset, use=Use.REGISTER, start=value.address, size=size)
        elif kind in _USES:
            use, zero_is_none = _USES[kind]
            size = _size(structure, name, 1)
            if value or (size and not zero_is_none):
                yield Area(field=name, offset=place.offset, use=use, start=int(value), size=max(size, 1))


def declared_ports(structure: Structure) -> Iterator[Area]:
    """The ports of the fields that are registers."""
    for name, offset, register in registers(structure):
        if register.space == SYSTEM_IO and register.address:
            size = max(register.size, _size(structure, name, 1))
            yield Area(field=name, offset=offset, use=Use.REGISTER, start=register.address, size=size)


def registers(structure: Layout) -> Iterator[tuple[str, int, GenericAddress]]:
    """Every register of the structure with its name and offset, whatever its space."""
    for name, (place, _) in structure.PLACES.items():
        value = getattr(structure, name)
        if isinstance(value, GenericAddress):
            yield name, place.offset, value


def _size(structure: Structure, name: str, otherwise: int) -> int:
    said = structure.SIZES.get(name, otherwise)
    return getattr(structure, said) if isinstance(said, str) else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One structure of a table: where it lies, what it is, its declared fields, and the bytes after them."""

    offset: int
    name: str
    value: Layout
    rest: bytes = b""


Reader = Callable[[AcpiTable], Iterator[Part]]
_S = TypeVar("_S", bound=Structure)


def part(table: AcpiTable, kind: type[_S], offset: int, end: int, name: str) -> Part:
    """The structure of the bytes `offset` to `end` of the table. Older, shorter forms are filled with zeros."""
    data = table.raw[offset:end]
    least = kind.MINIMUM or kind.SIZE
    if end > table.length or len(data) < least:
        msg = f"{table.signature}: {name} at {offset:#x}: {len(data)} bytes where {least} are the least"
        raise TruncatedError(msg) if end >= table.length else FormatError(msg)
    head = data[: kind.SIZE]
    return Part(offset=offset, name=name, value=kind.unpack(head.ljust(kind.SIZE, b"\0")), rest=data[kind.SIZE :])


def fixed(table: AcpiTable, kind: type[_S], name: str) -> Part:
    """The table whole, header included, as one structure."""
    return part(table, kind, 0, table.length, name)


def chain(
    table: AcpiTable,
    start: int,
    kinds: Mapping[int, tuple[str, type[Structure]]],
    *,
    head: tuple[int, int, int],
    end: int | None = None,
) -> Iterator[Part]:
    """Structures that each begin with their type and their length, to `end` or the end of the table.

    `head` is the width of the type, the offset and the width of the length. Types that are not in `kinds` are
    given as `Opaque`. Raises `FormatError` for a length that is zero, too small or past the end.
    """
    type_width, length_at, length_width = head
    at, stop = start, table.length if end is None else end
    while at < stop:
        kind = int.from_bytes(table.raw[at : at + type_width], "little")
        length = int.from_bytes(table.raw[at + length_at : at + length_at + length_width], "little")
        if length < length_at + length_width or at + length > stop:
            msg = f"{table.signature}: structure of type {kind:#x} at {at:#x}: length {length} does not fit"
            raise TruncatedError(msg) if at + length > table.length else FormatError(msg)
        name, form = kinds.get(kind, (f"type {kind:#x}", Opaque))
        yield part(table, form, at, at + length, name)
        at += length


def entries(table: AcpiTable, kind: type[Structure], start: int, name: str, count: int | None = None) -> Iterator[Part]:
    """`count` structures of one size one after the other; without a count, to the end of the table.

    Raises `FormatError` where the count asks for more than there is, or bytes are left over.
    """
    room = table.length - start
    wanted = room // kind.SIZE if count is None else count
    if room < 0 or wanted * kind.SIZE > room or (count is None and room % kind.SIZE):
        msg = f"{table.signature}: {room} bytes at {start:#x} are not {wanted} times {name} of {kind.SIZE}"
        raise TruncatedError(msg)
    for index in range(wanted):
        at = start + index * kind.SIZE
        yield part(table, kind, at, at + kind.SIZE, f"{name} {index}")


@layout(1, source="any structure that this version knows by its length alone")
class Opaque(Structure):
    """A structure of unknown type; its first byte is shown, the rest is kept."""

    first: Annotated[int, u8(0)]


@layout(HEADER_SIZE, source="ACPI 6.5, 5.2.6 System Description Table Header")
class HeaderOnly(Structure):
    """A table of which the header alone is known."""

    header: Annotated[bytes, octets(0, HEADER_SIZE)]
