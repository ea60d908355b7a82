"""The disks of volumes, changed, exchanged, wiped or put back by the host that serves them."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warily.adversary import headers
from warily.adversary.attack import Alone, Attack, Seen, refused, succeeded, undecided
from warily.adversary.history import live, put
from warily.core import built
from warily.errors import HostError
from warily.formats.dm_integrity import tag_runs
from warily.formats.volume_descriptor import (
    DATA_OFFSET,
    EPOCH_OFFSET,
    EPOCH_SLOTS,
    EPOCH_SPACING,
    SIZE,
    VolumeDescriptor,
)
from warily.up.machine import IDENTITY

if TYPE_CHECKING:
    from warily.adversary.lab import Lab
    from warily.adversary.stage import Played, Stage

SECTOR: Final = 512
FLIPPED: Final = 0x10
PUBLIC: Final = EPOCH_OFFSET + EPOCH_SLOTS * EPOCH_SPACING  # descriptor and epoch records end here


def flip(stage: "Stage") -> None:
    """One bit of the first encrypted block, which holds the file system's superblock, is another."""
    disk = stage.disks[0]
    with disk.open("r+b") as file:
        head = VolumeDescriptor.unpack(file.read(SIZE))
        start, length = tag_runs(head.superblock)[0]
        place = DATA_OFFSET + (start + length) * SECTOR + 1024
        file.seek(place)
        old = file.read(1)
        file.seek(place)
        file.write(bytes([old[0] ^ FLIPPED]))


def wipe(stage: "Stage") -> None:
    """The disk is as long as before, and holds zeros alone."""
    for disk in stage.disks:
        size = disk.stat().st_size
        os.truncate(disk, 0)
        os.truncate(disk, size)


def become_another(stage: "Stage") -> None:
    """The disks are those of a machine that the host started under an identity of its own making."""
    identity = stage.home.machine / IDENTITY
    identity.unlink()


def swap(stage: "Stage") -> None:
    """The disks of two volumes are exchanged."""
    first, second = stage.disks[:2]
    aside = first.with_suffix(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def put_header(stage: "Stage") -> None:
    """The disk begins with a LUKS2 header that asks for no encryption."""
    with tempfile.TemporaryDirectory(prefix="warily-attack-") as folder:
        header = headers.forged_header(Path(folder))[: 2 * headers.AREA]
    with stage.disks[0].open("r+b") as file:
        file.write(header)


def changed(lab: "Lab", *, change: Callable[["Stage"], None]) -> Seen:
    """What became of a machine that lived once and whose disks were changed since."""
    with lab.lived().copy() as stage:
        if not stage.disks:
            return undecided("the image has no volume")
        change(stage)
        return judged(stage.play())


def swapped(lab: "Lab") -> Seen:
    """Two volumes exchanged; where the image has one alone, its disk and the hash tree's of the root."""
    with lab.lived().copy() as stage:
        if len(stage.disks) > 1:
            swap(stage)
            return judged(stage.play())
        disk = stage.disks[0]
        volume, hashes = disk.read_bytes(), (stage.home.image / built.ROOT_HASHES).read_bytes()

        def become_volume(content: bytearray) -> None:
            content[:] = volume

        stage.change_image(built.ROOT_HASHES, become_volume)
        disk.write_bytes(hashes.ljust(len(volume), b"\0"))
        return judged(stage.play())


def rolled_back(lab: "Lab", *, blocks_alone: bool) -> Seen:
    """The disk as the first life left it, under a machine that has lived twice; with the newest epoch, if told so."""
    past = lab.history()
    with past.ended.copy() as stage:
        newest = [head_of(disk) for disk in stage.disks]
        put(past.first, stage)
        if blocks_alone:
            for disk, head in zip(stage.disks, newest, strict=True):
                put_head(disk, head)
        return judged(stage.play())


def rolled_back_after_cut(lab: "Lab") -> Seen:
    """The power was cut in the third life, and the disk is as the second left it."""
    past = lab.history()
    with past.killed.copy() as stage:
        put(past.second, stage)
        return judged(stage.play())


def after_cut(lab: "Lab") -> Seen:
    """The power was cut, and nothing else was done."""
    past = lab.history()
    with past.killed.copy() as stage:
        try:
            said = live(stage)
        except HostError as error:
            return succeeded(f"the machine does not come up any more: {error}")
    return refused(f"the machine came up again, and its workload answers: {said}")


def judged(played: "Played") -> Seen:
    """The guest named what is wrong, and ended: refused. A volume that opened: the host has what it wanted."""
    said = played.refusal
    if said is not None:
        return refused(f"the guest ended with: {said}")
    opened = [line for line in played.lines if "warily: volume " in line]
    if opened:
        return succeeded(f"the guest went on: {opened[0]}")
    broken = [line for line in played.lines if "is corrupted" in line or "Kernel panic" in line]
    if broken:
        return refused(f"the kernel stopped itself before any key was asked for: {broken[0]}")
    return undecided(f"the machine ended without a word: {' / '.join(played.lines[-3:])}")


def on_control(lab: "Lab", *, name: str) -> Seen:
    """What the same did to a plain disk."""
    return lab.changed_control()[name]


def head_of(disk: Path) -> bytes:
    """What of a disk is neither data nor tags: its descriptor and its epoch records."""
    with disk.open("rb") as file:
        return file.read(PUBLIC)


def put_head(disk: Path, head: bytes) -> None:
    """The disk has another descriptor and other epoch records, and is what it was otherwise."""
    with disk.open("r+b") as file:
        file.write(head)


def _attack(part: str, title: str, control: str, image: "Callable[[Lab], Seen]", *, catalogue: str = "W02") -> Attack:
    how = Alone(control=partial(on_control, name=control), image=image)
    return Attack(id=f"volume.{part}", title=title, component="storage", catalogue=(catalogue,), how=how)


ATTACKS: Final[tuple[Attack, ...]] = (
    _attack("flipped", "The host flips a bit in a volume's disk", "flip", partial(changed, change=flip)),
    _attack(
        "rollback",
        "The host puts an older copy of a volume's disk back",
        "rollback",
        partial(rolled_back, blocks_alone=False),
        catalogue="A23",
    ),
    _attack(
        "rollback-blocks",
        "The host puts older blocks back under the newest epoch record",
        "rollback",
        partial(rolled_back, blocks_alone=True),
        catalogue="A23",
    ),
    _attack(
        "rollback-after-cut",
        "The host cuts the power and puts the copy of an earlier life back",
        "rollback",
        rolled_back_after_cut,
        catalogue="A23",
    ),
    _attack(
        "clone",
        "The host puts a volume's disk into a machine of another identity",
        "other",
        partial(changed, change=become_another),
    ),
    _attack("swapped", "The host exchanges two disks of a machine", "other", swapped),
    _attack("blank", "The host wipes a volume's disk", "blank", partial(changed, change=wipe)),
    _attack("power", "The host cuts the power of a machine in use", "power", after_cut),
    Attack(
        id="volume.header",
        title="The host writes a LUKS2 header without encryption over a volume's beginning",
        component="storage",
        catalogue=("A22",),
        how=Alone(control=lambda _: headers.opened_by_cryptsetup(), image=partial(changed, change=put_header)),
    ),
)
