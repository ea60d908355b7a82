"""HEST, BERT, ERST and EINJ: where hardware errors are written, kept and made. Source: ACPI 6.5, chapter 18."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from warily.errors import FormatError
from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import GenericAddress, Part, SharedMemory, Structure, entries, fixed, part
from warily.formats.acpi_table import AcpiTable

BANK_SIZE: Final = 28
_NOTHING: Final = 28  # of a notification structure


@layout(40, source="ACPI 6.5, 18.3.2 Hardware Error Source Table")
class Hest(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    count: Annotated[int, u32(36)]


@layout(40, source="ACPI 6.5, 18.3.2.1 IA-32 Architecture Machine Check Exception")
class MachineCheck(Structure):
    """Banks of model-specific registers follow, 28 bytes each."""

    head: Annotated[bytes, octets(0, 32)]
    banks: Annotated[int, u8(32)]
    reserved: Annotated[bytes, octets(33, 7)]


@layout(48, source="ACPI 6.5, 18.3.2.2 Corrected, 18.3.2.10 Deferred Machine Check")
class CorrectedCheck(Structure):
    """Likewise, with a notification."""

    head: Annotated[bytes, octets(0, 16)]
    notification: Annotated[bytes, octets(16, 28)]
    banks: Annotated[int, u8(44)]
    reserved: Annotated[bytes, octets(45, 3)]


@layout(20, source="ACPI 6.5, 18.3.2.3 IA-32 Architecture NMI")
class NmiError(Structure):
    """Non-maskable interrupts as a source of errors."""

    head: Annotated[bytes, octets(0, 20)]


@layout(44, source="ACPI 6.5, 18.3.2.5 PCI Express Device AER; .4 root port; .6 bridge")
class Aer(Structure):
    """Advanced error reporting of PCI Express: registers by bus, device and function."""

    head: Annotated[bytes, octets(0, 44)]


@layout(64, source="ACPI 6.5, 18.3.2.7 Generic Hardware Error Source")
class GenericError(Structure):
    """`status` is a register that holds the address of an error status block."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"status": 8}

    type: Annotated[int, u16(0)]
    id: Annotated[int, u16(2)]
    related: Annotated[int, u16(4)]
    flags: Annotated[int, u8(6)]
    enabled: Annotated[int, u8(7)]
    records: Annotated[int, u32(8)]
    sections: Annotated[int, u32(12)]
    raw_length: Annotated[int, u32(16)]
    status: Annotated[GenericAddress, octets(20, 12)]
    notification: Annotated[bytes, octets(32, 28)]
    block_length: Annotated[int, u32(60)]


@layout(92, source="ACPI 6.5, 18.3.2.8 Generic Hardware Error Source version 2")
class GenericError2(Structure):
    """Likewise, with a register that the kernel writes to say that it has read."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"status": 8, "acknowledge": 8}

    type: Annotated[int, u16(0)]
    id: Annotated[int, u16(2)]
    related: Annotated[int, u16(4)]
    flags: Annotated[int, u8(6)]
    enabled: Annotated[int, u8(7)]
    records: Annotated[int, u32(8)]
    sections: Annotated[int, u32(12)]
    raw_length: Annotated[int, u32(16)]
    status: Annotated[GenericAddress, octets(20, 12)]
    notification: Annotated[bytes, octets(32, 28)]
    block_length: Annotated[int, u32(60)]
    acknowledge: Annotated[GenericAddress, octets(64, 12)]
    acknowledge_preserve: Annotated[int, u64(76)]
    acknowledge_write: Annotated[int, u64(84)]


_SOURCES: Final[dict[int, tuple[str, type[Structure], int]]] = {
    0: ("machine check", MachineCheck, 40),
    1: ("corrected machine check", CorrectedCheck, 48),
    2: ("NMI", NmiError, 20),
    6: ("PCI Express root port", Aer, 48),
    7: ("PCI Express device", Aer, 44),
    8: ("PCI Express bridge", Aer, 56),
    9: ("generic error source", GenericError, 64),
    10: ("generic error source 2", GenericError2, 92),
    11: ("deferred machine check", CorrectedCheck, 48),
}


@layout(48, source="ACPI 6.5, 18.3.1 Boot Error Record Table")
class Bert(Structure):
    """Where the errors of the boot before were left."""

    SIZES: ClassVar[Mapping[str, int | str]] = {"region": "size"}

    header: Annotated[bytes, octets(0, 36)]
    size: Annotated[int, u32(36)]
    region: Annotated[SharedMemory, u64(40)]


@layout(48, source="ACPI 6.5, 18.5.1 Error Record Serialization Table")
class Erst(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    header_length: Annotated[int, u32(36)]
    reserved: Annotated[int, u32(40)]
    count: Annotated[int, u32(44)]


@layout(48, source="ACPI 6.5, 18.6.1 Error Injection Table")
class Einj(Structure):
    """The fixed part."""

    header: Annotated[bytes, octets(0, 36)]
    header_length: Annotated[int, u32(36)]
    flags: Annotated[int, u8(40)]
    reserved: Annotated[bytes, octets(41, 3)]
    count: Annotated[int, u32(44)]


@layout(32, source="ACPI 6.5, 18.5.1.1 Serialization Instruction, 18.6.2 Injection Instruction")
class Instruction(Structure):
    """One register access that an action consists of."""

    action: Annotated[int, u8(0)]
    instruction: Annotated[int, u8(1)]
    flags: Annotated[int, u8(2)]
    reserved: Annotated[int, u8(3)]
    region: Annotated[GenericAddress, octets(4, 12)]
    value: Annotated[int, u64(16)]
    mask: Annotated[int, u64(24)]


def hest(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part a source. A type without known length ends it with `FormatError`."""
    yield part(table, Hest, 0, Hest.SIZE, "HEST")
    at = Hest.SIZE
    for index in range(int.from_bytes(table.raw[36:40], "little")):
        kind = int.from_bytes(table.raw[at : at + 2], "little")
        if kind not in _SOURCES or at + 2 > table.length:
            msg = f"HEST: source {index} at {at:#x}: type {kind:#x} has no known length"
            raise FormatError(msg)
        name, form, size = _SOURCES[kind]
        each = part(table, form, at, at + size, f"{name} {index}")
        if isinstance(each.value, MachineCheck | CorrectedCheck):
            size += each.value.banks * BANK_SIZE
            each = part(table, form, at, at + size, each.name)
        yield each
        at += size


def bert(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Bert, "BERT")


def erst(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part an instruction."""
    yield part(table, Erst, 0, Erst.SIZE, "ERST")
    yield from entries(table, Instruction, Erst.SIZE, "instruction", int.from_bytes(table.raw[44:48], "little"))


def einj(table: AcpiTable) -> Iterator[Part]:
    """The fixed part, then one part an instruction."""
    yield part(table, Einj, 0, Einj.SIZE, "EINJ")
    yield from entries(table, Instruction, Einj.SIZE, "instruction", int.from_bytes(table.raw[44:48], "little"))
