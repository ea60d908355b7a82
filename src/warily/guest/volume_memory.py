"""A volume's tags and journal in guest memory: read from there for as long as the machine runs.

A sector is accepted under its tag alone, and an old sector has an old tag that was good once. So the guest
reads all tags once, when it opens the volume, and compares their digest with the seal that it left at
the broker when it closed the volume last. Each new tag is written to memory and to the disk; none is ever
read from the disk again. About one part in 64 of the volume's size is kept: tags, and a journal of at most 64 MiB.
"""

import hashlib
import hmac
import os
from itertools import pairwise
from pathlib import Path
from typing import Final

from warily.formats import dm_tables
from warily.formats.dm_integrity import Superblock, tag_runs
from warily.formats.dm_ioctl import Target
from warily.formats.dm_tables import BLOCK, SECTOR
from warily.formats.guest_config import GuestVolume
from warily.formats.volume_descriptor import DATA_OFFSET
from warily.guest.dm import DeviceMapper, number
from warily.guest.loop import CHUNK, MemoryDisk
from warily.guest.refusal import Refused

MEMORY: Final = Path("/run")  # a file system in memory, for what a disk must not serve
DOMAIN: Final = b"warily/volume/seal/v1\0"
FIRST: Final = BLOCK // SECTOR  # the sector behind the superblock, on the disk's part and in memory alike


def read_tags(disk: Path, superblock: Superblock) -> MemoryDisk:
    """Guest memory that holds the superblock's block, then journal and tags as the disk has them now."""
    runs = tag_runs(superblock)
    memory = MemoryDisk(MEMORY, BLOCK + SECTOR * sum(length for _, length in runs))
    memory.fill(0, superblock.pack())
    at = BLOCK
    handle = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for start, length in runs:
            place, left = DATA_OFFSET + start * SECTOR, length * SECTOR
            while left:
                content = os.pread(handle, min(left, CHUNK), place)
                if not content:
                    raise OSError(5, f"{disk} ends at byte {place}")
                memory.fill(at, content)
                at, place, left = at + len(content), place + len(content), left - len(content)
    finally:
        os.close(handle)
    return memory


def seal_of(memory: MemoryDisk) -> bytes:
    """The digest of journal and tags as they are in memory: 32 bytes that name the whole volume's state."""
    state = hashlib.sha256(DOMAIN)
    for content in memory.chunks(BLOCK):
        state.update(content)
    return state.digest()


def check_seal(memory: MemoryDisk, seal: bytes | None, name: str) -> None:
    """The volume is in the state in which it was closed; without a seal nothing can be said. Raises `Refused`."""
    if seal is not None and not hmac.compare_digest(seal_of(memory), seal):
        why = f"{name}: the disk is not in the state in which the volume was closed last"
        raise Refused("volume.rollback", why)


def shadow_in_memory(
    mapper: DeviceMapper, disk: Path, spec: GuestVolume, superblock: Superblock, memory: MemoryDisk
) -> Path:
    """The disk from `DATA_OFFSET` on, whose superblock, journal and tags are read from memory."""
    runs = tag_runs(superblock)
    kept = mapper.create(f"warily-{spec.name}-kept", _kept(disk, runs))
    length = sum(length for _, length in runs)
    table = dm_tables.mirror(length=length, first=number(memory.node), offset=FIRST, second=number(kept))
    mirror = mapper.create(f"warily-{spec.name}-fresh", [table])
    end = (spec.size - DATA_OFFSET) // BLOCK * FIRST
    return mapper.create(f"warily-{spec.name}-shadow", _shadow(disk, memory, mirror, runs, end))


def _kept(disk: Path, runs: list[tuple[int, int]]) -> list[Target]:
    """The runs of the disk, one behind the other."""
    targets, at, device = [], 0, number(disk)
    for start, length in runs:
        offset = DATA_OFFSET // SECTOR + start
        targets.append(dm_tables.linear(start=at, length=length, device=device, offset=offset))
        at += length
    return targets


def _shadow(disk: Path, memory: MemoryDisk, mirror: Path, runs: list[tuple[int, int]], end: int) -> list[Target]:
    """The superblock from memory, then runs from the mirror and data from the disk by turns."""
    targets = [dm_tables.linear(start=0, length=FIRST, device=number(memory.node), offset=0)]
    at, inside, outside = 0, number(mirror), number(disk)
    for (start, length), (after, _) in pairwise([*runs, (end, 0)]):
        targets.append(dm_tables.linear(start=start, length=length, device=inside, offset=at))
        data = start + length
        offset = DATA_OFFSET // SECTOR + data
        targets.append(dm_tables.linear(start=data, length=after - data, device=outside, offset=offset))
        at += length
    return targets
