"""Compute the dm-verity tree over a file, with processes: threads would fight over the interpreter lock."""

import hashlib
import mmap
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from warily.core.manifest import VerityRoot
from warily.errors import FormatError
from warily.formats.verity import ALGORITHM, BLOCK, SALT, tree

CHUNK: Final = 4096  # blocks of a task: 16 MiB, some 7 ms
ALONE: Final = 4 * CHUNK  # up to 64 MiB, starting processes costs more than it saves


def salt_for(name: str) -> bytes:
    """The salt of an image: from its name, so that a build is reproducible. It is public and need not be random."""
    return hashlib.sha256(b"warily verity salt\0" + name.encode()).digest()


def write_tree(data: Path, hashes: Path, *, salt: bytes, jobs: int | None = None) -> VerityRoot:
    """`hashes` holds the tree over `data`, as `veritysetup format --no-superblock` writes it; its root is the result.

    Raises `FormatError` where `data` is empty or not whole blocks of 4096 bytes.
    """
    size = data.stat().st_size
    if size % BLOCK or len(salt) != SALT:
        msg = f"verity: {data.name} has {size} bytes, not whole blocks, or the salt has {len(salt)} bytes, not {SALT}"
        raise FormatError(msg)
    shape = tree(size // BLOCK)
    digests = _digests_of(data, shape.data_blocks, salt, jobs or os.cpu_count() or 1)
    with hashes.open("wb") as out:
        out.truncate(shape.hash_blocks * BLOCK)
        for place in shape.levels:
            level = digests + bytes(-len(digests) % BLOCK)
            if len(level) != place.blocks * BLOCK:
                msg = f"verity: {data.name} changed while it was read"
                raise FormatError(msg)
            out.seek(place.start * BLOCK)
            out.write(level)
            digests = _hash_blocks(memoryview(level), salt)
    return VerityRoot(
        algorithm=ALGORITHM,
        root_hash=digests,
        salt=salt,
        data_blocks=shape.data_blocks,
        block_size=BLOCK,
    )


def _hash_blocks(view: memoryview, salt: bytes) -> bytes:
    """The digests of the blocks of `view`, one after the other. Format 1: the salt comes first."""
    start = hashlib.sha256(salt)
    digests = []
    for at in range(0, len(view), BLOCK):
        running = start.copy()
        running.update(view[at : at + BLOCK])
        digests.append(running.digest())
    return b"".join(digests)


def _digests_of(data: Path, blocks: int, salt: bytes, jobs: int) -> bytes:
    """The digests of all blocks of a file."""
    tasks = [(str(data), start, min(CHUNK, blocks - start), salt) for start in range(0, blocks, CHUNK)]
    if jobs == 1 or blocks <= ALONE:
        return b"".join(map(_task, tasks))
    with ProcessPoolExecutor(min(jobs, len(tasks))) as pool:
        return b"".join(pool.map(_task, tasks))


def _task(task: tuple[str, int, int, bytes]) -> bytes:
    """The digests of `count` blocks from block `start`; runs in a process of its own."""
    path, start, count, salt = task
    with (
        open(path, "rb") as file,  # noqa: PTH123  # a text crosses to the worker more cheaply than a Path
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as whole,
        whole[start * BLOCK : (start + count) * BLOCK] as part,
    ):
        return _hash_blocks(part, salt)
