"""The disk of the root file system, changed by the host that serves it."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from warily.adversary.attack import Alone, Attack, Seen, detected, refused, succeeded, undecided
from warily.core import built
from warily.formats.verity import BLOCK

if TYPE_CHECKING:
    from warily.adversary.lab import Lab

FLIPPED: Final = 0x10
SUPERBLOCK: Final = 1024  # Linux fs/erofs/erofs_fs.h: EROFS_SUPER_OFFSET


def flip_superblock(root: bytearray) -> None:
    """One bit of the file system's superblock, which every mount reads, is another."""
    root[SUPERBLOCK + 7] ^= FLIPPED


def flip_top_hash(tree: bytearray) -> None:
    """One bit of the first digest in the top block of the hash tree is another: that of the first data."""
    tree[1] ^= FLIPPED


def cut(root: bytearray) -> None:
    """The last block is missing."""
    del root[-BLOCK:]


def on_control(lab: "Lab") -> Seen:
    """A plain disk has nothing that a changed block would differ from."""
    return lab.changed_control()["root"]


def on_image(lab: "Lab", *, name: str, change: Callable[[bytearray], None]) -> Seen:
    """What became of a machine whose root or hash disk is another."""
    with lab.lived().copy() as stage:
        stage.change_image(name, change)
        played = stage.play()
    if "grant" in played.events:
        return succeeded("the machine came up, and the broker granted its keys")
    if played.refusal:
        return refused(f"before it asked for keys the guest said: {played.refusal}")
    panic = next((line for line in played.lines if "is corrupted" in line or "verity" in line), None)
    if panic is not None and any("Kernel panic" in line for line in played.lines):
        return detected(f"before it asked for keys the kernel stopped itself: {panic}")
    return undecided(f"the machine ended without a word: {' / '.join(played.lines[-3:])}")


def _attack(part: str, title: str, name: str, change: Callable[[bytearray], None]) -> Attack:
    return Attack(
        id=f"root.{part}",
        title=title,
        component="storage",
        catalogue=("W01",),
        how=Alone(control=on_control, image=partial(on_image, name=name, change=change)),
    )


ATTACKS: Final[tuple[Attack, ...]] = (
    _attack("data", "The host flips a bit in the root file system's disk", built.ROOT, flip_superblock),
    _attack("hashes", "The host flips a bit in the disk of the root's hash tree", built.ROOT_HASHES, flip_top_hash),
    _attack("truncated", "The host cuts the end off the root file system's disk", built.ROOT, cut),
)
