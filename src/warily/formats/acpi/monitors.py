"""APMT, MPAM, AEST and ERDT: performance monitors, partitioning and error sources with registers in memory."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import PAGE, DeviceWindow, Opaque, Part, Structure, chain, part
from warily.formats.acpi_table import AcpiTable


@layout(60, source="Arm DEN 0117 1.0, APMT node")
class MonitorNode(Structure):
    """A performance monitoring unit: one or two pages."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"page_0": PAGE, "page_1": PAGE}

    length: Annotated[int, u16(0)]
    flags: Annotated[int, u8(2)]
    type: Annotated[int, u8(3)]
    id: Annotated[int, u32(4)]
    instance: Annotated[bytes, octets(8, 12)]
    page_0: Annotated[DeviceWindow, u64(20)]
    page_1: Annotated[DeviceWindow, u64(28)]
    interrupt: Annotated[bytes, octets(36, 24)]


@layout(72, source="Arm DEN 0065 2.0, MPAM MSC node")
class PartitioningNode(Structure):
    """A memory system component."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    length: Annotated[int, u16(0)]
    interface: Annotated[int, u8(2)]
    reserved: Annotated[int, u8(3)]
    id: Annotated[int, u32(4)]
    base: Annotated[DeviceWindow, u64(8)]
    size: Annotated[int, u32(16)]
    rest: Annotated[bytes, octets(20, 52)]


@layout(44, source="Arm DEN 0085, AEST node header")
class ErrorNode(Structure):
    """A source of errors; its interface lies where it says."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u16(1)]
    reserved: Annotated[int, u8(3)]
    specific_offset: Annotated[int, u32(4)]
    interface_offset: Annotated[int, u32(8)]
    interrupt_offset: Annotated[int, u32(12)]
    interrupt_count: Annotated[int, u32(16)]
    rates: Annotated[bytes, octets(20, 24)]


@layout(24, source="Arm DEN 0085, AEST node interface")
class ErrorInterface(Structure):
    """Registers of a source of errors; with type 0 they are the processor's own."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE}

    type: Annotated[int, u8(0)]
    reserved: Annotated[bytes, octets(1, 3)]
    flags: Annotated[int, u32(4)]
    base: Annotated[DeviceWindow, u64(8)]
    records: Annotated[bytes, octets(16, 8)]


@layout(34, source="Intel RDT Architecture Specification 1.1, RMDD")
class ResourceDomain(Structure):
    """A domain whose control registers begin at `base`; other structures follow inside it."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE}

    head: Annotated[bytes, octets(0, 24)]
    base: Annotated[DeviceWindow, u64(24)]
    pages: Annotated[int, u16(32)]


@layout(36, source="Intel RDT Architecture Specification 1.1, CMRC, MMRC, CMRD, IBRD, CARD")
class ResourceRegisters(Structure):
    """Registers of a domain."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": PAGE}

    head: Annotated[bytes, octets(0, 24)]
    base: Annotated[DeviceWindow, u64(24)]
    pages: Annotated[int, u32(32)]


@layout(48, source="Intel RDT Architecture Specification 1.1, MARC")
class BandwidthRegisters(Structure):
    """Three blocks of registers."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"optimal": PAGE, "minimum": PAGE, "maximum": PAGE}

    head: Annotated[bytes, octets(0, 16)]
    optimal: Annotated[DeviceWindow, u64(16)]
    minimum: Annotated[DeviceWindow, u64(24)]
    maximum: Annotated[DeviceWindow, u64(32)]
    rest: Annotated[bytes, octets(40, 8)]


RESOURCES: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("resource domain", ResourceDomain),
    1: ("processors", Opaque),
    2: ("devices", Opaque),
    3: ("cache monitoring", ResourceRegisters),
    4: ("bandwidth monitoring", ResourceRegisters),
    5: ("bandwidth allocation", BandwidthRegisters),
    6: ("cache allocation", Opaque),
    7: ("device cache monitoring", ResourceRegisters),
    8: ("device bandwidth monitoring", ResourceRegisters),
    9: ("device bandwidth allocation", Opaque),
    10: ("device cache allocation", ResourceRegisters),
}
ERDT_HEADER: Final = 64


def apmt(table: AcpiTable) -> Iterator[Part]:
    """One part a unit."""
    return chain(table, 36, dict.fromkeys(range(256), ("monitoring unit", MonitorNode)), head=(1, 0, 2))


def mpam(table: AcpiTable) -> Iterator[Part]:
    """One part a component."""
    return chain(table, 36, dict.fromkeys(range(256), ("memory system component", PartitioningNode)), head=(1, 0, 2))


def aest(table: AcpiTable) -> Iterator[Part]:
    """One part a source and one its interface."""
    nodes = dict.fromkeys(range(256), ("error source", ErrorNode))
    for each in chain(table, 36, nodes, head=(1, 1, 2)):
        yield each
        assert isinstance(each.value, ErrorNode)  # noqa: S101  # every type is; tells the type checker
        at = each.offset + each.value.interface_offset
        yield part(table, ErrorInterface, at, at + ErrorInterface.SIZE, "interface")


def erdt(table: AcpiTable) -> Iterator[Part]:
    """One part a structure, those inside a domain after it."""
    for each in chain(table, ERDT_HEADER, RESOURCES, head=(2, 2, 2)):
        yield each
        if isinstance(each.value, ResourceDomain) and each.rest:
            inside = each.offset + ResourceDomain.SIZE
            yield from chain(table, inside, RESOURCES, head=(2, 2, 2), end=inside + len(each.rest))
