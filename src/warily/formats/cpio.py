"""Newc cpio archives, as the kernel unpacks an initial RAM file system from them.

Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst. One archive has one encoding here:
every number is upper-case hexadecimal, time, owner and checksum are zero, inode numbers count from 1.
"""

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError
from warily.formats._cursor import Cursor

MAGIC: Final = b"070701"
HEADER: Final = 110
TRAILER: Final = "TRAILER!!!"
BLOCK: Final = 512
LIMIT: Final = 1 << 30
NAME_LIMIT: Final = 4096
_NUMBERS: Final = re.compile(rb"[0-9A-F]{104}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, a folder, a symbolic link (`data` is its target) or a device node, owned by root.

    `name` is relative to the root of the archive; `mode` includes the file type; `device` is (major, minor).
    """

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def encode(entries: Iterable[Entry]) -> bytes:
    """The archive of `entries`, in the order given, padded to a whole number of 512-byte blocks."""
    out = bytearray()
    for inode, entry in enumerate(entries, start=1):
        _append(out, entry, inode)
    _append(out, Entry(name=TRAILER, mode=0), 0)
    out += bytes(-len(out) % BLOCK)
    return bytes(out)


def _append(out: bytearray, entry: Entry, inode: int) -> None:
    name = entry.name.encode()
    if not 0 < len(name) < NAME_LIMIT or b"\0" in name:
        msg = f"cpio: {entry.name!r} is no file name"
        raise FormatError(msg)
    links = 0 if not entry.mode else 2 if stat.S_ISDIR(entry.mode) else 1
    numbers = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name) + 1, 0)
    if not all(0 <= number < 1 << 32 for number in numbers):
        msg = f"cpio: {entry.name}: a number needs more than 32 bits"
        raise FormatError(msg)
    out += MAGIC + b"".join(b"%08X" % number for number in numbers) + name + b"\0"
    out += bytes(-len(out) % 4)
    out += entry.data
    out += bytes(-len(out) % 4)


def decode(archive: bytes) -> tuple[Entry, ...]:
    """The entries of an archive in the one encoding that `encode` makes. Raises `FormatError`."""
    if len(archive) > LIMIT:
        msg = f"cpio: {len(archive)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    cursor = Cursor(archive, what="cpio")
    entries = []
    while (entry := _entry(cursor)).name != TRAILER:
        entries.append(entry)
    if encode(entries) != archive:
        msg = "cpio: not in the one encoding used here"
        raise FormatError(msg)
    return tuple(entries)


def _entry(cursor: Cursor) -> Entry:
    if cursor.take(6, "magic") != MAGIC:
        msg = f"cpio: no newc header at offset {cursor.offset - 6:#x}"
        raise FormatError(msg)
    text = cursor.take(HEADER - 6, "header")
    if not _NUMBERS.fullmatch(text):
        msg = f"cpio: header before offset {cursor.offset:#x} is not upper-case hexadecimal"
        raise FormatError(msg)
    numbers = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    if not 1 < numbers[11] <= NAME_LIMIT:
        msg = f"cpio: a name of {numbers[11]} bytes"
        raise FormatError(msg)
    raw = cursor.take(numbers[11], "name")
    cursor.take(-cursor.offset % 4, "padding")
    data = cursor.take(numbers[6], "data")
    cursor.take(-cursor.offset % 4, "padding")
    try:
        name = raw[:-1].decode()
    except UnicodeDecodeError:
        msg = "cpio: a name is not UTF-8"
        raise FormatError(msg) from None
    return Entry(name=name, mode=numbers[1], data=data, device=(numbers[9], numbers[10]))
