"""SRAT, SLIT, HMAT, MPST and MRRM: which memory there is and how near. Source: ACPI 6.5, 5.2.16, 17, 27 and 21."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from warily.errors import FormatError
from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import Area, OrdinaryMemory, Part, Structure, chain, declared_areas, entries, part
from warily.formats.acpi_table import AcpiTable

ENABLED: Final = 1
HOT_PLUGGABLE: Final = 2
NON_VOLATILE: Final = 4
_SRAT: Final = "ACPI 6.5, 5.2.16"


@layout(48, source=_SRAT + " System Resource Affinity Table")
class Srat(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    table_revision: Annotated[int, u32(36)]
    reserved: Annotated[bytes, octets(40, 8)]


@layout(16, source=_SRAT + ".1 Processor Local APIC/SAPIC Affinity")
class ProcessorAffinity(Structure):
    """Which domain a processor belongs to."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    domain_low: Annotated[int, u8(2)]
    apic_id: Annotated[int, u8(3)]
    flags: Annotated[int, u32(4)]
    sapic_eid: Annotated[int, u8(8)]
    domain_high: Annotated[bytes, octets(9, 3)]
    clock_domain: Annotated[int, u32(12)]

    @property
    def domain(self) -> int:
        """The proximity domain, from its two parts."""
        return self.domain_low | int.from_bytes(self.domain_high, "little") << 8


@layout(40, source=_SRAT + ".2 Memory Affinity")
class MemoryAffinity(Structure):
    """Which domain a range of memory belongs to."""

    SIZES: ClassVar = {"base": "size"}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    domain: Annotated[int, u32(2)]
    reserved: Annotated[int, u16(6)]
    base: Annotated[OrdinaryMemory, u64(8)]
    size: Annotated[int, u64(16)]
    reserved_1: Annotated[int, u32(24)]
    flags: Annotated[int, u32(28)]
    reserved_2: Annotated[int, u64(32)]

    def areas(self) -> Iterator[Area]:
        """The range, where it is enabled and there from the start: not to be plugged in, not persistent."""
        if self.flags & ENABLED and not self.flags & (HOT_PLUGGABLE | NON_VOLATILE):
            yield from declared_areas(self)


@layout(24, source=_SRAT + ".3 Processor Local x2APIC Affinity")
class X2ApicAffinity(Structure):
    """Likewise for a processor with a 32-bit APIC id."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]
    domain: Annotated[int, u32(4)]
    apic_id: Annotated[int, u32(8)]
    flags: Annotated[int, u32(12)]
    clock_domain: Annotated[int, u32(16)]
    reserved_2: Annotated[int, u32(20)]


@layout(18, source=_SRAT + ".4 GICC Affinity")
class GicAffinity(Structure):
    """Likewise for an Arm processor."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    domain: Annotated[int, u32(2)]
    uid: Annotated[int, u32(6)]
    flags: Annotated[int, u32(10)]
    clock_domain: Annotated[int, u32(14)]


@layout(12, source=_SRAT + ".5 GIC Interrupt Translation Service Affinity")
class TranslationAffinity(Structure):
    """Likewise for an Arm interrupt translation service."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    domain: Annotated[int, u32(2)]
    reserved: Annotated[int, u16(6)]
    its: Annotated[int, u32(8)]


@layout(32, source=_SRAT + ".6 Generic Initiator, 5.2.16.7 Generic Port Affinity")
class DeviceAffinity(Structure):
    """Likewise for a device or a port, named by an ACPI path's ids or by PCI address."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u8(2)]
    handle_type: Annotated[int, u8(3)]
    domain: Annotated[int, u32(4)]
    handle: Annotated[bytes, octets(8, 16)]
    flags: Annotated[int, u32(24)]
    reserved_1: Annotated[int, u32(28)]


