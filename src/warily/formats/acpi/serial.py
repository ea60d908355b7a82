"""SPCR, DBG2 and DBGP: consoles and debug ports. Source: Microsoft's documents of these names."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.errors import FormatError
from warily.formats._layout import layout, octets, u8, u16, u32
from warily.formats.acpi._parts import GenericAddress, Part, Structure, fixed, part
from warily.formats.acpi_table import AcpiTable

UART_SIZE: Final = 8
MAX_DEVICES: Final = 256


@layout(80, source="Microsoft, Serial Port Console Redirection Table 1.10")
class Spcr(Structure):
    """The console's port."""

    MINIMUM: ClassVar[int] = 52
    SIZES: ClassVar[Mapping[str, int | str]] = {"base": UART_SIZE}

    header: Annotated[bytes, octets(0, 36)]
    interface: Annotated[int, u8(36)]
    reserved: Annotated[bytes, octets(37, 3)]
    base: Annotated[GenericAddress, octets(40, 12)]
    interrupt_type: Annotated[int, u8(52)]
    interrupt: Annotated[int, u8(53)]
    global_interrupt: Annotated[int, u32(54)]
    baud_rate: Annotated[int, u8(58)]
    line: Annotated[bytes, octets(59, 5)]
    pci: Annotated[bytes, octets(64, 16)]


@layout(52, source="Microsoft, Debug Port Specification 1.0")
class Dbgp(Structure):
    """A debug port."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": UART_SIZE}

    header: Annotated[bytes, octets(0, 36)]
    interface: Annotated[int, u8(36)]
    reserved: Annotated[bytes, octets(37, 3)]
    base: Annotated[GenericAddress, octets(40, 12)]


@layout(44, source="Microsoft Debug Port Table 2, table 1")
class Dbg2(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    offset: Annotated[int, u32(36)]
    count: Annotated[int, u32(40)]


@layout(22, source="Microsoft Debug Port Table 2, table 3")
class DebugDevice(Structure):
    """One debug port, with places of the addresses and sizes that follow it."""

    revision: Annotated[int, u8(0)]
    length: Annotated[int, u16(1)]
    registers: Annotated[int, u8(3)]
    name_length: Annotated[int, u16(4)]
    name_offset: Annotated[int, u16(6)]
    oem_length: Annotated[int, u16(8)]
    oem_offset: Annotated[int, u16(10)]
    port_type: Annotated[int, u16(12)]
    port_subtype: Annotated[int, u16(14)]
    reserved: Annotated[int, u16(16)]
    base_offset: Annotated[int, u16(18)]
    size_offset: Annotated[int, u16(20)]


@layout(16, source="Microsoft Debug Port Table 2: an address of the device, and its size from the other list")
class DebugRegister(Structure):
    """One block of registers of a debug port. The size stands elsewhere in the table."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    base: Annotated[GenericAddress, octets(0, 12)]
    size: Annotated[int, u32(12)]


def spcr(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Spcr, "SPCR")


def dbgp(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Dbgp, "DBGP")


def dbg2(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then each device and its registers."""
    yield part(table, Dbg2, 0, Dbg2.SIZE, "DBG2")
    at, count = (int.from_bytes(table.raw[start : start + 4], "little") for start in (36, 40))
    if count > MAX_DEVICES:
        msg = f"DBG2: {count} devices"
        raise FormatError(msg)
    for index in range(count):
        each = part(table, DebugDevice, at, at + DebugDevice.SIZE, f"device {index}")
        yield each
        assert isinstance(each.value, DebugDevice)  # noqa: S101  # what was asked for; tells the type checker
        if each.value.length < DebugDevice.SIZE or at + each.value.length > table.length:
            msg = f"DBG2: device {index} at {at:#x}: length {each.value.length} does not fit"
            raise FormatError(msg)
        yield from _registers(table, each.value, at)
        at += each.value.length


def _registers(table: AcpiTable, device: DebugDevice, at: int) -> Iterator[Part]:
    for number in range(device.registers):
        base = at + device.base_offset + 12 * number
        size = at + device.size_offset + 4 * number
        if max(base + 12, size + 4) > at + device.length:
            msg = f"DBG2: register {number} of the device at {at:#x} lies outside of it"
            raise FormatError(msg)
        data = table.raw[base : base + 12] + table.raw[size : size + 4]
        yield Part(offset=base, name=f"register {number}", value=DebugRegister.unpack(data))
