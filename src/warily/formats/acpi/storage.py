"""NFIT and CEDT: persistent memory and CXL. Source: ACPI 6.5, 5.2.26; CXL 3.1, 9.18.1."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import DeviceWindow, Opaque, Part, Structure, chain, entries, part
from warily.formats.acpi_table import AcpiTable

_NFIT: Final = "ACPI 6.5, 5.2.26."


@layout(40, source="ACPI 6.5, 5.2.26 NVDIMM Firmware Interface Table")
class Nfit(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    reserved: Annotated[int, u32(36)]


@layout(56, source=_NFIT + "2 System Physical Address Range")
class AddressRange(Structure):
    """Where persistent memory, or a control region of it, appears."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    index: Annotated[int, u16(4)]
    flags: Annotated[int, u16(6)]
    reserved: Annotated[int, u32(8)]
    domain: Annotated[int, u32(12)]
    guid: Annotated[bytes, octets(16, 16)]
    base: Annotated[DeviceWindow, u64(32)]
    size: Annotated[int, u64(40)]
    attributes: Annotated[int, u64(48)]


@layout(16, source=_NFIT + "8 Flush Hint Address")
class FlushHints(Structure):
    """Registers that the kernel writes to flush; their addresses follow."""

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    handle: Annotated[int, u32(4)]
    count: Annotated[int, u16(8)]
    reserved: Annotated[bytes, octets(10, 6)]


@layout(8, source=_NFIT + "8 Flush Hint Address, one of them")
class FlushHint(Structure):
    """One register."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"address": 8}

    address: Annotated[DeviceWindow, u64(0)]


STRUCTURES: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("address range", AddressRange),
    1: ("region mapping", Opaque),
    2: ("interleave", Opaque),
    3: ("SMBIOS", Opaque),
    4: ("control region", Opaque),
    5: ("block data window", Opaque),
    6: ("flush hints", FlushHints),
    7: ("capabilities", Opaque),
}


@layout(32, source="CXL 3.1, 9.18.1.2 CXL Host Bridge Structure")
class HostBridge(Structure):
    """Registers of a host bridge."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    type: Annotated[int, u8(0)]
    reserved: Annotated[int, u8(1)]
    length: Annotated[int, u16(2)]
    uid: Annotated[int, u32(4)]
    version: Annotated[int, u32(8)]
    reserved_1: Annotated[int, u32(12)]
    base: Annotated[DeviceWindow, u64(16)]
    size: Annotated[int, u64(24)]


@layout(36, source="CXL 3.1, 9.18.1.3 CXL Fixed Memory Window Structure")
class FixedWindow(Structure):
    """Addresses that lead to CXL memory."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    type: Annotated[int, u8(0)]
    reserved: Annotated[int, u8(1)]
    length: Annotated[int, u16(2)]
    reserved_1: Annotated[int, u32(4)]
    base: Annotated[DeviceWindow, u64(8)]
    size: Annotated[int, u64(16)]
    interleave: Annotated[bytes, octets(24, 12)]


@layout(17, source="CXL 3.1, 9.18.1.5 RCEC Downstream Port Association Structure")
class PortAssociation(Structure):
    """Where the downstream port of a root complex has its registers."""

    MINIMUM: ClassVar[int] = 16
    SIZES: ClassVar[Mapping[str, int | str]] = {"base": 0x1000}

    type: Annotated[int, u8(0)]
    reserved: Annotated[int, u8(1)]
    length: Annotated[int, u16(2)]
    segment: Annotated[int, u16(4)]
    address: Annotated[int, u16(6)]
    protocol: Annotated[int, u8(8)]
    base: Annotated[DeviceWindow, u64(9)]


CXL: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("host bridge", HostBridge),
    1: ("fixed memory window", FixedWindow),
    2: ("interleave arithmetic", Opaque),
    3: ("port association", PortAssociation),
    4: ("system description", Opaque),
}


def nfit(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a structure and a part a flush hint."""
    yield part(table, Nfit, 0, Nfit.SIZE, "NFIT")
    for each in chain(table, Nfit.SIZE, STRUCTURES, head=(2, 2, 2)):
        yield each
        if isinstance(each.value, FlushHints):
            count = min(each.value.count, len(each.rest) // FlushHint.SIZE)
            yield from entries(table, FlushHint, each.offset + FlushHints.SIZE, "flush hint", count)


def cedt(table: AcpiTable) -> Iterator[Part]:
    """One part a structure."""
    return chain(table, 36, CXL, head=(1, 2, 2))
