"""A log kept as tiles: its nodes and entries, and the files that further entries make.

Reading is the caller's: `read(path)` gives the bytes of a file below the log's prefix, and raises `FormatError`
where there is none. Nothing here trusts what it reads; `root` is to be compared with a signed checkpoint.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from warily.errors import FormatError
from warily.formats import tlog_tiles
from warily.formats.tlog_tiles import HEIGHT, WIDTH, bundle_path, decode_bundle, decode_tile, tile_path, tile_width
from warily.publish.merkle import inclusion_proof, leaf_hash, node_hash, root_hash

Read = Callable[[str], bytes]

MAX_SIZE: Final = 1 << 32  # entries; an audit reads them all
_KEPT: Final = 4096  # tiles of 8 KiB


class TiledLog:
    """The first `size` entries of the log that `read` gives."""

    def __init__(self, read: Read, size: int) -> None:
        if size > MAX_SIZE:
            msg = f"log: {size} entries are over the limit of {MAX_SIZE}"
            raise FormatError(msg)
        self.size = size
        self._read = read
        self.tile = lru_cache(maxsize=_KEPT)(self._tile)

    def node(self, level: int, index: int) -> bytes:
        """The hash over leaves [index·2^level, (index+1)·2^level), all of them in the tree."""
        tile_level, above = divmod(level, HEIGHT)
        first = index << above
        hashes = self.tile(tile_level, first // WIDTH)
        row = hashes[first % WIDTH : first % WIDTH + (1 << above)]
        while len(row) > 1:
            row = tuple(node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2))
        return row[0]

    def root(self) -> bytes:
        """The root hash over all entries."""
        return root_hash(self.node, self.size)

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The inclusion path of entry `index`, which is below `size`."""
        return inclusion_proof(self.node, index, self.size)

    def bundle(self, index: int) -> tuple[bytes, ...]:
        """The entries below tile `index` of level 0."""
        width = tile_width(self.size, 0, index)
        return decode_bundle(self._read(bundle_path(index, width)), width=width)

    def entry(self, index: int) -> bytes:
        """The entry at `index`."""
        return self.bundle(index // WIDTH)[index % WIDTH]

    def entries(self) -> Iterator[bytes]:
        """All entries, in order."""
        for index in range(-(-self.size // WIDTH)):
            yield from self.bundle(index)

    def _tile(self, level: int, index: int) -> tuple[bytes, ...]:
        width = tile_width(self.size, level, index)
        return decode_tile(self._read(tile_path(level, index, width)), width=width)


def files_after(log: TiledLog, entries: Sequence[bytes]) -> dict[str, bytes]:
    """The files to write so that the log goes on with `entries`: path → content. Full tiles stay as they are."""
    files = _bundles(log, entries)
    fresh = [leaf_hash(entry) for entry in entries]
    level = 0
    while fresh:
        first = (log.size >> (HEIGHT * level)) // WIDTH
        kept = log.tile(level, first) if tile_width(log.size, level, first) else ()
        row = [*kept, *fresh]
        fresh = []
        for at in range(0, len(row), WIDTH):
            hashes = row[at : at + WIDTH]
            files[tile_path(level, first + at // WIDTH, len(hashes))] = b"".join(hashes)
            if len(hashes) == WIDTH:
                fresh.append(_top(hashes))
        level += 1
    return files


def _bundles(log: TiledLog, entries: Sequence[bytes]) -> dict[str, bytes]:
    first = log.size // WIDTH
    kept = log.bundle(first) if log.size % WIDTH else ()
    row = [*kept, *entries]
    return {
        bundle_path(first + at // WIDTH, len(row[at : at + WIDTH])): tlog_tiles.encode_bundle(row[at : at + WIDTH])
        for at in range(0, len(row), WIDTH)
    }


def _top(hashes: Sequence[bytes]) -> bytes:
    """The root of a full tile."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
