"""DMAR, IVRS, VIOT, IORT, IOVT and KEYP: who translates and guards what devices reach."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.errors import FormatError
from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import (
    MAX_PARTS,
    PAGE,
    Area,
    DeviceWindow,
    Opaque,
    Part,
    SharedMemory,
    Structure,
    Use,
    chain,
    entries,
    part,
)
from warily.formats.acpi_table import AcpiTable

_VTD: Final = "Intel VT-d Architecture Specification 4.1, "
_AMD: Final = "AMD I/O Virtualization Technology Specification 48882, "


@layout(48, source=_VTD + "8.1 DMA Remapping Reporting Structure")
class Dmar(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    width: Annotated[int, u8(36)]
    flags: Annotated[int, u8(37)]
    reserved: Annotated[bytes, octets(38, 10)]


@layout(16, source=_VTD + "8.3 DRHD")
class RemappingUnit(Structure):
    """Registers of one unit: 4 KiB times two to the power of `size`."""

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    flags: Annotated[int, u8(4)]
    size: Annotated[int, u8(5)]
    segment: Annotated[int, u16(6)]
    base: Annotated[DeviceWindow, u64(8)]

    def areas(self) -> Iterator[Area]:
        """The registers."""
        if self.base:
            yield Area(field="base", offset=8, use=Use.WINDOW, start=self.base, size=PAGE << (self.size & 0xF))


@layout(24, source=_VTD + "8.4 RMRR")
class ReservedMemory(Structure):
    """Memory that a device keeps access to whatever the kernel wants: `base` to `limit`, both included."""

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    reserved: Annotated[int, u16(4)]
    segment: Annotated[int, u16(6)]
    base: Annotated[int, u64(8)]
    limit: Annotated[int, u64(16)]

    def areas(self) -> Iterator[Area]:
        """The range; where the limit lies below the base, one byte, so that it is looked at."""
        size = max(self.limit - self.base + 1, 1)
        yield Area(field="base", offset=8, use=Use.MEMORY, start=self.base, size=size)


@layout(20, source=_VTD + "8.6 RHSA")
class UnitAffinity(Structure):
    """Which domain a unit belongs to."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE}

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    reserved: Annotated[int, u32(4)]
    base: Annotated[DeviceWindow, u64(8)]
    domain: Annotated[int, u32(16)]


UNITS: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("remapping unit", RemappingUnit),
    1: ("reserved memory", ReservedMemory),
    2: ("root port ATS", Opaque),
    3: ("unit affinity", UnitAffinity),
    4: ("namespace device", Opaque),
    5: ("SoC ATC", Opaque),
    6: ("SoC device property", Opaque),
}


