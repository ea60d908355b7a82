"""The interface report of a PCIe function in a TEE (PCIe 6.1, section 11.3.11, DEVICE_INTERFACE_REPORT).

It says which memory ranges of the function belong to the guest, and what the function may do besides. Numbers are
little-endian. It has no signature of its own: it is worth what the SPDM session is worth that brought it.
"""

from dataclasses import dataclass
from enum import IntFlag
from itertools import pairwise
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._layout import Layout, layout, u16, u32, u64

PAGE: Final = 4096
LIMIT: Final = 1 << 20
MAX_RANGES: Final = 1 << 12
ADDRESS_END: Final = 1 << 64


class InterfaceBit(IntFlag):
    """What the function may do (INTERFACE_INFO)."""

    NO_UPDATE_AFTER_LOCK = 1 << 0
    DMA_WITHOUT_PASID = 1 << 1
    DMA_WITH_PASID = 1 << 2
    ATS = 1 << 3
    PRS = 1 << 4


class RangeBit(IntFlag):
    """What a range is (MMIO range attributes)."""

    MSIX_TABLE = 1 << 0
    MSIX_PENDING = 1 << 1
    NOT_TEE = 1 << 2
    UPDATABLE = 1 << 3


@layout(16, source="PCIe 6.1, table of DEVICE_INTERFACE_REPORT")
class InterfaceHead(Layout):
    """The fixed part before the ranges."""

    interface: Annotated[int, u16(0)]
    msix_control: Annotated[int, u16(4)]
    lnr_control: Annotated[int, u16(6)]
    tph_control: Annotated[int, u32(8)]
    range_count: Annotated[int, u32(12)]


@layout(16, source="PCIe 6.1, MMIO range of DEVICE_INTERFACE_REPORT")
class MmioRange(Layout):
    """One range: its first page (of 4 KiB, plus the offset that the guest chose), its length in pages, what it is."""

    first_page: Annotated[int, u64(0)]
    pages: Annotated[int, u32(8)]
    attributes: Annotated[int, u16(12)]
    id: Annotated[int, u16(14)]

    @property
    def end(self) -> int:
        """The first page after the range."""
        return self.first_page + self.pages


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceReport:
    """A whole report. Nothing is judged here: ranges may overlap."""

    head: InterfaceHead
    ranges: tuple[MmioRange, ...]
    device_specific: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The report that `data` is. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"TDISP report: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        reader = Cursor(data, what="TDISP report")
        head = reader.read(InterfaceHead, "head")
        if head.range_count > MAX_RANGES or head.range_count * MmioRange.SIZE > reader.remaining:
            msg = f"TDISP report: {head.range_count} ranges where {reader.remaining} bytes remain"
            raise FormatError(msg)
        ranges = tuple(reader.read(MmioRange, f"range {at}") for at in range(head.range_count))
        specific = reader.counted(4, "device-specific part", limit=LIMIT)
        reader.finish()
        return cls(head=head, ranges=ranges, device_specific=specific)

    def encode(self) -> bytes:
        """The report as it is sent."""
        ranges = b"".join(entry.pack() for entry in self.ranges)
        return self.head.pack() + ranges + len(self.device_specific).to_bytes(4, "little") + self.device_specific

    def contradictions(self) -> tuple[str, ...]:
        """Ranges that are empty, leave the address space, or overlap; each said in one sentence."""
        strange = [entry for entry in self.ranges if not entry.pages or entry.end * PAGE > ADDRESS_END]
        said = [f"the range at page {entry.first_page:#x} is empty or leaves the address space" for entry in strange]
        for before, after in pairwise(sorted(self.ranges, key=lambda entry: entry.first_page)):
            if before.end > after.first_page:
                said.append(f"the ranges at pages {before.first_page:#x} and {after.first_page:#x} overlap")
        return tuple(said)
