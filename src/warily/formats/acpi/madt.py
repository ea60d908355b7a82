"""MADT (`APIC`): processors and interrupt controllers. Source: ACPI 6.5, 5.2.12."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import (
    PAGE,
    DeviceWindow,
    MemoryPointer,
    Opaque,
    Part,
    SharedMemory,
    Structure,
    chain,
    part,
)
from warily.formats.acpi_table import AcpiTable

_ACPI: Final = "ACPI 6.5, 5.2.12."


@layout(44, source="ACPI 6.5, 5.2.12 Multiple APIC Description Table")
class Madt(Structure):
    """The fixed part."""

    SIZES: ClassVar = {"local_apic": PAGE}

    header: Annotated[bytes, octets(0, 36)]
    local_apic: Annotated[DeviceWindow, u32(36)]
    flags: Annotated[int, u32(40)]


@layout(8, source=_ACPI + "2 Processor Local APIC")
class LocalApic(Structure):
    """One processor."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    uid: Annotated[int, u8(2)]
    apic_id: Annotated[int, u8(3)]
    flags: Annotated[int, u32(4)]


@layout(12, source=_ACPI + "3 I/O APIC")
class IoApic(Structure):
    """One interrupt controller."""

    SIZES: ClassVar = {"address": PAGE}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    id: Annotated[int, u8(2)]
    reserved: Annotated[int, u8(3)]
    address: Annotated[DeviceWindow, u32(4)]
    base: Annotated[int, u32(8)]


@layout(10, source=_ACPI + "5 Interrupt Source Override")
class InterruptOverride(Structure):
    """An ISA interrupt that is wired elsewhere."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    bus: Annotated[int, u8(2)]
    source: Annotated[int, u8(3)]
    interrupt: Annotated[int, u32(4)]
    flags: Annotated[int, u16(8)]


@layout(8, source=_ACPI + "6 NMI Source")
class NmiSource(Structure):
    """An interrupt that is an NMI."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    flags: Annotated[int, u16(2)]
    interrupt: Annotated[int, u32(4)]


@layout(6, source=_ACPI + "7 Local APIC NMI")
class LocalApicNmi(Structure):
    """Which pin of a local APIC is the NMI."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    uid: Annotated[int, u8(2)]
    flags: Annotated[int, u16(3)]
    pin: Annotated[int, u8(5)]


@layout(12, source=_ACPI + "8 Local APIC Address Override")
class LocalApicOverride(Structure):
    """A 64-bit address in place of the fixed part's."""

    SIZES: ClassVar = {"address": PAGE}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]
    address: Annotated[DeviceWindow, u64(4)]


@layout(16, source=_ACPI + "9 I/O SAPIC")
class IoSapic(Structure):
    """An Itanium interrupt controller."""

    SIZES: ClassVar = {"address": PAGE}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    id: Annotated[int, u8(2)]
    reserved: Annotated[int, u8(3)]
    base: Annotated[int, u32(4)]
    address: Annotated[DeviceWindow, u64(8)]