@layout(48, source=_AMD + "5.2.1 I/O Virtualization Reporting Structure")
class Ivrs(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    info: Annotated[int, u32(36)]
    reserved: Annotated[int, u64(40)]


@layout(24, source=_AMD + "5.2.2 IVHD")
class AmdUnit(Structure):
    """Registers of one unit; what it serves follows."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": 0x4000}

    type: Annotated[int, u8(0)]
    flags: Annotated[int, u8(1)]
    length: Annotated[int, u16(2)]
    device: Annotated[int, u16(4)]
    capability: Annotated[int, u16(6)]
    base: Annotated[DeviceWindow, u64(8)]
    segment: Annotated[int, u16(16)]
    info: Annotated[int, u16(18)]
    features: Annotated[int, u32(20)]


@layout(32, source=_AMD + "5.2.3 IVMD")
class AmdMemory(Structure):
    """Memory that a device keeps access to, or that is not translated."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"start": "size"}

    type: Annotated[int, u8(0)]
    flags: Annotated[int, u8(1)]
    length: Annotated[int, u16(2)]
    device: Annotated[int, u16(4)]
    auxiliary: Annotated[int, u16(6)]
    reserved: Annotated[int, u64(8)]
    start: Annotated[SharedMemory, u64(16)]
    size: Annotated[int, u64(24)]


BLOCKS: Final[dict[int, tuple[str, type[Structure]]]] = {
    0x10: ("IVHD", AmdUnit),
    0x11: ("IVHD 11h", AmdUnit),
    0x40: ("IVHD 40h", AmdUnit),
    0x20: ("IVMD for all", AmdMemory),
    0x21: ("IVMD", AmdMemory),
    0x22: ("IVMD for a range", AmdMemory),
}


@layout(16, source="Virtual I/O Translation table, 3.4 and 3.6: endpoint range, IOMMU by PCI address")
class PciNode(Structure):
    """An endpoint or an IOMMU with a PCI address."""

    head: Annotated[bytes, octets(0, 16)]


@layout(16, source="Virtual I/O Translation table, 3.5 and 3.7: single endpoint, IOMMU by memory")
class MemoryNode(Structure):
    """An endpoint or an IOMMU with registers in memory."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": 0x200}

    head: Annotated[bytes, octets(0, 8)]
    base: Annotated[DeviceWindow, u64(8)]


NODES: Final[dict[int, tuple[str, type[Structure]]]] = {
    1: ("PCI range", PciNode),
    2: ("endpoint in memory", MemoryNode),
    3: ("IOMMU on PCI", PciNode),
    4: ("IOMMU in memory", MemoryNode),
}


@layout(32, source="Arm DEN 0049E, IORT: SMMU, SMMUv3, PMCG, IWB; node data from 16")
class ArmUnit(Structure):
    """A unit whose registers begin at `base`."""

    MINIMUM: ClassVar[int] = 24
    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE}

    head: Annotated[bytes, octets(0, 16)]
    base: Annotated[DeviceWindow, u64(16)]
    rest: Annotated[bytes, octets(24, 8)]


@layout(32, source="Arm DEN 0049E, IORT: SMMUv1 and v2")
class ArmSpanUnit(Structure):
    """Likewise, with the length of the registers."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "span"}

    head: Annotated[bytes, octets(0, 16)]
    base: Annotated[DeviceWindow, u64(16)]
    span: Annotated[int, u64(24)]


@layout(40, source="Arm DEN 0049E, IORT: PMCG")
class ArmMonitor(Structure):
    """A performance monitor: two pages."""

    MINIMUM: ClassVar[int] = 24
    SIZES: ClassVar[Mapping[str, int | str]] = {"page_0": PAGE, "page_1": PAGE}

    head: Annotated[bytes, octets(0, 16)]
    page_0: Annotated[DeviceWindow, u64(16)]
    interrupt: Annotated[int, u32(24)]
    node: Annotated[int, u32(28)]
    page_1: Annotated[DeviceWindow, u64(32)]


@layout(28, source="Arm DEN 0049E, IORT: RMR")
class ArmReserved(Structure):
    """Memory that devices keep access to; the ranges are described further on."""

    head: Annotated[bytes, octets(0, 16)]
    flags: Annotated[int, u32(16)]
    count: Annotated[int, u32(20)]
    offset: Annotated[int, u32(24)]


@layout(20, source="Arm DEN 0049E, IORT: memory range descriptor")
class ArmRange(Structure):
    """One such range."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    base: Annotated[SharedMemory, u64(0)]
    size: Annotated[int, u64(8)]
    reserved: Annotated[int, u32(16)]


ARM_NODES: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("ITS group", Opaque),
    1: ("named component", Opaque),
    2: ("root complex", Opaque),
    3: ("SMMU", ArmSpanUnit),
    4: ("SMMUv3", ArmUnit),
    5: ("PMCG", ArmMonitor),
    6: ("RMR", ArmReserved),
    7: ("IWB", ArmUnit),
}


@layout(44, source="LoongArch I/O Virtualization Table 0.1")
class LoongArchUnit(Structure):
    """An IOMMU of a LoongArch machine."""

    MINIMUM: ClassVar[int] = 40
    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    head: Annotated[bytes, octets(0, 28)]
    base: Annotated[DeviceWindow, u64(28)]
    size: Annotated[int, u32(36)]
    rest: Annotated[bytes, octets(40, 4)]


@layout(16, source="Intel, Root Complex IDE Key Configuration Unit, KEYP")
class KeyUnit(Structure):
    """Registers through which link encryption keys are programmed."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE}

    head: Annotated[bytes, octets(0, 8)]
    base: Annotated[DeviceWindow, u64(8)]


def dmar(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a structure."""
    yield part(table, Dmar, 0, Dmar.SIZE, "DMAR")
    yield from chain(table, Dmar.SIZE, UNITS, head=(2, 2, 2))


def ivrs(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a block."""
    yield part(table, Ivrs, 0, Ivrs.SIZE, "IVRS")
    yield from chain(table, Ivrs.SIZE, BLOCKS, head=(1, 2, 2))


def viot(table: AcpiTable) -> Iterator[Part]:
    """One part a node, from where the table says that they begin."""
    return chain(table, _start(table, 38, 2), NODES, head=(1, 2, 2))


def iort(table: AcpiTable) -> Iterator[Part]:
    """One part a node, and one a range of memory that devices keep."""
    for each in chain(table, _start(table, 40, 4), ARM_NODES, head=(1, 1, 2)):
        yield each
        if isinstance(each.value, ArmReserved):
            if each.value.count > MAX_PARTS:
                msg = f"IORT: {each.value.count} ranges of memory"
                raise FormatError(msg)
            yield from entries(table, ArmRange, each.offset + each.value.offset, "range", each.value.count)


def iovt(table: AcpiTable) -> Iterator[Part]:
    """One part a unit."""
    return chain(table, _start(table, 38, 2), {0: ("IOMMU", LoongArchUnit)}, head=(2, 2, 2))


def keyp(table: AcpiTable) -> Iterator[Part]:
    """One part a unit."""
    return chain(table, 40, {0: ("key configuration unit", KeyUnit)}, head=(1, 2, 2))


def _start(table: AcpiTable, at: int, width: int) -> int:
    """Where the first node lies, as the table says it."""
    start = int.from_bytes(table.raw[at : at + width], "little")
    if start < at + width or start > table.length:
        msg = f"{table.signature}: nodes begin at {start:#x}, which is no place for them"
        raise FormatError(msg)
    return start
