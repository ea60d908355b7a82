"""The Merkle tree of RFC 6962, section 2.1: root, inclusion and consistency over any source of nodes."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

# A complete subtree: `nodes(level, index)` is the hash over leaves [index·2^level, (index+1)·2^level).
Nodes = Callable[[int, int], bytes]

EMPTY: Final = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(nodes: Nodes, size: int) -> bytes:
    """The Merkle Tree Hash of the first `size` leaves."""
    return _range_hash(nodes, 0, size) if size else EMPTY


def inclusion_proof(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """The path from leaf `index` to the root of `size` leaves, the leaf's sibling first. `index` < `size`."""
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(nodes, middle, high))
            high = middle
        else:
            path.append(_range_hash(nodes, low, middle))
            low = middle
    return tuple(reversed(path))


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the path leads to (RFC 9162 section 2.1.3.2), or None where it cannot be one of such a tree."""
    if not 0 <= index < size:
        return None
    value, at, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            value = node_hash(sibling, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        at, last = at >> 1, last >> 1
    return value if last == 0 else None


def consistency_proof(nodes: Nodes, old: int, size: int) -> tuple[bytes, ...]:
    """The nodes that show the first `old` leaves to be a prefix of `size` leaves. 0 < `old` ≤ `size`."""
    path: list[bytes] = []
    low, high, whole = 0, size, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_hash(nodes, middle, high))
            high = middle
        else:
            path.append(_range_hash(nodes, low, middle))
            low, whole = middle, False
    if not whole:
        path.append(_range_hash(nodes, low, high))
    return tuple(reversed(path))


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """The tree of `size` leaves under `root` begins with the tree of `old` leaves (RFC 9162 section 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not path and old_root == root
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root


def nodes_over(leaves: Sequence[bytes]) -> Nodes:
    """The nodes of a tree whose leaf hashes are all in memory."""
    rows = [list(leaves)]
    while len(rows[-1]) > 1:
        below = rows[-1]
        rows.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return lambda level, index: rows[level][index]


def _split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(nodes: Nodes, low: int, high: int) -> bytes:
    """The hash over leaves [low, high), where `low` is a multiple of the largest power of two in the range."""
    complete = []
    while low < high:
        level = (high - low).bit_length() - 1
        complete.append(nodes(level, low >> level))
        low += 1 << level
    value = complete.pop()
    while complete:
        value = node_hash(complete.pop(), value)
    return value
