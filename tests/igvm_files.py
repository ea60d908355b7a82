"""IGVM files of any content: the tests' own writer, apart from the reader."""

import struct
import zlib
from collections.abc import Sequence

SNP, TDX = 2, 3
VMSA = bytes(range(256)) * 6 + bytes(0x670 - 1536)


def platform(mask: int, kind: int) -> tuple[int, bytes]:
    return 0x1, struct.pack("<IBBHQ", mask, 0, kind, 1, 0)


def policy(mask: int) -> tuple[int, bytes]:
    return 0x101, struct.pack("<QII", 0x30000, mask, 0)


def page(gpa: int, offset: int, *, mask: int = 1, flags: int = 0, kind: int = 0) -> tuple[int, bytes]:
    return 0x302, struct.pack("<QIIIHH", gpa, mask, offset, flags, kind, 0)


def area(index: int, size: int) -> tuple[int, bytes]:
    return 0x301, struct.pack("<QII", size, index, 0)


def insert(gpa: int, index: int, *, mask: int = 1) -> tuple[int, bytes]:
    return 0x303, struct.pack("<QII", gpa, mask, index)


def processor(gpa: int, offset: int, *, index: int = 0, mask: int = 1) -> tuple[int, bytes]:
    return 0x304, struct.pack("<QIIHHI", gpa, mask, offset, index, 0, 0)


def igvm(headers: Sequence[tuple[int, bytes]], data: bytes = b"", *, version: int = 1) -> bytes:
    """A file. Offsets in the headers count from `DATA`, where the file data begins."""
    body = b"".join(
        struct.pack("<II", kind, len(content)) + content.ljust((len(content) + 7) // 8 * 8, b"\0")
        for kind, content in headers
    )
    end = struct.pack("<II", 0, 4096) if version == 2 else b""
    start = 24 + len(end)
    assert start + len(body) <= DATA
    total = DATA + len(data)
    fixed = struct.pack("<4sIIII", b"IGVM", version, start, len(body), total)
    checksum = zlib.crc32(fixed + bytes(4) + end + body)
    return (fixed + struct.pack("<I", checksum) + end + body).ljust(DATA, b"\0") + data


DATA = 0x2000
