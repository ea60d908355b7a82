"""Where the compressed extents of an EROFS file are: its index of logical clusters, full or compact.

Each logical cluster has an entry: a head, where a compressed (or plain) extent begins, or a follower of one. In the
compact form two entries of four bytes, or sixteen of two bytes, share one block address.
Specification: Linux fs/erofs/erofs_fs.h (z_erofs_map_header, z_erofs_lcluster_index) and fs/erofs/zmap.c (6.12).
"""

from collections.abc import Callable, Iterator
from typing import Final

from warily.errors import FormatError
from warily.formats._record import record

PLAIN, HEAD, FOLLOWER, HEAD2 = 0, 1, 2, 3
MAX_CLUSTERS: Final = 1 << 19
MAX_BLOCKS: Final = 256  # of one extent: 1 MiB
# Advice in the map header.
TWO_BYTES: Final = 0x1
BIG: Final = 0x2
BIG_SECOND: Final = 0x4  # the same of extents by a second algorithm, of which there are none here
INTERLACED: Final = 0x10
UNDERSTOOD: Final = TWO_BYTES | BIG | BIG_SECOND | INTERLACED
COUNT: Final = 0x800  # a follower's number says how many blocks the extent has
_LZ4: Final = 0


@record
class Cluster:
    """One extent: `length` bytes of the file from `start`, in `blocks` blocks from `block`."""

    start: int
    length: int
    block: int
    blocks: int
    compressed: bool
    interlaced: bool


@record
class _Entry:
    """A logical cluster: `number` is a head's offset within it, or what a follower says; `block` a head's address."""

    kind: int
    number: int
    block: int


def clusters(
    read: Callable[[int, int], bytes], *, end: int, size: int, block_bits: int, compact: bool
) -> Iterator[Cluster]:
    """The extents of a file of `size` bytes whose inode ends at `end`, in order. Raises `FormatError`."""
    at = (end + 7) & ~7
    header = read(at, 8)
    advise, bits = int.from_bytes(header[4:6], "little"), header[7]
    if advise & ~UNDERSTOOD or bits & ~7 or header[6] & 15 != _LZ4 or header[6] >> 4:
        msg = f"EROFS: a compressed file with advice {advise:#x}, algorithm {header[6]:#x}, clusters {bits:#x}"
        raise FormatError(msg, hint="LZ4 without fragments and tail packing is read")
    cluster_bits = block_bits + (bits & 7)
    count = (size + (1 << cluster_bits) - 1) >> cluster_bits
    if count > MAX_CLUSTERS:
        msg = f"EROFS: a file of {count} clusters, over {MAX_CLUSTERS}"
        raise FormatError(msg)
    if compact:
        entries = _compact(read, at + 8, count, cluster_bits, advise)
    else:
        entries = _full(read(at + 16, 8 * count), count, cluster_bits)
    yield from _extents(entries, size, cluster_bits, block_bits, advise)


def _full(raw: bytes, count: int, cluster_bits: int) -> list[_Entry]:
    """The index of eight bytes an entry."""
    found = []
    for index in range(count):
        part = raw[8 * index : 8 * index + 8]
        kind = part[0] & 3
        if kind == FOLLOWER:
            found.append(_Entry(kind=kind, number=int.from_bytes(part[4:6], "little"), block=0))
            continue
        offset = int.from_bytes(part[2:4], "little")
        _check_offset(offset, cluster_bits)
        found.append(_Entry(kind=kind, number=offset, block=int.from_bytes(part[4:8], "little")))
    return found


