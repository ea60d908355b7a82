"""TPM2, TCPA, CCEL, TDEL, SVKL and DRTM: trusted platform modules, event logs, keys handed over in memory."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.errors import FormatError
from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import (
    PAGE,
    Area,
    GenericAddress,
    MemoryPointer,
    Part,
    SharedMemory,
    Structure,
    Use,
    declared_areas,
    entries,
    fixed,
    part,
)
from warily.formats.acpi_table import HEADER_SIZE, AcpiTable

_TCG: Final = "TCG ACPI Specification 1.2 revision 8, "
CONTROL_SIZE: Final = 0x30
MEMORY_MAPPED: Final = frozenset((6, 7, 8, 11, 13, 15))
"""Start methods whose control area is registers of the device."""


@layout(76, source=_TCG + "table 7: TPM2")
class Tpm2(Structure):
    """The control area, and the event log where the table is long enough to name one."""

    MINIMUM: ClassVar[int] = 52
    SIZES: ClassVar[Mapping[str, int | str]] = {"control_area": CONTROL_SIZE, "log": "log_size"}

    header: Annotated[bytes, octets(0, HEADER_SIZE)]
    platform_class: Annotated[int, u16(36)]
    reserved: Annotated[int, u16(38)]
    control_area: Annotated[MemoryPointer, u64(40)]
    start_method: Annotated[int, u32(48)]
    parameters: Annotated[bytes, octets(52, 12)]
    log_size: Annotated[int, u32(64)]
    log: Annotated[MemoryPointer, u64(68)]

    def areas(self) -> Iterator[Area]:
        """Control area and log; a control area of registers is a window of the device as well."""
        yield from declared_areas(self)
        if self.start_method in MEMORY_MAPPED and self.control_area:
            yield Area(field="control_area", offset=40, use=Use.WINDOW, start=self.control_area, size=CONTROL_SIZE)


@layout(50, source=_TCG + "table 2: TCPA of a client")
class TcpaClient(Structure):
    """The event log of a TPM 1.2."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"log": "log_size"}

    header: Annotated[bytes, octets(0, HEADER_SIZE)]
    platform_class: Annotated[int, u16(36)]
    log_size: Annotated[int, u32(38)]
    log: Annotated[MemoryPointer, u64(42)]


@layout(100, source=_TCG + "table 3: TCPA of a server")
class TcpaServer(Structure):
    """Likewise, with the device's registers."""

    MINIMUM: ClassVar[int] = 56
    SIZES: ClassVar[Mapping[str, int | str]] = {"log": "log_size"}

    header: Annotated[bytes, octets(0, HEADER_SIZE)]
    platform_class: Annotated[int, u16(36)]
    reserved: Annotated[int, u16(38)]
    log_size: Annotated[int, u64(40)]
    log: Annotated[MemoryPointer, u64(48)]
    device: Annotated[bytes, octets(56, 12)]
    base: Annotated[GenericAddress, octets(68, 12)]
    reserved_1: Annotated[int, u32(80)]
    configuration: Annotated[GenericAddress, octets(84, 12)]
    pci: Annotated[bytes, octets(96, 4)]


@layout(56, source="Intel GHCI for TDX 1.5, 4.3.3 CCEL")
class Ccel(Structure):
    """The event log of a confidential guest, which user space reads as such."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"log": "log_size"}

    header: Annotated[bytes, octets(0, HEADER_SIZE)]
    type: Annotated[int, u8(36)]
    subtype: Annotated[int, u8(37)]
    reserved: Annotated[int, u16(38)]
    log_size: Annotated[int, u64(40)]
    log: Annotated[SharedMemory, u64(48)]


@layout(16, source="Intel GHCI for TDX 1.0, 4.4 Storage Volume Key Data")
class VolumeKey(Structure):
    """A key that something before the kernel left in memory."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"key": "size"}

    type: Annotated[int, u16(0)]
    format: Annotated[int, u16(2)]
    size: Annotated[int, u32(4)]
    key: Annotated[SharedMemory, u64(8)]


@layout(92, source="TCG D-RTM Architecture 1.0, ACPI DRTM table")
class Drtm(Structure):
    """Where a dynamic launch begins, ends and logs."""

    SIZES: ClassVar[Mapping[str, int | str]] = {
        "entry_base": "entry_length",
        "entry_32": 1,
        "entry_64": 1,
        "exit": 1,
        "log": "log_size",
        "architecture": PAGE,
    }

    header: Annotated[bytes, octets(0, HEADER_SIZE)]
    entry_base: Annotated[MemoryPointer, u64(36)]
    entry_length: Annotated[int, u64(44)]
    entry_32: Annotated[MemoryPointer, u32(52)]
    entry_64: Annotated[MemoryPointer, u64(56)]
    exit: Annotated[MemoryPointer, u64(64)]
    log: Annotated[MemoryPointer, u64(72)]
    log_size: Annotated[int, u32(80)]
    architecture: Annotated[MemoryPointer, u64(84)]


def tpm2(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Tpm2, "TPM2")


def tcpa(table: AcpiTable) -> Iterator[Part]:
    """The table as one part: which of the two layouts, its platform class says."""
    server = int.from_bytes(table.raw[36:38], "little") == 1
    yield fixed(table, TcpaServer if server else TcpaClient, "TCPA")


def ccel(table: AcpiTable) -> Iterator[Part]:
    """The table as one part; TDEL, which it replaced, has the log in the same place."""
    yield fixed(table, Ccel, table.signature)


def svkl(table: AcpiTable) -> Iterator[Part]:
    """One part a key."""
    if table.length < HEADER_SIZE + 4:
        raise FormatError("SVKL: the number of keys is missing")
    return entries(table, VolumeKey, HEADER_SIZE + 4, "key", int.from_bytes(table.raw[36:40], "little"))


def drtm(table: AcpiTable) -> Iterator[Part]:
    """The fixed part; lists of resources follow it unread."""
    yield part(table, Drtm, 0, table.length, "DRTM")
