"""The dm-integrity superblock. It is made, checked and kept in guest memory: the host's disk never serves it."""

from typing import Annotated, Final

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64

MAGIC: Final = b"integrt\0"
SUPERBLOCK_SIZE: Final = 512
HAVE_JOURNAL_MAC: Final = 1 << 0
FIXED_PADDING: Final = 1 << 3
FIXED_HMAC: Final = 1 << 4
BLOCK_SECTORS: Final = 8  # the one block size used here, 4 KiB; the superblock has as much room
MAX_LOG2_AREA: Final = 32
MAX_AREAS: Final = 1 << 13  # of 16 MiB each, as the kernel chooses: 128 GiB
JOURNAL_SECTOR: Final = 504  # bytes of a journal sector before its commit id
JOURNAL_MAC: Final = 8


@layout(SUPERBLOCK_SIZE, source="Linux drivers/md/dm-integrity.c, struct superblock and sb_mac()")
class Superblock(Layout):
    """The first sector. `mac` is HMAC-SHA256 under the journal key, since FIXED_HMAC is always set here."""

    magic: Annotated[bytes, octets(0, 8)]
    version: Annotated[int, u8(8)]
    log2_interleave_sectors: Annotated[int, u8(9)]
    tag_size: Annotated[int, u16(10)]
    journal_sections: Annotated[int, u32(12)]
    provided_sectors: Annotated[int, u64(16)]
    flags: Annotated[int, u32(24)]
    log2_sectors_per_block: Annotated[int, u8(28)]
    log2_blocks_per_bitmap_bit: Annotated[int, u8(29)]
    salt: Annotated[bytes, octets(48, 16)]
    mac: Annotated[bytes, octets(480, 32)]


def tag_runs(superblock: Superblock) -> list[tuple[int, int]]:
    """Where a device with a MACed journal keeps what is no data, as (first sector, sectors), in order.

    The first run is the journal and the first tags behind it, from the sector after the superblock's 4 KiB;
    each other one holds the tags of the data that follow it. Source: Linux drivers/md/dm-integrity.c,
    calculate_journal_section_size(), calculate_device_limits(), get_data_sector(), with FIXED_PADDING.
    Raises `FormatError` for a superblock whose geometry is not of this kind.
    """
    log2_block, log2_area = superblock.log2_sectors_per_block, superblock.log2_interleave_sectors
    if log2_block != BLOCK_SECTORS.bit_length() - 1 or not log2_block < log2_area < MAX_LOG2_AREA:
        raise FormatError("dm-integrity: its blocks or areas have another size")
    entry = _rounded(8 + 8 * BLOCK_SECTORS + superblock.tag_size, 8)
    blocks = (JOURNAL_SECTOR - JOURNAL_MAC) // entry * BLOCK_SECTORS  # in one section of the journal
    journal = superblock.journal_sections * (blocks * BLOCK_SECTORS + BLOCK_SECTORS)
    area = 1 << log2_area
    areas = -(-superblock.provided_sectors // area)
    if not 0 < areas <= MAX_AREAS:
        msg = f"dm-integrity: {areas} areas"
        raise FormatError(msg)
    tags = _rounded(superblock.tag_size << (log2_area - log2_block), BLOCK_SECTORS * 512) // 512
    runs = [(BLOCK_SECTORS, journal + tags)]
    for _ in range(areas - 1):
        start, length = runs[-1]
        runs.append((start + length + area, tags))
    return runs


def _rounded(size: int, unit: int) -> int:
    return -(-size // unit) * unit
