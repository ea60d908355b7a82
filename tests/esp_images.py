"""Disks with an EFI system partition: FAT32 and GPT, the tests' own writer. Names are of 8.3 characters."""

import binascii
import struct
import uuid
from collections.abc import Mapping

SECTOR = 512
RESERVED = 32
SYSTEM_PARTITION = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
OTHER_PARTITION = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
FIRST = 2048  # the sector where partitions begin
ENTRIES = 128
END_OF_CHAIN = 0x0FFFFFFF


def fat32(files: Mapping[str, bytes]) -> bytes:
    """A file system with these files, whose paths are like EFI/BOOT/BOOTX64.EFI. One sector is one cluster."""
    need = sum(-(-len(data) // SECTOR) + 8 for data in files.values())
    clusters = max(need, 65600)  # below 65,525 it would be FAT16
    width = -(-(clusters + 2) * 4 // SECTOR)
    disk = _Fat(clusters)
    tree: dict[str, object] = {}
    for path, data in files.items():
        *folders, name = path.split("/")
        here = tree
        for folder in folders:
            here = here.setdefault(folder, {})  # type: ignore[assignment]  # a folder
        here[name] = data
    root = disk.reserve(1)
    disk.folder(tree, root, None)
    table = struct.pack(f"<{len(disk.table)}I", *disk.table).ljust(width * SECTOR, b"\0")
    boot = bytearray(SECTOR)
    boot[:11] = b"\xeb\x58\x90MSWIN4.1"
    total = RESERVED + 2 * width + clusters
    struct.pack_into("<HBHBHHBHHHII", boot, 11, SECTOR, 1, RESERVED, 2, 0, 0, 0xF8, 0, 63, 255, 0, total)
    struct.pack_into("<IHHIHH", boot, 36, width, 0, 0, root, 1, 6)
    boot[64:90] = b"\x80\0\x29" + b"\x12\x34\x56\x78" + b"ESP        " + b"FAT32   "
    boot[510:] = b"\x55\xaa"
    info = bytearray(SECTOR)
    info[:4], info[484:488], info[508:] = b"RRaA", b"rrAa", b"\0\0\x55\xaa"
    info[488:496] = b"\xff" * 8
    head = bytearray(RESERVED * SECTOR)
    head[:1024] = boot + info
    head[6 * SECTOR : 8 * SECTOR] = boot + info
    return bytes(head) + table * 2 + bytes(disk.data)


class _Fat:
    """The clusters in use, and the chains between them."""

    def __init__(self, clusters: int) -> None:
        self.table = [0x0FFFFFF8, END_OF_CHAIN]
        self.data = bytearray(clusters * SECTOR)

    def reserve(self, count: int) -> int:
        first = len(self.table)
        self.table += [*range(first + 1, first + count), END_OF_CHAIN]
        return first

    def put(self, first: int, content: bytes) -> None:
        at = (first - 2) * SECTOR
        self.data[at : at + len(content)] = content

    def folder(self, tree: Mapping[str, object], own: int, parent: int | None) -> None:
        """A folder of at most one cluster."""
        listed = b"" if parent is None else _entry(".", 0x10, own, 0) + _entry("..", 0x10, parent, 0)
        for name, content in tree.items():
            if isinstance(content, bytes):
                first = self.reserve(-(-len(content) // SECTOR) or 1)
                self.put(first, content)
                listed += _entry(name, 0x20, first, len(content))
            else:
                assert isinstance(content, dict)
                first = self.reserve(1)
                self.folder(content, first, 0 if parent is None else own)
                listed += _entry(name, 0x10, first, 0)
        assert len(listed) <= SECTOR
        self.put(own, listed)


def _entry(name: str, attributes: int, first: int, size: int) -> bytes:
    stem, _, extension = name.partition(".") if name.strip(".") else (name, "", "")
    text = stem.upper().encode().ljust(8) + extension.upper().encode().ljust(3)
    assert len(text) == 11, name
    return text + struct.pack(
        "<BBBHHHHHHHI", attributes, 0, 0, 0, 0x21, 0x21, first >> 16, 0, 0x21, first & 0xFFFF, size
    )


def gpt(*partitions: tuple[uuid.UUID, bytes]) -> bytes:
    """A disk with these partitions, type and content each; identifiers count from one."""
    entries, content, at = b"", b"", FIRST
    for number, (kind, data) in enumerate(partitions, start=1):
        whole = data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0")
        last = at + len(whole) // SECTOR - 1
        name = f"part{number}".encode("utf-16-le").ljust(72, b"\0")
        entries += kind.bytes_le + uuid.UUID(int=number).bytes_le + struct.pack("<QQQ", at, last, 0) + name
        content, at = content + whole, last + 1
    entries = entries.ljust(ENTRIES * 128, b"\0")
    sectors = at + 34

    def header(own: int, other: int, table: int) -> bytes:
        fields = (own, other, 34, sectors - 34, uuid.UUID(int=0xD15C).bytes_le, table, ENTRIES, 128)
        body = struct.pack("<QQQQ16sQII", *fields) + struct.pack("<I", binascii.crc32(entries))
        head = b"EFI PART" + struct.pack("<III", 0x10000, 92, 0) + bytes(4) + body
        return head[:16] + struct.pack("<I", binascii.crc32(head)) + head[20:]

    protective = bytes(446) + struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, sectors - 1)
    disk = bytearray(sectors * SECTOR)
    disk[: len(protective)] = protective
    disk[510:512] = b"\x55\xaa"
    disk[512:604] = header(1, sectors - 1, 2)
    disk[1024 : 1024 + len(entries)] = entries
    disk[FIRST * SECTOR : FIRST * SECTOR + len(content)] = content
    disk[(sectors - 33) * SECTOR : (sectors - 33) * SECTOR + len(entries)] = entries
    disk[-SECTOR : -SECTOR + 92] = header(sectors - 1, 1, sectors - 33)
    return bytes(disk)
