"""The kernel hashes table, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.sev_hashes import KernelHashes

HASHES = KernelHashes(command_line=b"c" * 32, initrd=b"i" * 32, kernel=b"k" * 32)


def test_the_table_lies_at_its_offset_in_a_zero_page() -> None:
    page = HASHES.page(0xC00)
    assert len(page) == 4096
    assert page[0xC00 : 0xC00 + 176] == HASHES.encode()
    assert not any(page[:0xC00])
    assert not any(page[0xC00 + 168 :])


@pytest.mark.parametrize("offset", [-1, 4096 - 175, 4096])
def test_a_table_that_leaves_its_page_is_refused(offset: int) -> None:
    with pytest.raises(FormatError, match="leaves its page"):
        HASHES.page(offset)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_round_trip(command_line: bytes, initrd: bytes, kernel: bytes) -> None:
    hashes = KernelHashes(command_line=command_line, initrd=initrd, kernel=kernel)
    assert KernelHashes.decode(hashes.encode()) == hashes


@given(st.binary(max_size=200) | st.binary(min_size=176, max_size=176))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        KernelHashes.decode(data)


@pytest.mark.parametrize("at", [0, 16, 18, 34, 68, 118, 168, 175])
def test_a_changed_guid_length_or_padding_is_refused(at: int) -> None:
    table = bytearray(HASHES.encode())
    table[at] ^= 1
    with pytest.raises(FormatError):
        KernelHashes.decode(bytes(table))
