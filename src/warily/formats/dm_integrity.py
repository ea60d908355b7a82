"""The dm-integrity superblock. It is made, checked and kept in guest memory: the host's disk never serves it."""

from typing import Annotated, Final

from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64

MAGIC: Final = b"integrt\0"
SUPERBLOCK_SIZE: Final = 512
HAVE_JOURNAL_MAC: Final = 1 << 0
FIXED_PADDING: Final = 1 << 3
FIXED_HMAC: Final = 1 << 4


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
