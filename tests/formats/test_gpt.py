"""Partition tables, as firmware measures them."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.esp_images import OTHER_PARTITION, SYSTEM_PARTITION, fat32, gpt
from warily.errors import FormatError
from warily.formats.gpt import HEAD, PartitionTable, is_fat

DISK = gpt((SYSTEM_PARTITION, b"one"), (OTHER_PARTITION, b"two"))


def test_the_entries_in_use_count() -> None:
    found = PartitionTable.parse(DISK[:HEAD])
    assert found is not None
    assert [uuid.UUID(bytes_le=entry[:16]) for entry in found.entries] == [SYSTEM_PARTITION, OTHER_PARTITION]
    data = found.measured()
    assert data[:92] == DISK[512:604]
    assert data[92:100] == (2).to_bytes(8, "little")
    assert data[100:] == DISK[1024:1280]


def test_a_disk_without_a_table() -> None:
    assert PartitionTable.parse(bytes(4096)) is None
    assert PartitionTable.parse(b"") is None
    system = fat32({"A": b"x"})[:HEAD]
    assert PartitionTable.parse(system) is None
    assert is_fat(system)
    assert not is_fat(DISK)
    assert not is_fat(b"")


def changed(at: int, value: int, width: int = 4) -> bytes:
    data = bytearray(DISK[:HEAD])
    data[512 + at : 512 + at + width] = value.to_bytes(width, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DISK[:600], "cut short"),
        (DISK[:2000], "not in the first 2000 bytes"),
        (changed(84, 256), "entries of 256 bytes"),
        (changed(80, 1025), "1025 entries"),
        (changed(72, (1 << 64) - 1, 8), "not in the first"),
        (changed(20, 1), "reserved"),
    ],
)
def test_broken_tables_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        PartitionTable.parse(data)


@given(st.binary(max_size=64), st.integers(512, 1400))
def test_arbitrary_bytes(noise: bytes, at: int) -> None:
    data = bytearray(DISK[:HEAD])
    data[at : at + len(noise)] = noise
    try:
        found = PartitionTable.parse(bytes(data))
    except FormatError:
        return
    assert found is None or found.measured()[:92] == data[512:604]
