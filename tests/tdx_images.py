"""Firmware for TDX as small as it can be, and variable stores: the tests' own writer, apart from the reader."""

import struct
import uuid
from collections.abc import Sequence

from tests.ovmf_images import METADATA_OFFSET, entry, image

TDX_METADATA = "e47a6535-984a-4798-865e-4685a7bf8ec2"
BFV, CFV, TD_HOB, TEMP_MEM, PERM_MEM = 0, 1, 2, 3, 4
MR_EXTEND, PAGE_AUG = 1, 2
NV_DATA = "fff12b8d-7696-4c8b-a985-2747075b4f50"
AUTHENTICATED = "aaf32c78-947b-439a-a180-2e144ec37792"

Section = tuple[int, int, int, int, int, int]  # data offset, raw size, address, memory size, type, attributes
USUAL: tuple[Section, ...] = (
    (0x1000, 0x1000, 0xFFFFF000, 0x1000, BFV, MR_EXTEND),
    (0, 0x1000, 0xFFFFE000, 0x1000, CFV, 0),
    (0, 0, 0x810000, 0x2000, TEMP_MEM, 0),
    (0, 0, 0x809000, 0x2000, TD_HOB, 0),
)


def metadata(sections: Sequence[Section], *, signature: bytes = b"TDVF", version: int = 1) -> bytes:
    head = struct.pack("<4sIII", signature, 16 + 32 * len(sections), version, len(sections))
    return head + b"".join(struct.pack("<IIQQII", *section) for section in sections)


def tdvf(sections: Sequence[Section] = USUAL, *, pages: int = 2, fill: int = 0xF4) -> bytes:
    pointer = entry(TDX_METADATA, struct.pack("<I", METADATA_OFFSET))
    return image(pointer, about=metadata(sections), pages=pages, fill=fill)


def legacy(sections: Sequence[Section] = USUAL, *, offset: int = 0x40) -> bytes:
    """An image without the GUIDed table: an offset from the start, 32 bytes before the end."""
    about = metadata(sections)
    body = bytes(offset) + about
    return body.ljust(2 * 4096 - 32, b"\xcc") + struct.pack("<I", offset) + bytes(28)


def variable(name: str, vendor: str, value: bytes, *, state: int = 0x3F) -> bytes:
    wide = f"{name}\0".encode("utf-16-le")
    head = struct.pack("<HBBIQ16sIII", 0x55AA, state, 0, 7, 0, bytes(16), 0, len(wide), len(value))
    whole = head + uuid.UUID(vendor).bytes_le + wide + value
    return whole + b"\xff" * (-len(whole) % 4)


def store(variables: bytes, *, size: int = 0x1000, free: int = 0xFF) -> bytes:
    header_size = 72
    head = (
        bytes(16) + uuid.UUID(NV_DATA).bytes_le + struct.pack("<Q4sIHHHBB", size, b"_FVH", 0, header_size, 0, 0, 0, 2)
    )
    head = head.ljust(header_size, b"\0")
    about = uuid.UUID(AUTHENTICATED).bytes_le + struct.pack("<IBBHI", size - header_size, 0x5A, 0xFE, 0, 0)
    return (head + about + variables).ljust(size, bytes([free]))
