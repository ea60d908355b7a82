"""How new the collateral was that was fetched so far: the record behind `core/seen.py`, in one file of the user."""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from warily.core.seen import LIMIT, NOTHING_SEEN, Mark, Seen
from warily.errors import FormatError, HostError
from warily.fetch.cache import read_private, write_private


def recall(path: Path) -> Seen:
    """The record in the file; an empty one where there is no file. Raises `HostError` for a file that is no record."""
    text = read_private(path, LIMIT)
    if text is None:
        if path.exists():
            raise _damaged(path)
        return NOTHING_SEEN
    try:
        return Seen.decode(text)
    except FormatError:
        raise _damaged(path) from None


def remember(path: Path, marks: Iterable[Mark]) -> None:
    """The record holds these marks too, the newest of each series; also where others write at the same time.

    Raises `HostError` where this machine does not let it, or the file is no record.
    """
    offered = list(marks)
    if not offered:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise HostError(msg) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = recall(path)
        after = before.with_marks(offered)
        if after != before:
            write_private(path, after.encode())
    finally:
        os.close(lock)


def _damaged(path: Path) -> HostError:
    msg = f"{path} is no record of collateral seen"
    return HostError(msg, hint="who changed it? without it old answers are not noticed; remove it to begin anew")
