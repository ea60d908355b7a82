"""What static tables say about the machine, compared with its memory, with each other and with themselves."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from warily.acpi.finding import AcpiFinding
from warily.core.ranges import MAX_ADDRESS, Range, RangeSet
from warily.formats.acpi._parts import Part, TablePointer
from warily.formats.acpi.fadt import Facs, Fadt
from warily.formats.acpi.iommu import ReservedMemory
from warily.formats.acpi.madt import IoApic, LocalApic, LocalApicOverride, LocalX2Apic, Madt
from warily.formats.acpi.memory import (
    ENABLED,
    HOT_PLUGGABLE,
    DeviceAffinity,
    DomainAttributes,
    GicAffinity,
    HartAffinity,
    MemoryAffinity,
    ProcessorAffinity,
    SideCache,
    Slit,
    X2ApicAffinity,
)
from warily.formats.acpi.pci import BUS_SIZE, Allocation
from warily.formats.acpi.processors import references
from warily.formats.acpi.roots import RsdtEntry, XsdtEntry
from warily.formats.acpi.trust import Ccel
from warily.formats.acpi_table import AcpiTable

Read = Sequence[tuple[AcpiTable, list[Part]]]

LOCAL_APIC: Final = 0xFEE00000
FIXED_DEVICES: Final = Range(0xFEC00000, 1 << 32)
"""Interrupt controllers, timers, TPM and firmware of a PC: never memory."""
FIRMWARE: Final = 0xFF000000
"""From here on the firmware itself may lie, with tables in it."""
FIRMWARE_KEEPS: Final = 64 << 20
"""How much memory of its own a firmware may keep out of the map: tables still count it."""
LOW_MEMORY: Final = 1 << 20
PRESENT: Final = 0x3  # enabled, or may be brought online
NEAR: Final = 10
CC_TYPES: Final = (1, 2)  # AMD SEV, Intel TDX
ONCE: Final = frozenset(
    ("APIC", "BERT", "CCEL", "DSDT", "EINJ", "ERST", "FACP", "FACS", "HEST", "HMAT", "HPET", "MCFG", "PCCT")
) | frozenset(("RSDT", "SLIT", "SRAT", "TPM2", "XSDT"))


def contradictions(read: Read, memory: RangeSet | None) -> Iterator[AcpiFinding]:
    """Every contradiction, as `STATIC_INCONSISTENT`. `memory` is None where the machine's map is not known."""
    counts = Counter(table.signature for table, _ in read)
    for signature in sorted(ONCE & counts.keys()):
        if counts[signature] > 1:
            yield _finding(signature, f"{counts[signature]} tables where a machine has one")
    domains = _domains(read)
    for table, parts in read:
        for part in parts:
            yield from _alone(table, part, domains)
        yield from _processors(table, parts)
        yield from _affinities(table, parts, memory)
        yield from _windows(table, parts)
        yield from _entries(table, parts)
        yield from _tables_in_devices(table, parts)
        yield from _topology(table, parts)


def _finding(where: str, evidence: str) -> AcpiFinding:
    return AcpiFinding(id="STATIC_INCONSISTENT", where=where, reach="boot", evidence=evidence)


def _where(table: AcpiTable, part: Part) -> str:
    return f"{table.signature}+{part.offset:#x} {part.name}"


