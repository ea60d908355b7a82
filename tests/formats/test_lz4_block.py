"""LZ4 blocks: what a plain encoder of our own makes comes back; arbitrary bytes do no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.lz4_block import decompress


def compress(data: bytes) -> bytes:
    """Greedy: the longest match among the last 40 offsets, else literals. Ends with literals, as blocks do."""
    out, literals, at = bytearray(), bytearray(), 0
    while at < len(data):
        best, distance = 0, 0
        for back in range(1, min(at, 40) + 1):
            length = 0
            while at + length < len(data) - 1 and data[at + length] == data[at + length - back]:
                length += 1
            if length > best:
                best, distance = length, back
        if best < 4:
            literals.append(data[at])
            at += 1
            continue
        out += sequence(bytes(literals), best, distance)
        literals.clear()
        at += best
    return bytes(out + sequence(bytes(literals), 0, 0))


def sequence(literals: bytes, match: int, distance: int) -> bytes:
    low = match - 4 if match else 0
    token = bytes([min(len(literals), 15) << 4 | min(low, 15)])
    out = token + more(len(literals)) + literals
    return out + distance.to_bytes(2, "little") + more(low) if match else out


def more(length: int) -> bytes:
    return b"" if length < 15 else b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])


TEXTS = st.lists(st.sampled_from([b"a", b"bc", b"\0" * 40, b"hello", bytes(range(32))]), max_size=60).map(b"".join)


@given(TEXTS)
def test_what_was_compressed_comes_back(data: bytes) -> None:
    assert decompress(compress(data), len(data)) == data


@given(TEXTS, st.integers(0, 400))
def test_a_part_is_the_beginning(data: bytes, size: int) -> None:
    assert decompress(compress(data), min(size, len(data))) == data[:size]


@given(st.binary(max_size=200), st.integers(0, 5000))
def test_arbitrary_bytes_give_the_size_asked_for_or_are_refused(block: bytes, size: int) -> None:
    try:
        found = decompress(block, size)
    except FormatError:
        return
    assert len(found) == size


def test_a_match_before_the_beginning_is_refused() -> None:
    with pytest.raises(FormatError, match="a match 5 bytes back, where there are 1"):
        decompress(b"\x10a\x05\x00", 20)
    with pytest.raises(FormatError, match="not in 0"):
        decompress(b"", 1 << 40)