def _compact(read: Callable[[int, int], bytes], at: int, count: int, cluster_bits: int, advise: int) -> list[_Entry]:
    """The compact index: entries of four bytes up to a border of 32, then of two bytes, then of four again."""
    if cluster_bits > 14:
        msg = f"EROFS: a compact index of clusters of 2^{cluster_bits} bytes"
        raise FormatError(msg)
    first = min((32 - at % 32) // 4 & 7, count)
    small = (count - first) // 16 * 16 if advise & TWO_BYTES and cluster_bits <= 12 else 0
    found: list[_Entry] = []
    for entries, width, together in ((first, 4, 2), (small, 2, 16), (count - first - small, 4, 2)):
        size = width * together
        for index in range(0, entries, together):
            pack = _pack(read(at, size), together, cluster_bits, big=bool(advise & BIG))
            found += pack[: min(together, entries - index)]
            at += min(size, width * (entries - index)) if entries - index < together else size
    return found


def _pack(raw: bytes, together: int, cluster_bits: int, *, big: bool) -> list[_Entry]:
    """The entries of one pack, whose last four bytes are the address that its heads count from."""
    low = max(cluster_bits, 12)
    width = (len(raw) - 4) * 8 // together
    bits = int.from_bytes(raw[:-4], "little")
    base = int.from_bytes(raw[-4:], "little")
    parts = [(bits >> width * index) & ((1 << width) - 1) for index in range(together)]
    kinds = [part >> low & 3 for part in parts]
    numbers = [part & ((1 << low) - 1) for part in parts]
    found = []
    for index, (kind, number) in enumerate(zip(kinds, numbers, strict=True)):
        block = 0
        if kind != FOLLOWER:
            _check_offset(number, cluster_bits)
            block = base + (_blocks_before_big if big else _blocks_before)(kinds, numbers, index)
        found.append(_Entry(kind=kind, number=number, block=block))
    return found


def _blocks_before(kinds: list[int], numbers: list[int], index: int) -> int:
    """How many blocks of the pack come before a head, where every extent has one block."""
    count = 1
    while index > 0:
        index -= 1
        if kinds[index] == FOLLOWER:
            index -= numbers[index]
        if index >= 0:
            count += 1
    return count


def _blocks_before_big(kinds: list[int], numbers: list[int], index: int) -> int:
    """Likewise where an extent's first follower says how many blocks it has."""
    count = 0
    while index > 0:
        index -= 1
        if kinds[index] != FOLLOWER:
            count += 1
        elif numbers[index] & COUNT:
            count += numbers[index] & ~COUNT
            index -= 1
        elif numbers[index] <= 1:
            raise FormatError("EROFS: a compact index whose first follower does not count blocks")
        else:
            index -= numbers[index] - 2
    return count


def _extents(entries: list[_Entry], size: int, cluster_bits: int, block_bits: int, advise: int) -> Iterator[Cluster]:
    """The extents, from head to head; a head at the end of the file only marks that end."""
    placed = [
        ((index << cluster_bits) + entry.number, index) for index, entry in enumerate(entries) if entry.kind != FOLLOWER
    ]
    heads = [index for start, index in placed if start != size]
    starts = [start for start, _ in placed if start != size]
    if (size and not heads) or (starts and starts[0]):
        raise FormatError("EROFS: a compressed file that does not begin with an extent")
    for place, index in enumerate(heads):
        start = starts[place]
        end = starts[place + 1] if place + 1 < len(starts) else size
        if not start < end <= size:
            raise FormatError("EROFS: extents of a compressed file are out of order")
        head = entries[index]
        blocks = 1 << cluster_bits - block_bits
        follower = entries[index + 1] if index + 1 < len(entries) else None
        if advise & BIG and follower is not None and follower.kind == FOLLOWER and follower.number & COUNT:
            blocks = follower.number & ~COUNT
        if not 0 < blocks <= MAX_BLOCKS:
            msg = f"EROFS: an extent of {blocks} blocks"
            raise FormatError(msg)
        yield Cluster(
            start=start,
            length=end - start,
            block=head.block,
            blocks=blocks,
            compressed=head.kind != PLAIN,
            interlaced=bool(advise & INTERLACED),
        )


def _check_offset(offset: int, cluster_bits: int) -> None:
    if offset >= 1 << cluster_bits:
        msg = f"EROFS: an extent begins {offset} bytes into its cluster"
        raise FormatError(msg)
