"""Devices that make a kernel driver listen to the host.

Source: ACPI 6.5, 6.1.2 _CID, 6.1.5 _HID, 6.2.2 _CRS; 19.3.4 EISAID encoding.
"""

from collections.abc import Iterable, Iterator

from warily.acpi.bytecode.hotplug import (
    BRIDGES,
    DRIVERS_FED_BY_THE_HOST,
    IN_THE_DSDT,
    OF_OTHER_HYPERVISORS,
    OF_QEMU,
    SYSTEM_BOARD,
)
from warily.acpi.bytecode.resources import memory_of
from warily.acpi.bytecode.things import Buffer, Package, Text
from warily.acpi.bytecode.values import Value, points_of, things_of
from warily.core.ranges import RangeSet


def eisa_name(number: int) -> str:
    """The seven characters that a compressed identifier stands for."""
    swapped = int.from_bytes((number & 0xFFFF_FFFF).to_bytes(4, "little"), "big")
    letters = "".join(chr(0x40 + (swapped >> shift & 0x1F)) for shift in (26, 21, 16))
    return f"{letters}{swapped & 0xFFFF:04X}"


def identifiers(value: Value) -> Iterator[str]:
    """Every identifier that an evaluated `_HID` may be."""
    yield from _single(value)
    for each in things_of(value):
        if isinstance(each, Package):
            for element in each.elements:
                yield from _single(element)


def _single(value: Value) -> Iterator[str]:
    """The identifiers that one element of a `_CID` may be."""
    yield from map(eisa_name, sorted(points_of(value) or ()))
    yield from sorted(each.text for each in things_of(value) if isinstance(each, Text))


def fed_by_host(value: Value, signature: str) -> Iterator[tuple[str, str]]:
    """Identifier and reason, for those in a table of that signature whose driver takes its orders from the host."""
    for name in identifiers(value):
        if name in DRIVERS_FED_BY_THE_HOST:
            yield name, DRIVERS_FED_BY_THE_HOST[name]
        elif name in IN_THE_DSDT and signature != "DSDT":
            yield name, f"{IN_THE_DSDT[name]} that a {signature} adds"
        elif name.upper().startswith(OF_OTHER_HYPERVISORS) and name not in OF_QEMU:
            yield name, "a device of another hypervisor's"


def over_memory(names: Iterable[str], resources: Value, memory: RangeSet) -> Iterator[str]:
    """What is wrong with `_CRS`: registers that are memory. The system board's resources are reservations."""
    known = set(names)
    if known & SYSTEM_BOARD:
        return
    for each in things_of(resources):
        if isinstance(each, Buffer):
            for wanted in memory_of(each, passes_on=bool(known & BRIDGES)):
                overlap = memory.first_overlap(wanted)
                if overlap is not None:
                    yield f"says that it has {wanted}, of which {overlap} is memory"
