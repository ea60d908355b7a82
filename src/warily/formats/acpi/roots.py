"""RSDP, RSDT and XSDT: where the other tables lie. Source: ACPI 6.5, 5.2.5, 5.2.7 and 5.2.8."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u8, u32, u64
from warily.formats.acpi._parts import Part, Structure, TablePointer, entries
from warily.formats.acpi_table import HEADER_SIZE, AcpiTable

SIGNATURE: Final = b"RSD PTR "
SHORT: Final = 20


@layout(SHORT, source="ACPI 1.0, 5.2.4.1 Root System Description Pointer")
class RsdpHead(Layout):
    """What revision 0 has, and the first part of later ones."""

    signature: Annotated[bytes, octets(0, 8)]
    checksum: Annotated[int, u8(8)]
    oem_id: Annotated[bytes, octets(9, 6)]
    revision: Annotated[int, u8(15)]
    rsdt: Annotated[int, u32(16)]


@layout(16, source="ACPI 6.5, 5.2.5.3 Root System Description Pointer Structure, from offset 20")
class RsdpTail(Layout):
    """What revision 2 adds."""

    length: Annotated[int, u32(0)]
    xsdt: Annotated[int, u64(4)]
    extended_checksum: Annotated[int, u8(12)]
    reserved: Annotated[bytes, octets(13, 3)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rsdp:
    """The pointer to RSDT and, from revision 2 on, XSDT."""

    head: RsdpHead
    tail: RsdpTail | None
    raw: bytes

    @property
    def checksums_hold(self) -> bool:
        """Whether the first 20 bytes, and all 36 where there are as many, add up to zero."""
        return sum(self.raw[:SHORT]) % 256 == 0 and sum(self.raw) % 256 == 0

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The structure that 20 bytes, or 36 of revision 2, encode. Raises `FormatError`."""
        size = SHORT + RsdpTail.SIZE
        if len(data) not in (SHORT, size):
            msg = f"RSDP: {len(data)} bytes where {SHORT} or {size} are specified"
            raise FormatError(msg)
        head = RsdpHead.unpack(data[:SHORT])
        tail = RsdpTail.unpack(data[SHORT:]) if len(data) == size else None
        if head.signature != SIGNATURE or (tail is not None) != (head.revision >= 2):
            raise FormatError("RSDP: signature, revision and length do not agree")
        if tail is not None and tail.length != size:
            msg = f"RSDP: it says {tail.length} bytes, {size} are there"
            raise FormatError(msg)
        return cls(head=head, tail=tail, raw=bytes(data))


@layout(4, source="ACPI 6.5, 5.2.7 Root System Description Table")
class RsdtEntry(Structure):
    """One table's address."""

    table: Annotated[TablePointer, u32(0)]


@layout(8, source="ACPI 6.5, 5.2.8 Extended System Description Table")
class XsdtEntry(Structure):
    """One table's address."""

    table: Annotated[TablePointer, u64(0)]


def rsdt(table: AcpiTable) -> Iterator[Part]:
    """One part an entry."""
    return entries(table, RsdtEntry, HEADER_SIZE, "entry")


def xsdt(table: AcpiTable) -> Iterator[Part]:
    """One part an entry."""
    return entries(table, XsdtEntry, HEADER_SIZE, "entry")