@layout(20, source="ACPI 6.6, 5.2.16.8 RINTC Affinity")
class HartAffinity(Structure):
    """Likewise for a RISC-V hart."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]
    domain: Annotated[int, u32(4)]
    uid: Annotated[int, u32(8)]
    flags: Annotated[int, u32(12)]
    clock_domain: Annotated[int, u32(16)]


AFFINITIES: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("processor affinity", ProcessorAffinity),
    1: ("memory affinity", MemoryAffinity),
    2: ("x2APIC affinity", X2ApicAffinity),
    3: ("GICC affinity", GicAffinity),
    4: ("ITS affinity", TranslationAffinity),
    5: ("generic initiator", DeviceAffinity),
    6: ("generic port", DeviceAffinity),
    7: ("hart affinity", HartAffinity),
}


@layout(44, source="ACPI 6.5, 5.2.17 System Locality Information Table")
class Slit(Structure):
    """The number of localities; a square matrix of distances follows, one byte each."""

    header: Annotated[bytes, octets(0, 36)]
    localities: Annotated[int, u64(36)]


@layout(40, source="ACPI 6.5, 5.2.27 Heterogeneous Memory Attribute Table")
class Hmat(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    reserved: Annotated[int, u32(36)]


@layout(40, source="ACPI 6.5, 5.2.27.3 Memory Proximity Domain Attributes")
class DomainAttributes(Structure):
    """Which initiator is nearest to which memory."""

    type: Annotated[int, u16(0)]
    reserved: Annotated[int, u16(2)]
    length: Annotated[int, u32(4)]
    flags: Annotated[int, u16(8)]
    reserved_1: Annotated[int, u16(10)]
    initiator_domain: Annotated[int, u32(12)]
    memory_domain: Annotated[int, u32(16)]
    reserved_2: Annotated[bytes, octets(20, 20)]


@layout(32, source="ACPI 6.5, 5.2.27.4 System Locality Latency and Bandwidth")
class Latency(Structure):
    """Numbers between initiators and targets; lists of both and a matrix follow."""

    type: Annotated[int, u16(0)]
    reserved: Annotated[int, u16(2)]
    length: Annotated[int, u32(4)]
    flags: Annotated[int, u8(8)]
    data_type: Annotated[int, u8(9)]
    smallest_transfer: Annotated[int, u8(10)]
    reserved_1: Annotated[int, u8(11)]
    initiators: Annotated[int, u32(12)]
    targets: Annotated[int, u32(16)]
    reserved_2: Annotated[int, u32(20)]
    unit: Annotated[int, u64(24)]


@layout(32, source="ACPI 6.5, 5.2.27.5 Memory Side Cache")
class SideCache(Structure):
    """A cache in front of a memory domain."""

    type: Annotated[int, u16(0)]
    reserved: Annotated[int, u16(2)]
    length: Annotated[int, u32(4)]
    memory_domain: Annotated[int, u32(8)]
    reserved_1: Annotated[int, u32(12)]
    cache_size: Annotated[int, u64(16)]
    attributes: Annotated[int, u32(24)]
    address_mode: Annotated[int, u16(28)]
    handles: Annotated[int, u16(30)]


ATTRIBUTES: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("domain attributes", DomainAttributes),
    1: ("latency and bandwidth", Latency),
    2: ("memory side cache", SideCache),
}


def srat(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part an affinity."""
    yield part(table, Srat, 0, Srat.SIZE, "SRAT")
    yield from chain(table, Srat.SIZE, AFFINITIES, head=(1, 1, 1))


def slit(table: AcpiTable) -> Iterator[Part]:
    """The table whole. Raises `FormatError` where the matrix is not as large as the number of localities asks."""
    whole = part(table, Slit, 0, table.length, "SLIT")
    count = int.from_bytes(table.raw[36:44], "little")
    if count * count != len(whole.rest):
        msg = f"SLIT: {len(whole.rest)} distances between {count} localities"
        raise FormatError(msg)
    yield whole


def hmat(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a structure."""
    yield part(table, Hmat, 0, Hmat.SIZE, "HMAT")
    yield from chain(table, Hmat.SIZE, ATTRIBUTES, head=(2, 4, 4))


@layout(32, source="Intel RDT Architecture Specification 1.1, MRRM memory range entry")
class RegionRange(Structure):
    """A range of memory that has a region number."""

    SIZES: ClassVar = {"base": "size"}

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    reserved: Annotated[int, u32(4)]
    base: Annotated[int, u64(8)]
    size: Annotated[int, u64(16)]
    region: Annotated[bytes, octets(24, 8)]


def mrrm(table: AcpiTable) -> Iterator[Part]:
    """One part a range."""
    return chain(table, 64, {0: ("memory range", RegionRange)}, head=(2, 2, 2))


@layout(8, source="ACPI 6.5, 5.2.18 Corrected Platform Error Polling Table")
class Polling(Structure):
    """A processor that is to look for corrected errors."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    processor: Annotated[int, u8(2)]
    eid: Annotated[int, u8(3)]
    interval: Annotated[int, u32(4)]


def cpep(table: AcpiTable) -> Iterator[Part]:
    """One part a processor."""
    return entries(table, Polling, 44, "polling processor")
