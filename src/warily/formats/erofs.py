"""EROFS images: find a file by its path and read it. Without fragments, chunks, tail packing or extra devices.

The image is read through a function, so that each block can be checked before it is believed. Compressed files are
LZ4's. Whatever else an image may use is refused by name.
Specification: Linux `Documentation/filesystems/erofs.rst`, fs/erofs/erofs_fs.h and zmap.c (6.12).
"""

import stat
from collections.abc import Callable, Iterator
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64
from warily.formats._record import record
from warily.formats.erofs_clusters import Cluster, clusters
from warily.formats.lz4_block import decompress

SUPERBLOCK_AT: Final = 1024
MAGIC: Final = 0xE0F5E1E2
SLOT: Final = 32
MAX_FILE: Final = 1 << 30
MAX_DIRECTORY: Final = 64 << 20
MAX_DEPTH: Final = 64
MAX_LINKS: Final = 16
INLINE_XATTR_HEAD: Final = 12
# Incompatible features that are understood: LZ4 with padding first, big clusters, the size of directory blocks.
PADDED: Final = 0x1
BIG_CLUSTERS: Final = 0x2
UNDERSTOOD: Final = PADDED | BIG_CLUSTERS
FLAT, FULL_INDEX, INLINE, COMPACT_INDEX = 0, 1, 2, 3

Reader = Callable[[int, int], bytes]


class NoSuchFileError(FormatError):
    """The image is whole, and has no file at that path."""


@layout(128, source="Linux fs/erofs/erofs_fs.h, erofs_super_block")
class Superblock(Layout):
    """The head of the image. `block_bits` is the logarithm of the block size, `metadata` a block, `root` a node."""

    magic: Annotated[int, u32(0)]
    checksum: Annotated[int, u32(4)]
    compatible: Annotated[int, u32(8)]
    block_bits: Annotated[int, u8(12)]
    slots: Annotated[int, u8(13)]
    root: Annotated[int, u16(14)]
    inodes: Annotated[int, u64(16)]
    epoch: Annotated[int, u64(24)]
    epoch_fraction: Annotated[int, u32(32)]
    blocks: Annotated[int, u32(36)]
    metadata: Annotated[int, u32(40)]
    attributes: Annotated[int, u32(44)]
    uuid: Annotated[bytes, octets(48, 16)]
    volume: Annotated[bytes, octets(64, 16)]
    incompatible: Annotated[int, u32(80)]
    compression: Annotated[int, u16(84)]
    extra_devices: Annotated[int, u16(86)]
    device_slots: Annotated[int, u16(88)]
    directory_bits: Annotated[int, u8(90)]
    prefixes: Annotated[int, u8(91)]
    prefix_start: Annotated[int, u32(92)]
    packed: Annotated[int, u64(96)]
    filter: Annotated[int, u8(104)]
    rest: Annotated[bytes, octets(105, 23)]


@record
class Inode:
    """One file or directory. `at` is where its inode begins, `end` where inode and attributes end; `start` a block."""

    number: int
    at: int
    end: int
    layout: int
    mode: int
    size: int
    start: int

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)


