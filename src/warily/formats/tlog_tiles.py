"""Tiles of a transparency log: where they lie, and what is in them (C2SP tlog-tiles).

A tile is up to 256 consecutive hashes of one level of the tree; a bundle is the entries below a tile of level 0.
"""

from collections.abc import Sequence
from typing import Final

from warily.errors import FormatError

WIDTH: Final = 256
HEIGHT: Final = 8  # levels of the tree in one tile
HASH: Final = 32
MAX_ENTRY: Final = 0xFFFF
CHECKPOINT: Final = "checkpoint"
_THOUSAND: Final = 1000


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Where the tile lies below the log's prefix: `tile/<level>/<index>[.p/<width>]`."""
    return f"tile/{level}/{_elements(index)}{_partial(width)}"


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Where the entries of the tile of level 0 lie."""
    return f"tile/entries/{_elements(index)}{_partial(width)}"


def tile_width(size: int, level: int, index: int) -> int:
    """How many hashes that tile has in a tree of `size` leaves; 0 where there is no such tile."""
    hashes = size >> (HEIGHT * level)
    return max(0, min(WIDTH, hashes - index * WIDTH))


def levels(size: int) -> int:
    """How many levels of tiles a tree of `size` leaves has."""
    count = 0
    while size >> (HEIGHT * count):
        count += 1
    return count


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each after its length in two big-endian bytes. Raises `FormatError` for one over 65,535 bytes."""
    if any(len(entry) > MAX_ENTRY for entry in entries):
        msg = f"log entry: over {MAX_ENTRY} bytes"
        raise FormatError(msg)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, *, width: int) -> tuple[bytes, ...]:
    """The `width` entries of a bundle. Raises `FormatError` where there are fewer, or bytes after them."""
    entries = []
    at = 0
    for _ in range(width):
        size = int.from_bytes(data[at : at + 2], "big")
        entry = data[at + 2 : at + 2 + size]
        if at + 2 > len(data) or len(entry) != size:
            raise FormatError("entry bundle: ends within an entry")
        entries.append(entry)
        at += 2 + size
    if at != len(data):
        msg = f"entry bundle: {len(data) - at} bytes after its {width} entries"
        raise FormatError(msg)
    return tuple(entries)


def decode_tile(data: bytes, *, width: int) -> tuple[bytes, ...]:
    """The `width` hashes of a tile. Raises `FormatError` for any other length."""
    if len(data) != width * HASH:
        msg = f"tile: {len(data)} bytes are not {width} hashes"
        raise FormatError(msg)
    return tuple(data[at : at + HASH] for at in range(0, len(data), HASH))


def _elements(index: int) -> str:
    """The index in groups of three digits, all but the last after an `x`."""
    groups = [f"{index % _THOUSAND:03}"]
    while index := index // _THOUSAND:
        groups.insert(0, f"x{index % _THOUSAND:03}")
    return "/".join(groups)


def _partial(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"