def _alone(table: AcpiTable, part: Part, domains: frozenset[int]) -> Iterator[AcpiFinding]:
    """What one structure says wrongly by itself, or about domains that nobody is in."""
    value, where = part.value, _where(table, part)
    match value:
        case Fadt():
            yield from _fadt(where, value)
        case Madt() if value.local_apic not in (0, LOCAL_APIC):
            yield _finding(where, f"the local APIC is said to be at {int(value.local_apic):#x}")
        case LocalApicOverride() if value.address not in (0, LOCAL_APIC):
            yield _finding(where, f"the local APIC is said to be at {int(value.address):#x}")
        case Ccel() if table.signature == "CCEL" and value.type not in CC_TYPES:
            yield _finding(where, f"an event log of a confidential guest of type {value.type}")
        case Facs() if value.global_lock:
            yield _finding(where, f"the global lock is said to be held: {value.global_lock:#x}")
        case ReservedMemory() if value.limit < value.base:
            yield _finding(where, f"reserved memory from {value.base:#x} to {value.limit:#x}")
        case Slit():
            yield from _distances(where, part, value.localities, domains)
        case DomainAttributes() if domains and value.memory_domain not in domains:
            yield _finding(where, f"memory domain {value.memory_domain} is in no SRAT entry")
        case SideCache() if domains and value.memory_domain not in domains:
            yield _finding(where, f"memory domain {value.memory_domain} is in no SRAT entry")
        case _:
            return


def _fadt(where: str, fadt: Fadt) -> Iterator[AcpiFinding]:
    """The 32-bit fields and the 64-bit ones that replace them, where both are used."""
    if fadt.dsdt and fadt.x_dsdt and fadt.dsdt != fadt.x_dsdt:
        yield _finding(where, f"the DSDT is at {int(fadt.dsdt):#x} and at {int(fadt.x_dsdt):#x}")
    if fadt.facs and fadt.x_facs and fadt.facs != fadt.x_facs:
        yield _finding(where, f"the FACS is at {int(fadt.facs):#x} and at {int(fadt.x_facs):#x}")
    for short in (
        "pm1a_event",
        "pm1b_event",
        "pm1a_control",
        "pm1b_control",
        "pm2_control",
        "pm_timer",
        "gpe0",
        "gpe1",
    ):
        port, register = getattr(fadt, short), getattr(fadt, f"x_{short}")
        if port and register.address and port != register.address:
            yield _finding(f"{where} {short}", f"port {port:#x}, and {register}")


def _distances(where: str, part: Part, count: int, domains: frozenset[int]) -> Iterator[AcpiFinding]:
    """Ten to itself, ten or more to others; and one row for every domain of the SRAT."""
    own = part.rest[:: count + 1] if count else b""
    if any(distance != NEAR for distance in own):
        yield _finding(where, "a locality that is not at distance 10 from itself")
    if any(distance < NEAR for distance in part.rest):
        yield _finding(where, "a distance below 10")
    if domains and max(domains) >= count:
        yield _finding(where, f"{count} localities, and the SRAT has domain {max(domains)}")


def _domains(read: Read) -> frozenset[int]:
    """The proximity domains that an SRAT puts something into."""
    kinds = (ProcessorAffinity, MemoryAffinity, X2ApicAffinity, GicAffinity, DeviceAffinity, HartAffinity)
    values = (part.value for _, parts in read for part in parts)
    return frozenset(value.domain for value in values if isinstance(value, kinds) and value.flags & ENABLED)


def _processors(table: AcpiTable, parts: Sequence[Part]) -> Iterator[AcpiFinding]:
    """Processors and I/O APICs that are listed twice."""
    seen: dict[tuple[str, int], str] = {}
    for part in parts:
        match part.value:
            case LocalApic() | LocalX2Apic() as value if value.flags & PRESENT:
                names = [("APIC id", value.apic_id), ("processor UID", value.uid)]
            case IoApic() as value:
                names = [("I/O APIC id", value.id), ("I/O APIC address", int(value.address))]
                names += [("I/O APIC interrupt base", value.base)]
            case _:
                continue
        for name in names:
            if name in seen:
                yield _finding(_where(table, part), f"{name[0]} {name[1]:#x} is already in {seen[name]}")
            seen.setdefault(name, _where(table, part))


