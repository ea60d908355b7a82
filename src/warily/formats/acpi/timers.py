"""HPET, GTDT, WAET and the watchdog tables WDAT, WDDT and WDRT: clocks, and what resets the machine."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import (
    PAGE,
    DeviceWindow,
    GenericAddress,
    Part,
    Structure,
    chain,
    entries,
    fixed,
    part,
)
from warily.formats.acpi_table import AcpiTable

HPET_SIZE: Final = 0x400


@layout(56, source="IA-PC HPET Specification 1.0a, 3.2.4")
class Hpet(Structure):
    """The high precision event timers: 1 KiB of registers."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": HPET_SIZE}

    header: Annotated[bytes, octets(0, 36)]
    block_id: Annotated[int, u32(36)]
    base: Annotated[GenericAddress, octets(40, 12)]
    number: Annotated[int, u8(52)]
    minimum_tick: Annotated[int, u16(53)]
    page_protection: Annotated[int, u8(55)]


@layout(40, source="Windows ACPI Emulated Devices Table 1.0")
class Waet(Structure):
    """What emulated devices need not be asked twice."""

    header: Annotated[bytes, octets(0, 36)]
    flags: Annotated[int, u32(36)]


@layout(68, source="Microsoft, Hardware Watchdog Timers Design Specification, table 1")
class Wdat(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    header_length: Annotated[int, u32(36)]
    pci_segment: Annotated[int, u16(40)]
    pci_address: Annotated[bytes, octets(42, 3)]
    reserved: Annotated[bytes, octets(45, 3)]
    timer_period: Annotated[int, u32(48)]
    maximum: Annotated[int, u32(52)]
    minimum: Annotated[int, u32(56)]
    flags: Annotated[int, u8(60)]
    reserved_1: Annotated[bytes, octets(61, 3)]
    entries: Annotated[int, u32(64)]


@layout(24, source="Microsoft, Hardware Watchdog Timers Design Specification, table 2")
class WatchdogAction(Structure):
    """One register access that an action consists of."""

    action: Annotated[int, u8(0)]
    instruction: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]
    region: Annotated[GenericAddress, octets(4, 12)]
    value: Annotated[int, u32(16)]
    mask: Annotated[int, u32(20)]


@layout(64, source="Intel, Using the ICH Family Watchdog Timer 001, table 3")
class Wddt(Structure):
    """A watchdog with a block of registers."""

    header: Annotated[bytes, octets(0, 36)]
    versions: Annotated[bytes, octets(36, 4)]
    vendor: Annotated[int, u16(40)]
    base: Annotated[GenericAddress, octets(42, 12)]
    rest: Annotated[bytes, octets(54, 10)]


@layout(71, source="Microsoft, Watchdog Timer Hardware Requirements for Windows Server 2003, WDRT")
class Wdrt(Structure):
    """A watchdog with a control and a count register."""

    header: Annotated[bytes, octets(0, 36)]
    control: Annotated[GenericAddress, octets(36, 12)]
    count: Annotated[GenericAddress, octets(48, 12)]
    pci: Annotated[bytes, octets(60, 8)]
    rest: Annotated[bytes, octets(68, 3)]


@layout(104, source="ACPI 6.5, 5.2.25 Generic Timer Description Table")
class Gtdt(Structure):
    """Arm's timers: two pages of counters."""

    MINIMUM: ClassVar[int] = 80
    SIZES: ClassVar[Mapping[str, int | str]] = {"counter": PAGE, "counter_read": PAGE}

    header: Annotated[bytes, octets(0, 36)]
    counter: Annotated[DeviceWindow, u64(36)]
    reserved: Annotated[int, u32(44)]
    interrupts: Annotated[bytes, octets(48, 32)]
    counter_read: Annotated[DeviceWindow, u64(80)]
    timer_count: Annotated[int, u32(88)]
    timer_offset: Annotated[int, u32(92)]
    virtual_timer: Annotated[bytes, octets(96, 8)]


@layout(20, source="ACPI 6.5, 5.2.25.1 GT Block")
class TimerBlock(Structure):
    """A page of timers, and a page for each frame of it."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u16(1)]
    reserved: Annotated[int, u8(3)]
    base: Annotated[DeviceWindow, u64(4)]
    count: Annotated[int, u32(12)]
    offset: Annotated[int, u32(16)]


@layout(40, source="ACPI 6.5, 5.2.25.1 GT Block Timer")
class TimerFrame(Structure):
    """One frame of a block of timers."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE, "el0_base": PAGE}

    number: Annotated[int, u8(0)]
    reserved: Annotated[bytes, octets(1, 3)]
    base: Annotated[DeviceWindow, u64(4)]
    el0_base: Annotated[DeviceWindow, u64(12)]
    interrupts: Annotated[bytes, octets(20, 20)]


@layout(28, source="ACPI 6.5, 5.2.25.2 Arm Generic Watchdog")
class ArmWatchdog(Structure):
    """A watchdog with two pages."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"refresh": PAGE, "control": PAGE}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u16(1)]
    reserved: Annotated[int, u8(3)]
    refresh: Annotated[DeviceWindow, u64(4)]
    control: Annotated[DeviceWindow, u64(12)]
    interrupt: Annotated[bytes, octets(20, 8)]


def hpet(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Hpet, "HPET")


def waet(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Waet, "WAET")


def wdat(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part an instruction."""
    yield part(table, Wdat, 0, Wdat.SIZE, "WDAT")
    count = int.from_bytes(table.raw[64:68], "little")
    yield from entries(table, WatchdogAction, Wdat.SIZE, "instruction", count)


def wddt(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Wddt, "WDDT")


def wdrt(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Wdrt, "WDRT")


def gtdt(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then timers and watchdogs, with the frames of each block of timers."""
    whole = part(table, Gtdt, 0, min(table.length, Gtdt.SIZE), "GTDT")
    yield whole
    start = int.from_bytes(table.raw[92:96], "little")
    if not start:
        return
    kinds: dict[int, tuple[str, type[Structure]]] = {0: ("timer block", TimerBlock), 1: ("watchdog", ArmWatchdog)}
    for each in chain(table, max(start, Gtdt.MINIMUM), kinds, head=(1, 1, 2)):
        yield each
        if isinstance(each.value, TimerBlock):
            frames = len(each.rest) // TimerFrame.SIZE
            at = each.offset + TimerBlock.SIZE
            yield from entries(table, TimerFrame, at, "timer frame", min(frames, each.value.count))
