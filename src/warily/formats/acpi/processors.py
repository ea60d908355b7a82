"""PPTT: how processors and their caches are put together. Source: ACPI 6.5, 5.2.30."""

from collections.abc import Iterator
from typing import Annotated, Final

from warily.formats._layout import layout, octets, u8, u16, u32
from warily.formats.acpi._parts import Part, Structure, chain
from warily.formats.acpi_table import HEADER_SIZE, AcpiTable

_REFERENCE: Final = 4


@layout(20, source="ACPI 6.5, 5.2.30.1 Processor Hierarchy Node Structure")
class ProcessorNode(Structure):
    """A processor or a group of them; offsets of its caches follow, four bytes each."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]
    flags: Annotated[int, u32(4)]
    parent: Annotated[int, u32(8)]
    uid: Annotated[int, u32(12)]
    resources: Annotated[int, u32(16)]


@layout(24, source="ACPI 6.5, 5.2.30.2 Cache Type Structure")
class Cache(Structure):
    """A cache, and the offset of the next level of it."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]
    flags: Annotated[int, u32(4)]
    next_level: Annotated[int, u32(8)]
    size: Annotated[int, u32(12)]
    shape: Annotated[bytes, octets(16, 8)]


@layout(4, source="ACPI 6.2, 5.2.29.3 ID Structure")
class Identity(Structure):
    """Who made it."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    reserved: Annotated[int, u16(2)]


def pptt(table: AcpiTable) -> Iterator[Part]:
    """One part a node."""
    kinds: dict[int, tuple[str, type[Structure]]] = {
        0: ("processor", ProcessorNode),
        1: ("cache", Cache),
        2: ("identity", Identity),
    }
    return chain(table, HEADER_SIZE, kinds, head=(1, 1, 1))


def references(part: Part) -> Iterator[tuple[str, int]]:
    """Which other parts of the PPTT this one names, by their offset."""
    if isinstance(part.value, ProcessorNode):
        if part.value.parent:
            yield "parent", part.value.parent
        wanted = min(part.value.resources, len(part.rest) // _REFERENCE)
        for number in range(wanted):
            at = number * _REFERENCE
            yield f"resource {number}", int.from_bytes(part.rest[at : at + _REFERENCE], "little")
    elif isinstance(part.value, Cache) and part.value.next_level:
        yield "next level", part.value.next_level
