"""UEFI firmware volumes: what a firmware image is made of, compressed volumes inside volumes included.

A volume holds files, a file holds sections, and a section may be another volume or compressed sections (LZMA).
Strict about lengths; checksums are not judged, for the measurement covers the bytes whatever they sum up to.
Decompression stops at `MAX_EXPANDED` bytes over the whole image.
Source: UEFI Platform Initialization Specification 1.8, volume 3, chapters 2 and 3.
"""

import lzma
from collections.abc import Iterator
from typing import Annotated, Final

from warily.errors import FormatError
from warily.formats._guid import guid, text_of
from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64
from warily.formats._record import record

LIMIT: Final = 64 << 20
MAX_EXPANDED: Final = 128 << 20
MAX_DEPTH: Final = 8
MAX_PIECES: Final = 1 << 16  # volumes, files and sections together; OVMF has about a thousand
SIGNATURE: Final = b"_FVH"
SIGNATURE_AT: Final = 40

FILE_SYSTEMS: Final = frozenset(
    {guid("8c8ce578-8a3d-4f1c-9935-896185c32dd3"), guid("5473c07a-3dcb-4dca-bd6f-1e9689e7349a")}
)
LZMA: Final = guid("ee4e5898-3914-4259-9d6e-dc7bd79403cf")
GUIDED: Final = 0x02
VOLUME: Final = 0x17
PAD_FILE: Final = 0xF0
LARGE_FILE: Final = 0x01
EXTENDED: Final = 0xFFFFFF
ERASED: Final = 0xFF


@layout(56, source="PI 1.8 volume 3, section 3.2.1, EFI_FIRMWARE_VOLUME_HEADER without the block map")
class VolumeHeader(Layout):
    """The head of a volume. `length` counts everything, `header_size` the head with its block map."""

    reset: Annotated[bytes, octets(0, 16)]
    file_system: Annotated[bytes, octets(16, 16)]
    length: Annotated[int, u64(32)]
    signature: Annotated[bytes, octets(40, 4)]
    attributes: Annotated[int, u32(44)]
    header_size: Annotated[int, u16(48)]
    checksum: Annotated[int, u16(50)]
    extended_at: Annotated[int, u16(52)]
    reserved: Annotated[int, u8(54)]
    revision: Annotated[int, u8(55)]


@layout(24, source="PI 1.8 volume 3, section 3.2.3, EFI_FFS_FILE_HEADER")
class FileHeader(Layout):
    """The head of a file; `size` has 24 bits and counts the head."""

    name: Annotated[bytes, octets(0, 16)]
    check: Annotated[int, u16(16)]
    type: Annotated[int, u8(18)]
    attributes: Annotated[int, u8(19)]
    size: Annotated[bytes, octets(20, 3)]
    state: Annotated[int, u8(23)]


@record
class Volume:
    """One volume. `offset` is where it begins in the image, or in the decompressed bytes that hold it.

    `depth` counts the volumes around it. `data` is the whole volume, its free space included; `files` are the GUIDs
    of its files in order (as printed), pad files left out. A volume of another file system has none.
    """

    offset: int
    depth: int
    file_system: bytes
    data: memoryview
    files: tuple[str, ...]


@record
class FirmwareVolumes:
    """All volumes of an image, each before those inside it, and the decompressed bytes that some came from."""

    volumes: tuple[Volume, ...]
    expanded: tuple[bytes, ...]

    @property
    def files(self) -> frozenset[str]:
        """The GUIDs of all files, as printed."""
        return frozenset(name for volume in self.volumes for name in volume.files)


def parse_volumes(data: bytes) -> FirmwareVolumes:
    """The volumes of the image `data` (at most 64 MiB). Raises `FormatError`, also where there is none."""
    if len(data) > LIMIT:
        msg = f"firmware: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    walk = _Walk()
    for offset in _starts(data):
        walk.volume(memoryview(data)[offset:], offset, 0)
    if not walk.volumes:
        raise FormatError("firmware: no firmware volume in it")
    return FirmwareVolumes(volumes=tuple(walk.volumes), expanded=tuple(walk.expanded))


def _starts(data: bytes) -> Iterator[int]:
    """Where volumes begin in an image: at every signature that is not inside the volume before."""
    at = 0
    while (found := data.find(SIGNATURE, at + SIGNATURE_AT)) >= 0:
        start = found - SIGNATURE_AT
        yield start
        length = int.from_bytes(data[start + 32 : start + 40], "little")
        at = start + max(length, VolumeHeader.SIZE)


