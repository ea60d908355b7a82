"""Firmware images as small as they can be, with any footer: the tests' own writer, apart from the reader."""

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

FOOTER = "96b582de-1fb2-45f7-baea-a366c55a082d"
HASH_TABLE = "7255371f-3a3b-4b04-927b-1da6efa8d454"
RESET_BLOCK = "00f771de-1a7e-4fcb-890e-68c77e2fb44e"
SEV_METADATA = "dc886566-984a-4798-a75e-5585a7bf67cc"

SEC_MEM, SECRETS, CPUID, SVSM_CAA, KERNEL_HASHES = 1, 2, 3, 4, 0x10
METADATA_OFFSET = 0x600  # of the metadata, from the end of the image


def entry(name: str, data: bytes) -> bytes:
    return data + struct.pack("<H", len(data) + 18) + uuid.UUID(name).bytes_le


def metadata(sections: Sequence[tuple[int, int, int]], *, version: int = 1) -> bytes:
    head = struct.pack("<4sIII", b"ASEV", 16 + 12 * len(sections), version, len(sections))
    return head + b"".join(struct.pack("<III", *section) for section in sections)


def image(entries: bytes, *, about: bytes = b"", pages: int = 1, fill: int = 0xF4) -> bytes:
    """An image whose table holds `entries` and whose metadata, 0x600 bytes from the end, is `about`."""
    footer = entries + struct.pack("<H", len(entries) + 18) + uuid.UUID(FOOTER).bytes_le
    tail = about.ljust(METADATA_OFFSET - len(footer) - 32, b"\xcc") + footer + bytes(32)
    return bytes([fill]) * (pages * 4096 - len(tail)) + tail


@dataclass(frozen=True)
class Firmware:
    data: bytes
    takes_kernel: bool


def usual(
    sections: Sequence[tuple[int, int, int]], *, eip: int = 0x80B004, table: int = 0x810C00, pages: int = 2
) -> bytes:
    entries = (
        entry(SEV_METADATA, struct.pack("<I", METADATA_OFFSET))
        + entry(HASH_TABLE, struct.pack("<II", table, 1024))
        + entry(RESET_BLOCK, struct.pack("<I", eip))
    )
    return image(entries, about=metadata(sections), pages=pages)


ADDRESSES = st.integers(0, 0xFF000).map(lambda page: page * 4096)


@st.composite
def firmwares(draw: st.DrawFn) -> Firmware:
    """Images that a launch accepts: sections of every type in any order, sizes as the ABI knows them."""
    single = st.tuples(ADDRESSES, st.just(4096), st.sampled_from([SECRETS, CPUID, KERNEL_HASHES]))
    many = st.tuples(ADDRESSES, st.integers(0, 5).map(lambda n: n * 4096), st.sampled_from([SEC_MEM, SVSM_CAA]))
    sections = draw(st.lists(single | many, max_size=7))
    data = usual(
        sections,
        eip=draw(st.integers(1, 0xFFFFFFFF)),
        table=draw(ADDRESSES.filter(bool)) + draw(st.integers(0, 4096 - 176)),
        pages=draw(st.integers(1, 3)),
    )
    return Firmware(data, any(kind == KERNEL_HASHES for _, _, kind in sections))
