"""The descriptor of a volume: fixed places, no slack, no names that could be two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.dm_integrity import MAGIC, SUPERBLOCK_SIZE, Superblock
from warily.formats.volume_descriptor import SIZE, TAG_SIZE, VolumeDescriptor, padded

SUPERBLOCK = Superblock(
    magic=MAGIC,
    version=5,
    log2_interleave_sectors=15,
    tag_size=32,
    journal_sections=3,
    provided_sectors=1000,
    flags=0x19,
    log2_sectors_per_block=3,
    log2_blocks_per_bitmap_bit=15,
    salt=b"\x05" * 16,
    mac=b"\x06" * 32,
)
DESCRIPTOR = VolumeDescriptor.untagged(
    name="data", size=1 << 26, uuid=b"\x01" * 16, identity=b"\x02" * 32, superblock=SUPERBLOCK
)


@given(st.binary(min_size=1, max_size=24), st.integers(0, SIZE - 25))
def test_changed_bytes_are_refused_or_round_trip(noise: bytes, at: int) -> None:
    data = bytearray(DESCRIPTOR.pack())
    data[at : at + len(noise)] = noise
    try:
        assert VolumeDescriptor.decode(bytes(data)).pack() == bytes(data)
    except FormatError:
        return


@given(st.binary(min_size=SUPERBLOCK_SIZE, max_size=SUPERBLOCK_SIZE))
def test_superblocks_round_trip_or_are_refused(data: bytes) -> None:
    try:
        assert Superblock.unpack(data).pack() == data
    except FormatError:
        return


def test_the_superblock_is_the_kernels() -> None:
    packed = SUPERBLOCK.pack()
    # struct superblock: 8s magic, u8 version, u8 log2_interleave, le16 tag, le32 sections, le64 sectors, le32 flags
    assert packed[:8] == b"integrt\0"
    assert packed[8:12] == bytes([5, 15, 32, 0])
    assert int.from_bytes(packed[16:24], "little") == 1000
    assert packed[28:30] == bytes([3, 15])
    assert packed[-32:] == b"\x06" * 32  # sb_mac() puts it at the end of the first sector


def test_size_and_version_are_exact() -> None:
    data = DESCRIPTOR.pack()
    assert len(data) == SIZE
    assert data[-TAG_SIZE:] == bytes(TAG_SIZE)
    for wrong in (data[:-1], data + b"\0", b"X" + data[1:], data[:8] + b"\2" + data[9:]):
        with pytest.raises(FormatError):
            VolumeDescriptor.decode(wrong)


def test_an_unknown_cipher_is_refused() -> None:
    data = DESCRIPTOR.pack()
    with pytest.raises(FormatError, match="cipher"):
        VolumeDescriptor.decode(data[:12] + b"\2" + data[13:])


@pytest.mark.parametrize("name", ["", "x" * 65, "a\0b"])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError):
        padded(name)
