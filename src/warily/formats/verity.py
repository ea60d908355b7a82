"""The geometry of a dm-verity hash tree, hash format 1, without a superblock.

Specification: Linux `Documentation/admin-guide/device-mapper/verity.rst`, section "Hash Tree". Each
level holds the digests of the blocks of the level below, padded to a power of two each (SHA-256 needs
no padding) and to whole blocks together. The top level, one block, comes first on disk.
"""

from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError

BLOCK: Final = 4096
DIGEST: Final = 32
FANOUT: Final = BLOCK // DIGEST
SALT: Final = 32
FORMAT: Final = 1
ALGORITHM: Final = "sha256"
MOST_BLOCKS: Final = 1 << 36  # 256 TiB of data


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of the tree: its first block in the hash device, and how many blocks it has."""

    start: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Where everything is. `levels[0]` holds the digests of the data; the last is the one top block.

    A single data block has no tree: its own digest is the root hash.
    """

    data_blocks: int
    levels: tuple[Level, ...]

    @property
    def hash_blocks(self) -> int:
        """The blocks of the whole tree, hence of the hash device."""
        return sum(level.blocks for level in self.levels)


def tree(data_blocks: int) -> Tree:
    """The tree over `data_blocks` blocks of 4096 bytes. Raises `FormatError` for none or too many."""
    if not 1 <= data_blocks <= MOST_BLOCKS:
        msg = f"verity: {data_blocks} data blocks are not in 1..{MOST_BLOCKS}"
        raise FormatError(msg)
    sizes: list[int] = []
    below = data_blocks
    while below > 1:
        below = -(-below // FANOUT)
        sizes.append(below)
    at = 0
    levels: list[Level] = []
    for blocks in reversed(sizes):
        levels.append(Level(start=at, blocks=blocks))
        at += blocks
    return Tree(data_blocks=data_blocks, levels=tuple(reversed(levels)))