def _affinities(table: AcpiTable, parts: Sequence[Part], memory: RangeSet | None) -> Iterator[AcpiFinding]:
    """Memory that the machine does not have, that two domains claim, or that is devices."""
    claimed: list[tuple[Range, Part]] = []
    for part in parts:
        value = part.value
        if not isinstance(value, MemoryAffinity) or not value.flags & ENABLED or not value.size:
            continue
        if value.base + value.size > MAX_ADDRESS:
            continue  # said by `static`
        wanted = Range(int(value.base), value.base + value.size)
        if not value.flags & HOT_PLUGGABLE:
            claimed.append((wanted, part))
            yield from _claim(_where(table, part), wanted, memory)
    claimed.sort(key=lambda each: each[0])
    for (first, one), (second, other) in pairwise(claimed):
        if first.overlaps(second):
            yield _finding(_where(table, other), f"{second} is claimed by {one.name} at {one.offset:#x} too: {first}")


def _claim(where: str, wanted: Range, memory: RangeSet | None) -> Iterator[AcpiFinding]:
    if wanted.overlaps(FIXED_DEVICES):
        yield _finding(where, f"{wanted} is said to be memory; {FIXED_DEVICES} is devices and firmware")
    if memory is None:
        return
    there = sum(
        min(each.end, wanted.end) - max(each.start, wanted.start) for each in memory.ranges if each.overlaps(wanted)
    )
    low = max(0, min(wanted.end, LOW_MEMORY) - wanted.start)
    missing = wanted.size - there - low
    if missing > FIRMWARE_KEEPS:
        yield _finding(where, f"{wanted} is said to be memory; {missing:#x} bytes of it are not there")


def _windows(table: AcpiTable, parts: Sequence[Part]) -> Iterator[AcpiFinding]:
    """Configuration windows that run backwards or over each other."""
    found: list[tuple[Range, Part]] = []
    for part in parts:
        value = part.value
        if not isinstance(value, Allocation):
            continue
        if value.last_bus < value.first_bus:
            yield _finding(_where(table, part), f"buses {value.first_bus} to {value.last_bus}")
            continue
        if value.base % BUS_SIZE:
            yield _finding(_where(table, part), f"{int(value.base):#x} is not aligned to a bus")
        start = value.base + value.first_bus * BUS_SIZE
        end = value.base + (value.last_bus + 1) * BUS_SIZE
        if end <= MAX_ADDRESS:
            found.append((Range(start, end), part))
    found.sort(key=lambda each: each[0])
    for (first, one), (second, other) in pairwise(found):
        if first.overlaps(second):
            yield _finding(_where(table, other), f"{second} overlaps {one.name}: {first}")


def _entries(table: AcpiTable, parts: Sequence[Part]) -> Iterator[AcpiFinding]:
    """An address that a root table lists twice. Zero is what a loader has not filled in yet."""
    seen: Mapping[int, int] = Counter(
        int(part.value.table) for part in parts if isinstance(part.value, RsdtEntry | XsdtEntry) and part.value.table
    )
    for address, count in seen.items():
        if count > 1:
            yield _finding(table.signature, f"{address:#x} is listed {count} times")


def _tables_in_devices(table: AcpiTable, parts: Sequence[Part]) -> Iterator[AcpiFinding]:
    """Tables that are said to lie where a PC has devices: whoever emulates these may change them at any time."""
    for part in parts:
        for name, (_, kind) in part.value.PLACES.items():
            address = int(getattr(part.value, name)) if kind is TablePointer else 0
            if FIXED_DEVICES.start <= address < FIRMWARE:
                yield _finding(f"{_where(table, part)} {name}", f"a table at {address:#x}, among devices")


def _topology(table: AcpiTable, parts: Sequence[Part]) -> Iterator[AcpiFinding]:
    """References of the PPTT that lead nowhere, or not towards what was listed before: a kernel follows them up."""
    if table.signature != "PPTT":
        return
    known = {part.offset for part in parts}
    for part in parts:
        for name, target in references(part):
            if target not in known or (name == "parent" and target >= part.offset):
                yield _finding(f"{_where(table, part)} {name}", f"a reference to offset {target:#x}")