class Erofs:
    """An image, read through `read(offset, size)`, which gives exactly so many bytes or raises."""

    def __init__(self, read: Reader, head: Superblock) -> None:
        self._read, self.head = read, head
        self.block = 1 << head.block_bits

    @classmethod
    def open(cls, read: Reader) -> Self:
        """The image. Raises `FormatError` where it is none, or one with features that are not understood."""
        head = Superblock.unpack(read(SUPERBLOCK_AT, Superblock.SIZE))
        if head.magic != MAGIC:
            raise FormatError("EROFS: no superblock of this file system")
        if head.incompatible & ~UNDERSTOOD or head.extra_devices or head.directory_bits:
            msg = f"EROFS: incompatible features {head.incompatible:#x} that are not understood"
            raise FormatError(msg, hint="fragments, chunks, tail packing and other compressors than LZ4 are not read")
        if not 9 <= head.block_bits <= 16:
            msg = f"EROFS: blocks of 2^{head.block_bits} bytes"
            raise FormatError(msg)
        return cls(read, head)

    def find(self, path: str) -> tuple[Inode, str]:
        """The inode at an absolute path, symbolic links followed within the image, and the path it ends at.

        Raises `FormatError` where there is none.
        """
        names = [name for name in path.split("/") if name not in ("", ".")]
        here: list[tuple[str, Inode]] = []
        links = 0
        while names:
            name = names.pop(0)
            if name == "..":
                here = here[:-1]
                continue
            folder = here[-1][1] if here else self.inode(self.head.root)
            inode = self._entry(folder, name, path)
            if inode.is_link:
                links += 1
                if links > MAX_LINKS:
                    msg = f"{path}: over {MAX_LINKS} symbolic links"
                    raise FormatError(msg)
                target = self.content(inode).decode("utf-8", "surrogateescape")
                here = [] if target.startswith("/") else here
                names = [part for part in target.split("/") if part not in ("", ".")] + names
                continue
            here.append((name, inode))
            if len(here) > MAX_DEPTH:
                msg = f"{path}: over {MAX_DEPTH} folders deep"
                raise FormatError(msg)
        found = here[-1][1] if here else self.inode(self.head.root)
        return found, "/" + "/".join(name for name, _ in here)

    def inode(self, number: int) -> Inode:
        """The inode of that number. Raises `FormatError`."""
        at = self.head.metadata * self.block + number * SLOT
        raw = self._read(at, 32)
        form = _u16(raw, 0)
        extended, kind = form & 1, form >> 1 & 7
        if form >> 4:
            msg = f"EROFS: inode {number} of an unknown form {form:#x}"
            raise FormatError(msg)
        attributes = _u16(raw, 2)
        size = int.from_bytes(self._read(at + 8, 8), "little") if extended else _u32(raw, 8)
        length = 64 if extended else 32
        inline = INLINE_XATTR_HEAD + 4 * (attributes - 1) if attributes else 0
        return Inode(
            number=number,
            at=at,
            end=at + length + inline,
            layout=kind,
            mode=_u16(raw, 4),
            size=size,
            start=_u32(raw, 16),
        )

    def content(self, inode: Inode) -> bytes:
        """The bytes of a file, link or directory. Raises `FormatError`; at most 1 GiB."""
        limit = MAX_DIRECTORY if inode.is_directory else MAX_FILE
        if inode.size > limit:
            msg = f"EROFS: inode {inode.number} has {inode.size} bytes, over {limit}"
            raise FormatError(msg)
        return b"".join(self._pieces(inode))

    def _pieces(self, inode: Inode) -> Iterator[bytes]:
        if inode.layout == FLAT:
            yield self._read(inode.start * self.block, inode.size)
        elif inode.layout == INLINE:
            whole = inode.size // self.block * self.block
            if inode.size == whole and whole:
                whole -= self.block
            if whole:
                yield self._read(inode.start * self.block, whole)
            yield self._read(inode.end, inode.size - whole)
        elif inode.layout in (FULL_INDEX, COMPACT_INDEX):
            for cluster in clusters(
                self._read,
                end=inode.end,
                size=inode.size,
                block_bits=self.head.block_bits,
                compact=inode.layout == COMPACT_INDEX,
            ):
                yield self._cluster(cluster)
        else:
            msg = f"EROFS: inode {inode.number} has data of layout {inode.layout}, which is not read"
            raise FormatError(msg)

    def _cluster(self, cluster: Cluster) -> bytes:
        """The bytes of a compressed extent."""
        raw = self._read(cluster.block * self.block, cluster.blocks * self.block)
        if not cluster.compressed:
            if cluster.interlaced:
                turn = cluster.start % self.block
                raw = raw[turn:] + raw[:turn]
            if cluster.length > len(raw):
                raise FormatError("EROFS: a plain extent is longer than its blocks")
            return raw[: cluster.length]
        if self.head.incompatible & PADDED:
            raw = raw.lstrip(b"\0")
        return decompress(raw, cluster.length)

    def _entry(self, folder: Inode, name: str, path: str) -> Inode:
        """The inode of a name in a folder."""
        if not folder.is_directory:
            msg = f"{path}: a part of it is no folder"
            raise NoSuchFileError(msg)
        for number, entry in self._entries(folder):
            if entry == name:
                return self.inode(number)
        msg = f"{path}: no such file in the image"
        raise NoSuchFileError(msg)

    def _entries(self, folder: Inode) -> Iterator[tuple[int, str]]:
        """(inode number, name) of a folder, block by block."""
        data = self.content(folder)
        for at in range(0, len(data), self.block):
            block = data[at : at + self.block]
            first = _u16(block, 8) if len(block) >= 12 else 0
            if not first or first % 12 or first > len(block):
                raise FormatError("EROFS: a folder's block does not begin with entries")
            places = [_u16(block, place + 8) for place in range(0, first, 12)]
            for index, place in enumerate(places):
                end = places[index + 1] if index + 1 < len(places) else len(block)
                if not first <= place <= end <= len(block):
                    raise FormatError("EROFS: a folder's names are out of order")
                number = int.from_bytes(block[index * 12 : index * 12 + 8], "little")
                yield number, block[place:end].rstrip(b"\0").decode("utf-8", "surrogateescape")


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
