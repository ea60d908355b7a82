"""What is in an initial RAM file system: the names in its archives, and the small files among them.

Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst. Archives follow one another, each plain or
compressed; this reads plain ones, and says where a compressed one begins. Unpacking is the caller's, with its limits.
"""

import re
import stat
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError

MAGICS: Final = (b"070701", b"070702")
HEADER: Final = 110
LIMIT: Final = 1 << 30
MAX_ENTRIES: Final = 200_000
MAX_NAME: Final = 4096
KEPT: Final = 1 << 16  # bytes of a file that are kept
TRAILER: Final = "TRAILER!!!"
_NUMBERS: Final = re.compile(rb"[0-9A-Fa-f]{104}")
COMPRESSIONS: Final = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x5d\x00\x00": "lzma",
    b"BZh": "bzip2",
    b"\x02\x21\x4c\x18": "lz4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry: its path without a leading slash, its mode, and its content where that is at most 64 KiB.

    The content of a symbolic link is where it points.
    """

    path: str
    mode: int
    content: bytes | None


def compression(data: bytes) -> str:
    """How `data` is compressed by its first bytes; empty where it is not, or not in a known way."""
    return next((name for magic, name in COMPRESSIONS.items() if data.startswith(magic)), "")


def members(data: bytes) -> tuple[tuple[Member, ...], int]:
    """The entries of the plain archives at the beginning of `data`, and where those end.

    What is there is another, compressed archive, or nothing. Raises `FormatError` for anything else.
    """
    if len(data) > LIMIT:
        msg = f"initramfs: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    found: list[Member] = []
    at = 0
    while at < len(data):
        if data[at] == 0:
            at = _past_zeros(data, at)
        elif data[at : at + 6] in MAGICS:
            at = _entry(data, at, found)
        elif compression(data[at : at + 8]):
            break
        else:
            msg = f"initramfs: neither an archive nor a known compression at offset {at:#x}"
            raise FormatError(msg)
    return tuple(found), at


def _past_zeros(data: bytes, at: int) -> int:
    """The offset of the next byte that is not zero."""
    step = 4096
    while at < len(data):
        rest = data[at : at + step].lstrip(b"\0")
        if rest:
            return at + min(step, len(data) - at) - len(rest)
        at += step
    return len(data)


def _entry(data: bytes, at: int, found: list[Member]) -> int:
    """Add the entry at `at`, unless it is a trailer. The result is where the next one begins."""
    header = data[at + 6 : at + HEADER]
    if _NUMBERS.fullmatch(header) is None:
        msg = f"initramfs: a malformed header at offset {at:#x}"
        raise FormatError(msg)
    numbers = [int(header[n : n + 8], 16) for n in range(0, 104, 8)]
    mode, size, length = numbers[1], numbers[6], numbers[11]
    name_at = at + HEADER
    content_at = name_at + length + (-(HEADER + length) % 4)
    end = content_at + size
    if not 0 < length <= MAX_NAME or end > len(data) or len(found) >= MAX_ENTRIES:
        msg = f"initramfs: an entry at offset {at:#x} that does not fit, or over {MAX_ENTRIES} of them"
        raise FormatError(msg)
    name = data[name_at : name_at + length - 1].decode("utf-8", "replace")
    if name != TRAILER:
        path = name.removeprefix("./").lstrip("/")
        kept = (stat.S_ISREG(mode) or stat.S_ISLNK(mode)) and size <= KEPT
        found.append(Member(path=path, mode=mode, content=data[content_at:end] if kept else None))
    return end + (-size % 4)
