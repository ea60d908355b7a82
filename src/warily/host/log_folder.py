"""A transparency log as a folder of files, as a static web server would serve it.

One writer at a time; the checkpoint is replaced last, so that a reader never sees a head without its tiles.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from warily.errors import FormatError, HostError
from warily.formats.tlog_tiles import CHECKPOINT

MAX_FILE: Final = 32 << 20  # a full bundle has at most 256 entries of 64 KiB
_LOCK: Final = ".lock"


def read(folder: Path, name: str) -> bytes:
    """The file of that name below the log. Raises `FormatError` where it is missing or too large to be one."""
    try:
        with (folder / name).open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        msg = f"log {folder}: {name}: {error.strerror}"
        raise FormatError(msg) from None
    if len(data) > MAX_FILE:
        msg = f"log {folder}: {name}: over {MAX_FILE} bytes"
        raise FormatError(msg)
    return data


def exists(folder: Path) -> bool:
    """A log has been started there."""
    return (folder / CHECKPOINT).exists()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Nobody else writes to the log meanwhile. Raises `HostError` where somebody does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}"
        raise HostError(msg) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        msg = f"{folder} is being written to by another process"
        raise HostError(msg, hint="try again when it has ended") from None
    finally:
        os.close(descriptor)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Every file is there, whole and on the disk; the checkpoint, where it is among them, came last."""
    try:
        for name in sorted(files, key=lambda name: (name == CHECKPOINT, name)):
            _write(folder / name, files[name])
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}"
        raise HostError(msg) from None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
