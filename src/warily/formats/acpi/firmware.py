"""Tables by which firmware leaves things for the kernel: BGRT, FPDT, UEFI, WPBT, PRMT, BDAT, ECDT, SPMI and others."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.errors import FormatError
from warily.formats._guid import guid
from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import (
    DeviceWindow,
    GenericAddress,
    MemoryPointer,
    Opaque,
    Part,
    SharedMemory,
    Structure,
    chain,
    fixed,
    part,
)
from warily.formats.acpi_table import AcpiTable

_SMM_COMMUNICATION: Final = guid("c68ed8e2-9dc6-4cbd-9d94-db65acc5c332")
BITMAP_HEADER: Final = 14
MAX_HANDLERS: Final = 4096


@layout(56, source="ACPI 6.5, 5.2.23 Boot Graphics Resource Table")
class Bgrt(Structure):
    """A picture in memory, which user space may read: its bitmap header says how long it is."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"image": BITMAP_HEADER}

    header: Annotated[bytes, octets(0, 36)]
    version: Annotated[int, u16(36)]
    status: Annotated[int, u8(38)]
    image_type: Annotated[int, u8(39)]
    image: Annotated[MemoryPointer, u64(40)]
    offset_x: Annotated[int, u32(48)]
    offset_y: Annotated[int, u32(52)]


@layout(16, source="ACPI 6.5, 5.2.24.4 Firmware Basic Boot, .5 S3 Performance Table Pointer Record")
class PerformancePointer(Structure):
    """Where a table of times lies, which the kernel reads."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"table": 8}

    type: Annotated[int, u16(0)]
    length: Annotated[int, u8(2)]
    revision: Annotated[int, u8(3)]
    reserved: Annotated[int, u32(4)]
    table: Annotated[MemoryPointer, u64(8)]


@layout(54, source="UEFI 2.10, appendix O: UEFI ACPI Data Table")
class Uefi(Structure):
    """What it is about, a GUID says."""

    header: Annotated[bytes, octets(0, 36)]
    guid: Annotated[bytes, octets(36, 16)]
    data_offset: Annotated[int, u16(52)]


@layout(12, source="UEFI 2.10, appendix O: SMM Communication ACPI Table")
class SmmCommunication(Structure):
    """A buffer shared with system management mode."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"buffer": 24}

    interrupt: Annotated[int, u32(0)]
    buffer: Annotated[MemoryPointer, u64(4)]


@layout(52, source="Microsoft, Windows Platform Binary Table")
class Wpbt(Structure):
    """A program that Windows runs."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"binary": "size"}

    header: Annotated[bytes, octets(0, 36)]
    size: Annotated[int, u32(36)]
    binary: Annotated[SharedMemory, u64(40)]
    layout: Annotated[int, u8(48)]
    type: Annotated[int, u8(49)]
    arguments_length: Annotated[int, u16(50)]


@layout(60, source="Microsoft, Platform Runtime Mechanism 1.0, table 4-1")
class Prmt(Structure):
    """Where the modules of the platform runtime mechanism are described."""

    header: Annotated[bytes, octets(0, 36)]
    platform: Annotated[bytes, octets(36, 16)]
    module_offset: Annotated[int, u32(52)]
    module_count: Annotated[int, u32(56)]


@layout(38, source="Microsoft, Platform Runtime Mechanism 1.0, table 4-2")
class RuntimeModule(Structure):
    """One module; its handlers follow where it says."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"mmio_list": 8}

    revision: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    guid: Annotated[bytes, octets(4, 16)]
    major: Annotated[int, u16(20)]
    minor: Annotated[int, u16(22)]
    handler_count: Annotated[int, u16(24)]
    handler_offset: Annotated[int, u32(26)]
    mmio_list: Annotated[MemoryPointer, u64(30)]


