"""The GUID partition table at the head of a disk, as firmware measures it.

Source: UEFI Specification 2.10, section 5.3; TCG PC Client Platform Firmware Profile 1.06, section 10.4.5
(UEFI_GPT_DATA). Sectors have 512 bytes.
"""

from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u32, u64
from warily.formats._record import record

SECTOR: Final = 512
SIGNATURE: Final = b"EFI PART"
ENTRY_SIZE: Final = 128
MAX_ENTRIES: Final = 1024
HEAD: Final = 1 << 20
"""So many bytes of a disk hold its table, wherever it usually lies."""
_UNUSED: Final = bytes(16)


@layout(92, source="UEFI Specification 2.10, table 5.5, GPT Header")
class GptHeader(Layout):
    """The primary header. Addresses are sectors; `entry_size` is in bytes."""

    signature: Annotated[bytes, octets(0, 8)]
    revision: Annotated[int, u32(8)]
    size: Annotated[int, u32(12)]
    checksum: Annotated[int, u32(16)]
    own: Annotated[int, u64(24)]
    other: Annotated[int, u64(32)]
    first_usable: Annotated[int, u64(40)]
    last_usable: Annotated[int, u64(48)]
    disk: Annotated[bytes, octets(56, 16)]
    entries_at: Annotated[int, u64(72)]
    entry_count: Annotated[int, u32(80)]
    entry_size: Annotated[int, u32(84)]
    entries_checksum: Annotated[int, u32(88)]


@record
class PartitionTable:
    """A header and the entries in use, as bytes."""

    header: GptHeader
    entries: tuple[bytes, ...]

    @classmethod
    def parse(cls, head: bytes) -> Self | None:
        """The table of a disk that begins with `head`; None where it has none. Raises `FormatError` for a broken one.

        Checksums are not judged: the measurement covers the bytes whatever they sum up to.
        """
        data = head[SECTOR : SECTOR + GptHeader.SIZE]
        if not data.startswith(SIGNATURE):
            return None
        if len(data) < GptHeader.SIZE:
            raise FormatError("GPT: the header is cut short")
        header = GptHeader.unpack(data)
        if header.entry_size != ENTRY_SIZE or header.entry_count > MAX_ENTRIES:
            msg = f"GPT: {header.entry_count} entries of {header.entry_size} bytes are not supported"
            raise FormatError(msg)
        at, size = header.entries_at * SECTOR, header.entry_count * ENTRY_SIZE
        table = head[at : at + size]
        if len(table) != size:
            msg = f"GPT: entries at sector {header.entries_at} are not in the first {len(head)} bytes"
            raise FormatError(msg)
        rows = (table[start : start + ENTRY_SIZE] for start in range(0, size, ENTRY_SIZE))
        return cls(header=header, entries=tuple(row for row in rows if not row.startswith(_UNUSED)))

    def measured(self) -> bytes:
        """UEFI_GPT_DATA: the header, the number of entries in use, and those."""
        return self.header.pack() + len(self.entries).to_bytes(8, "little") + b"".join(self.entries)


def is_fat(head: bytes) -> bool:
    """Whether the disk is one FAT file system from its first sector on, without partitions."""
    return head[510:512] == b"\x55\xaa" and head[:1] in (b"\xeb", b"\xe9") and b"FAT" in (head[54:57], head[82:85])