@layout(16, source=_ACPI + "12 Processor Local x2APIC")
class LocalX2Apic(Structure):
    """One processor with a 32-bit APIC id."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]
    apic_id: Annotated[int, u32(4)]
    flags: Annotated[int, u32(8)]
    uid: Annotated[int, u32(12)]


@layout(80, source=_ACPI + "14 GIC CPU Interface")
class GicCpu(Structure):
    """One Arm processor."""

    MINIMUM: ClassVar[int] = 40
    SIZES: ClassVar = {"parked": PAGE, "base": PAGE, "gicv": PAGE, "gich": PAGE, "redistributor": PAGE}

    head: Annotated[bytes, octets(0, 8)]
    uid: Annotated[int, u32(8)]
    flags: Annotated[int, u32(12)]
    parking_version: Annotated[int, u32(16)]
    performance_interrupt: Annotated[int, u32(20)]
    parked: Annotated[MemoryPointer, u64(24)]
    base: Annotated[DeviceWindow, u64(32)]
    gicv: Annotated[DeviceWindow, u64(40)]
    gich: Annotated[DeviceWindow, u64(48)]
    maintenance: Annotated[int, u32(56)]
    redistributor: Annotated[DeviceWindow, u64(60)]
    mpidr: Annotated[int, u64(68)]
    tail: Annotated[bytes, octets(76, 4)]


@layout(24, source=_ACPI + "15 GIC Distributor, 5.2.12.16 GIC MSI Frame")
class GicFrame(Structure):
    """A distributor or an MSI frame: both have their base at 8."""

    SIZES: ClassVar = {"base": PAGE}

    head: Annotated[bytes, octets(0, 8)]
    base: Annotated[DeviceWindow, u64(8)]
    tail: Annotated[bytes, octets(16, 8)]


@layout(16, source=_ACPI + "17 GIC Redistributor")
class GicRedistributor(Structure):
    """A range of redistributors."""

    SIZES: ClassVar = {"base": "size"}

    head: Annotated[bytes, octets(0, 4)]
    base: Annotated[DeviceWindow, u64(4)]
    size: Annotated[int, u32(12)]


@layout(20, source=_ACPI + "18 GIC Interrupt Translation Service")
class GicTranslation(Structure):
    """An interrupt translation service: two frames of 64 KiB."""

    SIZES: ClassVar = {"base": 0x20000}

    head: Annotated[bytes, octets(0, 8)]
    base: Annotated[DeviceWindow, u64(8)]
    tail: Annotated[int, u32(16)]


@layout(16, source=_ACPI + "19 Multiprocessor Wakeup")
class Wakeup(Structure):
    """The mailbox through which the kernel starts processors: it writes there where they shall jump to."""

    SIZES: ClassVar = {"mailbox": PAGE}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    version: Annotated[int, u16(2)]
    reserved: Annotated[int, u32(4)]
    mailbox: Annotated[SharedMemory, u64(8)]


@layout(24, source="ACPI 6.6, 5.2.12.19 Multiprocessor Wakeup, version 1")
class WakeupWithReset(Structure):
    """Likewise, and the address to which a processor jumps to be started again."""

    SIZES: ClassVar = {"mailbox": PAGE, "reset_vector": 16}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    version: Annotated[int, u16(2)]
    reserved: Annotated[int, u32(4)]
    mailbox: Annotated[SharedMemory, u64(8)]
    reset_vector: Annotated[MemoryPointer, u64(16)]


@layout(20, source=_ACPI + "22..26: Bus Interrupt and LPC controllers (LoongArch)")
class LoongArchController(Structure):
    """A LoongArch interrupt controller whose address follows its version byte."""

    MINIMUM: ClassVar[int] = 13
    SIZES: ClassVar = {"address": "size"}

    head: Annotated[bytes, octets(0, 3)]
    address: Annotated[DeviceWindow, u64(3)]
    size: Annotated[int, u16(11)]
    tail: Annotated[bytes, octets(13, 7)]


@layout(19, source=_ACPI + "24 MSI Interrupt Controller (LoongArch)")
class LoongArchMsi(Structure):
    """The address to which devices write their interrupts."""

    SIZES: ClassVar = {"address": 8}

    head: Annotated[bytes, octets(0, 3)]
    address: Annotated[DeviceWindow, u64(3)]
    tail: Annotated[bytes, octets(11, 8)]


@layout(36, source="ACPI 6.6, 5.2.12.24 RISC-V INTC, 26 APLIC, 27 PLIC")
class RiscvController(Structure):
    """A RISC-V hart, whose interrupt file has an address and a size."""

    SIZES: ClassVar = {"imsic": "imsic_size"}

    head: Annotated[bytes, octets(0, 24)]
    imsic: Annotated[DeviceWindow, u64(24)]
    imsic_size: Annotated[int, u32(32)]


@layout(36, source="ACPI 6.6, 5.2.12.26 RISC-V APLIC")
class Aplic(Structure):
    """A RISC-V advanced interrupt controller."""

    SIZES: ClassVar = {"base": "size"}

    head: Annotated[bytes, octets(0, 24)]
    base: Annotated[DeviceWindow, u64(24)]
    size: Annotated[int, u32(32)]


@layout(36, source="ACPI 6.6, 5.2.12.27 RISC-V PLIC")
class Plic(Structure):
    """A RISC-V platform interrupt controller."""

    SIZES: ClassVar = {"base": "size"}

    head: Annotated[bytes, octets(0, 20)]
    size: Annotated[int, u32(20)]
    base: Annotated[DeviceWindow, u64(24)]
    interrupt_base: Annotated[int, u32(32)]


@layout(32, source="ACPI 6.7, 5.2.12 GICv5 IRS, ITS and ITS translate frame")
class Gic5(Structure):
    """A GICv5 component: frames at 16 and 24, where it has them."""

    MINIMUM: ClassVar[int] = 24
    SIZES: ClassVar = {"base": PAGE, "second": PAGE}

    head: Annotated[bytes, octets(0, 16)]
    base: Annotated[DeviceWindow, u64(16)]
    second: Annotated[DeviceWindow, u64(24)]


@layout(16, source="ACPI 6.7, 5.2.12 GICv5 ITS")
class Gic5Translation(Structure):
    """A GICv5 interrupt translation service."""

    SIZES: ClassVar = {"base": PAGE}

    head: Annotated[bytes, octets(0, 8)]
    base: Annotated[DeviceWindow, u64(8)]


WAKEUP: Final = 0x10
KINDS: Final[dict[int, tuple[str, type[Structure]]]] = {
    0x00: ("local APIC", LocalApic),
    0x01: ("I/O APIC", IoApic),
    0x02: ("interrupt source override", InterruptOverride),
    0x03: ("NMI source", NmiSource),
    0x04: ("local APIC NMI", LocalApicNmi),
    0x05: ("local APIC address override", LocalApicOverride),
    0x06: ("I/O SAPIC", IoSapic),
    0x07: ("local SAPIC", Opaque),
    0x08: ("platform interrupt source", Opaque),
    0x09: ("local x2APIC", LocalX2Apic),
    0x0A: ("local x2APIC NMI", Opaque),
    0x0B: ("GIC CPU interface", GicCpu),
    0x0C: ("GIC distributor", GicFrame),
    0x0D: ("GIC MSI frame", GicFrame),
    0x0E: ("GIC redistributor", GicRedistributor),
    0x0F: ("GIC ITS", GicTranslation),
    WAKEUP: ("multiprocessor wakeup", Wakeup),
    0x11: ("LoongArch core controller", Opaque),
    0x12: ("LoongArch legacy I/O controller", LoongArchController),
    0x13: ("LoongArch HyperTransport controller", LoongArchController),
    0x14: ("LoongArch extended I/O controller", Opaque),
    0x15: ("LoongArch MSI controller", LoongArchMsi),
    0x16: ("LoongArch bus controller", LoongArchController),
    0x17: ("LoongArch LPC controller", LoongArchController),
    0x18: ("RISC-V hart", RiscvController),
    0x19: ("RISC-V IMSIC", Opaque),
    0x1A: ("RISC-V APLIC", Aplic),
    0x1B: ("RISC-V PLIC", Plic),
    0x1C: ("GICv5 IRS", Gic5),
    0x1D: ("GICv5 ITS", Gic5Translation),
    0x1E: ("GICv5 ITS translate frame", Gic5),
}


def madt(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a controller."""
    yield part(table, Madt, 0, Madt.SIZE, "MADT")
    for each in chain(table, Madt.SIZE, KINDS, head=(1, 1, 1)):
        longer = isinstance(each.value, Wakeup) and len(each.rest) >= WakeupWithReset.SIZE - Wakeup.SIZE
        if longer:
            yield part(table, WakeupWithReset, each.offset, each.offset + WakeupWithReset.SIZE, each.name)
        else:
            yield each