@layout(44, source="Microsoft, Platform Runtime Mechanism 1.0, table 4-3")
class RuntimeHandler(Structure):
    """Machine code that the kernel calls, and its two buffers."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"code": 1, "static_data": 1, "parameters": 1}

    revision: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    guid: Annotated[bytes, octets(4, 16)]
    code: Annotated[MemoryPointer, u64(20)]
    static_data: Annotated[MemoryPointer, u64(28)]
    parameters: Annotated[MemoryPointer, u64(36)]


@layout(48, source="BIOS Data ACPI Table 4.0; a register is all it holds")
class Bdat(Structure):
    """Where the firmware left its data."""

    header: Annotated[bytes, octets(0, 36)]
    base: Annotated[GenericAddress, octets(36, 12)]


@layout(65, source="ACPI 6.5, 5.2.15 Embedded Controller Boot Resources Table")
class Ecdt(Structure):
    """An embedded controller; its name follows."""

    header: Annotated[bytes, octets(0, 36)]
    control: Annotated[GenericAddress, octets(36, 12)]
    data: Annotated[GenericAddress, octets(48, 12)]
    uid: Annotated[int, u32(60)]
    event_bit: Annotated[int, u8(64)]


@layout(60, source="IPMI 2.0, appendix C3: Service Processor Management Interface")
class Spmi(Structure):
    """How the kernel reaches a management controller."""

    header: Annotated[bytes, octets(0, 36)]
    interface: Annotated[bytes, octets(36, 12)]
    base: Annotated[GenericAddress, octets(48, 12)]


@layout(69, source="DMTF DSP0256: Management Controller Host Interface table")
class Mchi(Structure):
    """Likewise for MCTP."""

    MINIMUM: ClassVar[int] = 65

    header: Annotated[bytes, octets(0, 36)]
    interface: Annotated[bytes, octets(36, 17)]
    control: Annotated[GenericAddress, octets(53, 12)]
    pci: Annotated[bytes, octets(65, 4)]


@layout(56, source="Intel, ACPI Low Power Idle Table 1.0: native C-state")
class IdleState(Structure):
    """A register that enters a state, and one that counts the time in it."""

    type: Annotated[int, u32(0)]
    length: Annotated[int, u32(4)]
    id: Annotated[int, u16(8)]
    reserved: Annotated[int, u16(10)]
    flags: Annotated[int, u32(12)]
    trigger: Annotated[GenericAddress, octets(16, 12)]
    residency: Annotated[int, u32(28)]
    latency: Annotated[int, u32(32)]
    counter: Annotated[GenericAddress, octets(36, 12)]
    frequency: Annotated[int, u64(48)]


@layout(36, source="Core System Resource Table: group and shared information")
class ResourceGroup(Structure):
    """A DMA controller: the address is in two halves."""

    MINIMUM: ClassVar[int] = 24
    SIZES: ClassVar[Mapping[str, int | str]] = {"base": 8}

    length: Annotated[int, u32(0)]
    ids: Annotated[bytes, octets(4, 20)]
    version: Annotated[int, u32(24)]
    base: Annotated[DeviceWindow, u64(28)]


@layout(53, source="Xen, XENV table 1.0")
class Xenv(Structure):
    """Memory that a guest shares with Xen."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"grant_table": "size"}

    header: Annotated[bytes, octets(0, 36)]
    grant_table: Annotated[SharedMemory, u64(36)]
    size: Annotated[int, u64(44)]
    flags: Annotated[int, u8(52)]


def bgrt(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Bgrt, "BGRT")


def fpdt(table: AcpiTable) -> Iterator[Part]:
    """One part a record."""
    kinds: dict[int, tuple[str, type[Structure]]] = {
        0: ("boot performance", PerformancePointer),
        1: ("S3 performance", PerformancePointer),
    }
    return chain(table, 36, kinds, head=(2, 2, 1))


def uefi(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, and the shared buffer where the GUID is that of SMM communication."""
    whole = part(table, Uefi, 0, table.length, "UEFI")
    yield whole
    if table.raw[36:52] == _SMM_COMMUNICATION:
        at = int.from_bytes(table.raw[52:54], "little")
        yield part(table, SmmCommunication, at, at + SmmCommunication.SIZE, "SMM communication")


def wpbt(table: AcpiTable) -> Iterator[Part]:
    """The table as one part; the program's arguments follow."""
    yield fixed(table, Wpbt, "WPBT")


def prmt(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then each module with its handlers."""
    yield part(table, Prmt, 0, Prmt.SIZE, "PRMT")
    at, count = (int.from_bytes(table.raw[start : start + 4], "little") for start in (52, 56))
    handlers = 0
    for index in range(count):
        each = part(table, RuntimeModule, at, at + RuntimeModule.SIZE, f"module {index}")
        yield each
        module = each.value
        assert isinstance(module, RuntimeModule)  # noqa: S101  # what was asked for; tells the type checker
        handlers += module.handler_count
        if module.length < RuntimeModule.SIZE or handlers > MAX_HANDLERS:
            msg = f"PRMT: module {index}: length {module.length}, {handlers} handlers so far"
            raise FormatError(msg)
        for number in range(module.handler_count):
            place = at + module.handler_offset + number * RuntimeHandler.SIZE
            yield part(table, RuntimeHandler, place, place + RuntimeHandler.SIZE, f"handler {number}")
        at += module.length


def bdat(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Bdat, "BDAT")


def ecdt(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Ecdt, "ECDT")


def spmi(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Spmi, "SPMI")


def mchi(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Mchi, "MCHI")


def lpit(table: AcpiTable) -> Iterator[Part]:
    """One part a state."""
    return chain(table, 36, {0: ("idle state", IdleState)}, head=(4, 4, 4))


def csrt(table: AcpiTable) -> Iterator[Part]:
    """One part a group."""
    at = 36
    while at < table.length:
        length = int.from_bytes(table.raw[at : at + 4], "little")
        if length < ResourceGroup.MINIMUM or at + length > table.length:
            msg = f"CSRT: group at {at:#x}: length {length} does not fit"
            raise FormatError(msg)
        yield part(table, ResourceGroup, at, at + length, "resource group")
        at += length


def xenv(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Xenv, "XENV")


def plain(table: AcpiTable) -> Iterator[Part]:
    """The body as it is: of these tables it is known that they hold no address that the kernel uses."""
    if table.length > 36:
        yield part(table, Opaque, 36, table.length, "body")
