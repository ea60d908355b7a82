"""Static tables: every address that they name, against the machine's memory and its known devices.

No bytecode is needed to make a kernel touch memory: a register, a log or a mailbox at an address of the host's
choosing is enough. What tables say about the machine is compared in `consistency`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from warily.acpi.consistency import contradictions
from warily.acpi.finding import AcpiFinding
from warily.core.ranges import MAX_ADDRESS, Range, RangeSet
from warily.errors import FormatError
from warily.formats.acpi._parts import (
    MAX_PARTS,
    PCI_CONFIG,
    SPACES,
    Area,
    Opaque,
    Part,
    Structure,
    TruncatedError,
    Use,
    registers,
)
from warily.formats.acpi.known import BYTECODE, READERS
from warily.formats.acpi_table import AcpiTable

LOCAL_APIC: Final = Range(0xFEE00000, 0xFEF00000)
IO_APIC: Final = Range(0xFEC00000, 0xFEC01000)
EVENT_TIMERS: Final = Range(0xFED00000, 0xFED00400)
TPM: Final = Range(0xFED40000, 0xFED45000)
KNOWN_DEVICES: Final = (
    (LOCAL_APIC, "the local APIC", frozenset(("APIC",))),
    (IO_APIC, "the first I/O APIC", frozenset(("APIC",))),
    (EVENT_TIMERS, "the HPET", frozenset(("HPET",))),
    (TPM, "the TPM", frozenset(("TPM2", "TCPA", "DRTM"))),
)
"""Devices of a PC whose addresses are fixed, and the tables that may name them."""

FIRMWARE_DMA: Final = Range(0x510, 0x51C)
PCI_MECHANISM: Final = Range(0xCF8, 0xD00)
RESET_PORT: Final = 0xCF9
LAST_PORT: Final = 0xFFFF

_USER: Final = frozenset(("CCEL", "TDEL", "BGRT", "FPDT", "BDAT", "TCPA"))
_IDS: Final = {
    Use.REGISTER: "STATIC_GAS_RAM_WRITE",
    Use.MEMORY: "STATIC_POINTER_RAM",
    Use.WINDOW: "STATIC_MMIO_OVER_RAM",
}
_REGISTER_BLOCKS: Final = frozenset(("HPET", "SPCR", "DBG2", "DBGP"))
"""Tables whose register is the first of a block that belongs to one device."""


def inspect_static(tables: Sequence[AcpiTable], *, ram: Sequence[Range], known_map: bool = True) -> list[AcpiFinding]:
    """What is wrong with the tables that hold no bytecode, and with the headers of those that do.

    `ram` is the memory that the machine calls its own; with `known_map` false it was assumed, and what it does not
    hold is no contradiction. A table that breaks off is judged as far as it goes and is a `MALFORMED_` finding.
    """
    memory = RangeSet.of(ram)
    found: list[AcpiFinding] = []
    read: list[tuple[AcpiTable, list[Part]]] = []
    for table in tables:
        parts, problem = parts_of(table)
        found += problem
        read.append((table, parts))
        for each in parts:
            found += _addresses(table, each, memory)
            found += _spaces(table, each)
    return found + list(contradictions(read, memory if known_map else None))


def parts_of(table: AcpiTable) -> tuple[list[Part], list[AcpiFinding]]:
    """The typed parts of a table, as far as it can be read, and a finding where it cannot be read to its end."""
    parts: list[Part] = []
    if table.signature in BYTECODE or table.signature not in READERS:
        return parts, []
    try:
        for each in READERS[table.signature](table):
            if len(parts) == MAX_PARTS:
                msg = f"{table.signature}: over {MAX_PARTS} structures"
                raise FormatError(msg)  # noqa: TRY301  # said as the reader would say it
            parts.append(each)
    except FormatError as error:
        kind = "MALFORMED_TRUNCATED" if isinstance(error, TruncatedError) else "MALFORMED_LENGTH"
        return parts, [AcpiFinding(id=kind, where=table.signature, reach="parse", evidence=str(error))]
    return parts, []


def not_judged(tables: Sequence[AcpiTable]) -> list[str]:
    """Tables of unknown signature, and structures of unknown type: nothing is claimed about these."""
    names = [table.signature for table in tables if table.signature not in BYTECODE and table.signature not in READERS]
    for table in tables:
        parts, _ = parts_of(table)
        unknown = (each for each in parts if isinstance(each.value, Opaque) and each.name.startswith("type "))
        names += [f"{table.signature}+{each.offset:#x} {each.name}" for each in unknown]
    return names


def _addresses(table: AcpiTable, part: Part, memory: RangeSet) -> Iterator[AcpiFinding]:
    """Findings about each area that the part names."""
    if not isinstance(part.value, Structure):
        return
    for area in part.value.areas():
        where = place_of(table, part, area.field, area.offset)
        end = area.start + area.size
        if end > MAX_ADDRESS:
            evidence = f"{area.size:#x} bytes from {area.start:#x} leave the address space"
            yield AcpiFinding(id="STATIC_INCONSISTENT", where=where, reach="boot", evidence=evidence)
            continue
        wanted = Range(area.start, end)
        if area.use is not Use.ORDINARY:
            yield from _over_memory(table, where, area, memory.first_overlap(wanted))
            yield from _over_device(table, where, wanted)


def _over_memory(table: AcpiTable, where: str, area: Area, overlap: Range | None) -> Iterator[AcpiFinding]:
    if overlap is None:
        return
    reach = _reach(table, area.field)
    evidence = f"{area.size:#x} bytes at {area.start:#x}, of which {overlap} is memory"
    yield AcpiFinding(id=_IDS[area.use], where=where, reach=reach, evidence=evidence)
    if area.use is Use.REGISTER and table.signature in _REGISTER_BLOCKS:
        yield AcpiFinding(id=_IDS[Use.WINDOW], where=where, reach=reach, evidence=f"a block of registers: {evidence}")


def _over_device(table: AcpiTable, where: str, wanted: Range) -> Iterator[AcpiFinding]:
    for place, name, owners in KNOWN_DEVICES:
        if table.signature not in owners and place.overlaps(wanted):
            evidence = f"{wanted} overlaps {name} at {place}"
            yield AcpiFinding(id="STATIC_INCONSISTENT", where=where, reach=_reach(table, ""), evidence=evidence)


def _spaces(table: AcpiTable, part: Part) -> Iterator[AcpiFinding]:
    """Findings about registers that are not memory: ports that reach further, spaces that do not exist."""
    if not isinstance(part.value, Structure):
        return
    for name, offset, register in registers(part.value):
        if not register.address:
            continue
        where = place_of(table, part, name, offset)
        if register.space not in SPACES:
            evidence = f"{register}: there is no such space"
            yield AcpiFinding(id="STATIC_INCONSISTENT", where=where, reach="boot", evidence=evidence)
        elif register.space == PCI_CONFIG:
            yield AcpiFinding(id="PCI_CONFIG_WRITE", where=where, reach=_reach(table, name), evidence=str(register))
    for area in part.value.ports():
        yield from _port(table, place_of(table, part, area.field, area.offset), area)


def _port(table: AcpiTable, where: str, area: Area) -> Iterator[AcpiFinding]:
    reach = _reach(table, area.field)
    what = f"{area.size} bytes at port {area.start:#x}"
    if area.start + area.size - 1 > LAST_PORT:
        yield AcpiFinding(id="STATIC_INCONSISTENT", where=where, reach=reach, evidence=f"{what}: there is no such port")
        return
    wanted = Range(area.start, area.start + area.size)
    if wanted.overlaps(FIRMWARE_DMA):
        evidence = f"{what}: the host copies into memory on a write there"
        yield AcpiFinding(id="IO_FWCFG_DMA", where=where, reach=reach, evidence=evidence)
    if wanted.overlaps(PCI_MECHANISM) and wanted != Range(RESET_PORT, RESET_PORT + 1):
        evidence = f"{what}: PCI configuration space by ports"
        yield AcpiFinding(id="IO_PCI_MECH1", where=where, reach=reach, evidence=evidence)


def _reach(table: AcpiTable, field: str) -> str:
    """When the kernel, or a program, uses the address."""
    if field.startswith("reset"):
        return "reboot"
    if field.startswith("sleep"):
        return "power off"
    if table.signature in _USER or field == "log":
        return "user space reads"
    return "boot"


def place_of(table: AcpiTable, part: Part, field: str, offset: int) -> str:
    """Table, offset in it, part and field, for people."""
    name = "" if part.name == table.signature or part.offset == 0 else f"{part.name} "
    return f"{table.signature}+{part.offset + offset:#x} {name}{field}"
