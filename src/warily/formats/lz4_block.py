"""The LZ4 block format: decompression of one block whose uncompressed size is known.

Specification: lz4 `doc/lz4_Block_format.md`, version of 2022-07-31. Plain and slow: for a file, not for a disk.
"""

from typing import Final

from warily.errors import FormatError

LIMIT: Final = 16 << 20
_MIN_MATCH: Final = 4
_MORE: Final = 15
_FULL: Final = 255


def decompress(block: bytes, size: int) -> bytes:
    """The `size` bytes (at most 16 MiB) that the block begins with; what would follow is not looked at.

    Raises `FormatError`. Time is linear in `size` and the length of the block.
    """
    if not 0 <= size <= LIMIT:
        msg = f"LZ4 block: {size} bytes are not in 0..{LIMIT}"
        raise FormatError(msg)
    out, _ = _decompressed(block, size, to_its_end=False)
    return out


def decompress_whole(block: bytes, limit: int) -> bytes:
    """All that the block holds, at most `limit` bytes (16 MiB). A block ends with literals. Raises `FormatError`."""
    out, at = _decompressed(block, min(limit, LIMIT), to_its_end=True)
    if at != len(block):
        msg = f"LZ4 block: over {limit} bytes unpacked"
        raise FormatError(msg)
    return out


def _decompressed(block: bytes, size: int, *, to_its_end: bool) -> tuple[bytes, int]:
    """At most `size` bytes, and where in the block they ended."""
    out = bytearray()
    at = 0
    while len(out) < size:
        token = _byte(block, at)
        length, at = _length(block, at + 1, token >> 4)
        literals = block[at : at + min(length, size - len(out))]
        if len(literals) < min(length, size - len(out)):
            raise FormatError("LZ4 block: it ends within literals")
        out += literals
        at += length
        if len(out) >= size or (to_its_end and at == len(block)):
            break
        distance = _byte(block, at) | _byte(block, at + 1) << 8
        length, at = _length(block, at + 2, token & 15)
        if not 0 < distance <= len(out):
            msg = f"LZ4 block: a match {distance} bytes back, where there are {len(out)}"
            raise FormatError(msg)
        _copy(out, distance, min(length + _MIN_MATCH, size - len(out)))
    return bytes(out), at


def _copy(out: bytearray, distance: int, length: int) -> None:
    """Append bytes that are already there; a match may overlap what it makes."""
    start = len(out) - distance
    piece = out[start : start + length]
    if len(piece) < length:
        piece = (piece * (length // len(piece) + 1))[:length]
    out += piece


def _length(block: bytes, at: int, length: int) -> tuple[int, int]:
    """The length that begins in a token, and where what follows it is."""
    if length < _MORE:
        return length, at
    while True:
        more = _byte(block, at)
        length, at = length + more, at + 1
        if more < _FULL:
            return length, at


def _byte(block: bytes, at: int) -> int:
    if at >= len(block):
        raise FormatError("LZ4 block: it ends too early")
    return block[at]
