"""The memory map as QEMU hands it to firmware: fw_cfg file `etc/e820`.

Source: QEMU hw/i386/e820_memory_layout.h, struct e820_entry.
"""

from enum import IntEnum
from typing import Annotated, Final

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, u32, u64

MAX_ENTRIES: Final = 4096


class MemoryKind(IntEnum):
    """What a range is for."""

    RAM = 1
    RESERVED = 2
    ACPI = 3
    NVS = 4
    UNUSABLE = 5


@layout(20, source="QEMU hw/i386/e820_memory_layout.h, struct e820_entry")
class MemoryEntry(Layout):
    """One range of addresses."""

    start: Annotated[int, u64(0)]
    size: Annotated[int, u64(8)]
    kind: Annotated[MemoryKind, u32(16)]


def entries(data: bytes) -> list[MemoryEntry]:
    """The ranges. Raises `FormatError` unless the bytes are whole entries of known kinds."""
    if len(data) % MemoryEntry.SIZE or len(data) > MAX_ENTRIES * MemoryEntry.SIZE:
        msg = f"e820: {len(data)} bytes are not entries of {MemoryEntry.SIZE}"
        raise FormatError(msg)
    return [MemoryEntry.unpack(data[at : at + MemoryEntry.SIZE]) for at in range(0, len(data), MemoryEntry.SIZE)]
