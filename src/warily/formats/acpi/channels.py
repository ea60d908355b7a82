"""PCCT: memory through which kernel and platform talk. Source: ACPI 6.5, chapter 14."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import GenericAddress, Part, SharedMemory, Structure, chain, part
from warily.formats.acpi_table import AcpiTable


@layout(48, source="ACPI 6.5, 14.1 Platform Communications Channel Table")
class Pcct(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    flags: Annotated[int, u32(36)]
    reserved: Annotated[int, u64(40)]


@layout(90, source="ACPI 6.5, 14.1.2 Generic, 14.1.3 and 14.1.4 HW-Reduced Communications Subspace")
class Subspace(Structure):
    """Shared memory and a doorbell; type 2 also has a register to acknowledge with."""

    MINIMUM: ClassVar[int] = 62
    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    interrupt: Annotated[bytes, octets(2, 6)]
    base: Annotated[SharedMemory, u64(8)]
    size: Annotated[int, u64(16)]
    doorbell: Annotated[GenericAddress, octets(24, 12)]
    preserve: Annotated[int, u64(36)]
    write: Annotated[int, u64(44)]
    latency: Annotated[int, u32(52)]
    access_rate: Annotated[int, u32(56)]
    turnaround: Annotated[int, u16(60)]
    acknowledge: Annotated[GenericAddress, octets(62, 12)]
    acknowledge_masks: Annotated[bytes, octets(74, 16)]


@layout(164, source="ACPI 6.5, 14.1.5 Extended PCC Subspace")
class ExtendedSubspace(Structure):
    """Shared memory and five registers."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    interrupt: Annotated[bytes, octets(2, 6)]
    base: Annotated[SharedMemory, u64(8)]
    size: Annotated[int, u32(16)]
    doorbell: Annotated[GenericAddress, octets(20, 12)]
    doorbell_masks: Annotated[bytes, octets(32, 16)]
    timing: Annotated[bytes, octets(48, 12)]
    acknowledge: Annotated[GenericAddress, octets(60, 12)]
    acknowledge_masks: Annotated[bytes, octets(72, 24)]
    complete: Annotated[GenericAddress, octets(96, 12)]
    complete_mask: Annotated[int, u64(108)]
    update: Annotated[GenericAddress, octets(116, 12)]
    update_masks: Annotated[bytes, octets(128, 16)]
    error: Annotated[GenericAddress, octets(144, 12)]
    error_mask: Annotated[int, u64(156)]


@layout(96, source="ACPI 6.5, 14.1.6 HW Registers based Communications Subspace")
class RegisterSubspace(Structure):
    """Registers in place of shared memory."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"base": "size"}

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    version: Annotated[int, u16(2)]
    base: Annotated[SharedMemory, u64(4)]
    size: Annotated[int, u64(12)]
    doorbell: Annotated[GenericAddress, octets(20, 12)]
    doorbell_masks: Annotated[bytes, octets(32, 16)]
    complete: Annotated[GenericAddress, octets(48, 12)]
    complete_mask: Annotated[int, u64(60)]
    error: Annotated[GenericAddress, octets(68, 12)]
    error_mask: Annotated[int, u64(80)]
    timing: Annotated[bytes, octets(88, 8)]


SUBSPACES: Final[dict[int, tuple[str, type[Structure]]]] = {
    0: ("generic subspace", Subspace),
    1: ("hardware-reduced subspace", Subspace),
    2: ("hardware-reduced subspace 2", Subspace),
    3: ("extended subspace", ExtendedSubspace),
    4: ("extended subspace of the platform", ExtendedSubspace),
    5: ("register subspace", RegisterSubspace),
}


def pcct(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a subspace."""
    yield part(table, Pcct, 0, Pcct.SIZE, "PCCT")
    yield from chain(table, Pcct.SIZE, SUBSPACES, head=(1, 1, 1))