class _Walk:
    """Walks volumes, files and sections, and counts what it sees."""

    def __init__(self) -> None:
        self.volumes: list[Volume] = []
        self.expanded: list[bytes] = []
        self._left = MAX_EXPANDED
        self._pieces = 0

    def _count(self) -> None:
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            msg = f"firmware volume: over {MAX_PIECES} volumes, files and sections"
            raise FormatError(msg)

    def volume(self, view: memoryview, offset: int, depth: int) -> None:
        self._count()
        if depth > MAX_DEPTH:
            msg = f"firmware volume: over {MAX_DEPTH} volumes inside each other"
            raise FormatError(msg)
        if len(view) < VolumeHeader.SIZE:
            msg = f"firmware volume at {offset:#x}: {len(view)} bytes are no header"
            raise FormatError(msg)
        head = VolumeHeader.unpack(view[: VolumeHeader.SIZE])
        if head.signature != SIGNATURE or not VolumeHeader.SIZE <= head.header_size <= head.length <= len(view):
            msg = f"firmware volume at {offset:#x}: {head.length} bytes with a head of {head.header_size} do not fit"
            raise FormatError(msg)
        body = view[: head.length]
        index = len(self.volumes)
        made = Volume(offset=offset, depth=depth, file_system=head.file_system, data=body, files=())
        self.volumes.append(made)
        if head.file_system in FILE_SYSTEMS:
            names = tuple(self._files(body, _first_file(body, head), depth))
            self.volumes[index] = Volume(
                offset=offset, depth=depth, file_system=head.file_system, data=body, files=names
            )

    def _files(self, body: memoryview, at: int, depth: int) -> Iterator[str]:
        for head, content in _split_files(body, at):
            self._count()
            if head.type != PAD_FILE:
                yield text_of(head.name)
                if _has_sections(head.type):
                    self.sections(content, depth)

    def sections(self, view: memoryview, depth: int) -> None:
        for kind, whole, start in _split_sections(view):
            self._count()
            self._section(kind, whole, start, depth)

    def _section(self, kind: int, view: memoryview, start: int, depth: int) -> None:
        if kind == VOLUME:
            self.volume(view[start:], start, depth + 1)
        elif kind == GUIDED and bytes(view[start : start + 16]) == LZMA:
            offset = int.from_bytes(view[start + 16 : start + 18], "little")
            if not start + 20 <= offset <= len(view):
                msg = f"firmware volume: compressed section: data at {offset:#x} is not in the section"
                raise FormatError(msg)
            if depth >= MAX_DEPTH:
                msg = f"firmware volume: over {MAX_DEPTH} volumes inside each other"
                raise FormatError(msg)
            self.sections(memoryview(self._expand(bytes(view[offset:]))), depth + 1)

    def _expand(self, packed: bytes) -> bytes:
        """The decompressed bytes, within what is left of the limit."""
        machine = lzma.LZMADecompressor(format=lzma.FORMAT_ALONE, memlimit=MAX_EXPANDED)
        try:
            plain = machine.decompress(packed, max_length=self._left)
        except lzma.LZMAError as error:
            msg = f"firmware volume: compressed section: {error}"
            raise FormatError(msg) from None
        if not machine.eof:
            msg = f"firmware volume: compressed section is cut short, or expands to over {MAX_EXPANDED} bytes"
            raise FormatError(msg)
        self._left -= len(plain)
        self.expanded.append(plain)
        return plain


def file_sections(volume: Volume, name: str) -> tuple[tuple[int, memoryview], ...]:
    """Type and content of each section of the file with the GUID `name`; empty where the volume has no such file."""
    if volume.file_system not in FILE_SYSTEMS:
        return ()
    head = VolumeHeader.unpack(volume.data[: VolumeHeader.SIZE])
    for file, content in _split_files(volume.data, _first_file(volume.data, head)):
        if text_of(file.name) == name and _has_sections(file.type):
            return tuple((kind, whole[start:]) for kind, whole, start in _split_sections(content))
    return ()


def _split_files(body: memoryview, at: int) -> Iterator[tuple[FileHeader, memoryview]]:
    """The files from `at` on, pad files included: each head and what follows it, until free space begins."""
    while at + FileHeader.SIZE <= len(body):
        if bytes(body[at : at + FileHeader.SIZE]) == bytes([ERASED]) * FileHeader.SIZE:
            return
        head = FileHeader.unpack(body[at : at + FileHeader.SIZE])
        start, size = FileHeader.SIZE, int.from_bytes(head.size, "little")
        if head.attributes & LARGE_FILE:
            start, size = start + 8, int.from_bytes(body[at + 24 : at + 32], "little")
        if not start <= size <= len(body) - at:
            msg = f"firmware volume: file {text_of(head.name)} of {size} bytes does not fit"
            raise FormatError(msg)
        yield head, body[at + start : at + size]
        at += size + -size % 8


def _split_sections(view: memoryview) -> Iterator[tuple[int, memoryview, int]]:
    """The sections of a file: type, the whole section, and where its content begins in it."""
    at = 0
    while at + 4 <= len(view):
        size, start = int.from_bytes(view[at : at + 3], "little"), 4
        if size == EXTENDED:
            size, start = int.from_bytes(view[at + 4 : at + 8], "little"), 8
        if not start <= size <= len(view) - at:
            msg = f"firmware volume: section of {size} bytes at {at:#x} does not fit"
            raise FormatError(msg)
        yield view[at + 3], view[at : at + size], start
        at += size + -size % 4


def _first_file(body: memoryview, head: VolumeHeader) -> int:
    """Where the files begin: after the head, and after the extended head where there is one."""
    at = head.header_size
    if head.extended_at:
        size = int.from_bytes(body[head.extended_at + 16 : head.extended_at + 20], "little")
        at = head.extended_at + size
    at += -at % 8
    if not head.header_size <= at <= len(body):
        msg = f"firmware volume: extended head at {head.extended_at:#x} does not fit"
        raise FormatError(msg)
    return at


def _has_sections(kind: int) -> bool:
    """Whether a file of that type consists of sections: not a raw one (0x01), nor one of a vendor's type."""
    return 0x02 <= kind <= 0x0F
