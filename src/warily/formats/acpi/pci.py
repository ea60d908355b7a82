"""MCFG: where PCI configuration space is memory. Source: PCI Firmware Specification 3.3, 4.1.2."""

from collections.abc import Iterator
from typing import Annotated, Final

from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import Area, ConfigurationWindow, Part, Structure, Use, entries, part
from warily.formats.acpi_table import AcpiTable

BUS_SIZE: Final = 1 << 20


@layout(44, source="PCI Firmware Specification 3.3, 4.1.2 MCFG Table")
class Mcfg(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    reserved: Annotated[bytes, octets(36, 8)]


@layout(16, source="PCI Firmware Specification 3.3, table 4-3")
class Allocation(Structure):
    """The window of one segment: `base` is where bus 0 would be."""

    base: Annotated[ConfigurationWindow, u64(0)]
    segment: Annotated[int, u16(8)]
    first_bus: Annotated[int, u8(10)]
    last_bus: Annotated[int, u8(11)]
    reserved: Annotated[int, u32(12)]

    def areas(self) -> Iterator[Area]:
        """One MiB for each bus of the window."""
        buses = max(self.last_bus - self.first_bus + 1, 1)
        start = self.base + self.first_bus * BUS_SIZE
        yield Area(field="base", offset=0, use=Use.WINDOW, start=start, size=buses * BUS_SIZE)


def mcfg(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a window."""
    yield part(table, Mcfg, 0, Mcfg.SIZE, "MCFG")
    yield from entries(table, Allocation, Mcfg.SIZE, "window")
