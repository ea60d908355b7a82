"""OVMF firmware images: the GUIDed table at the end, and what it says to an SEV launch.

The table is walked backwards from its footer, 32 bytes before the end of the file. Everything strict:
an unknown section type, a second entry with the same GUID or a length that does not fit is refused,
because a launch digest predicted from a guess is worse than none.
Source: edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm and OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._guid import guid, text_of
from warily.formats._layout import Layout, layout, octets, u16, u32
from warily.formats._record import record

PAGE: Final = 4096
TOP: Final = 1 << 32  # firmware ends here in guest physical memory
LIMIT: Final = 16 << 20  # QEMU maps no larger firmware (max-fw-size)
MAX_SECTIONS: Final = 64
MAX_SECTION_BYTES: Final = 64 << 20  # over all sections; OVMF needs under 1 MiB
FROM_END: Final = 32

FOOTER: Final = guid("96b582de-1fb2-45f7-baea-a366c55a082d")
HASH_TABLE: Final = guid("7255371f-3a3b-4b04-927b-1da6efa8d454")
RESET_BLOCK: Final = guid("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
SEV_METADATA: Final = guid("dc886566-984a-4798-a75e-5585a7bf67cc")


class SectionType(IntEnum):
    """What a section of guest memory is for before the first instruction runs."""

    SEC_MEM = 1
    SECRETS = 2
    CPUID = 3
    SVSM_CAA = 4
    KERNEL_HASHES = 0x10


@layout(18, source="edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm, GUIDed structure")
class EntryTail(Layout):
    """What follows the data of a table entry. `size` counts the data and these 18 bytes."""

    size: Annotated[int, u16(0)]
    guid: Annotated[bytes, octets(2, 16)]


@layout(8, source="edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm, SEV hash table block")
class Area(Layout):
    """A range of guest physical memory. All zero where the firmware lacks the feature."""

    gpa: Annotated[int, u32(0)]
    size: Annotated[int, u32(4)]


@layout(16, source="edk2 OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm, header")
class MetadataHeader(Layout):
    """The head of the SEV metadata. `length` counts this head and all `count` sections."""

    signature: Annotated[bytes, octets(0, 4)]
    length: Annotated[int, u32(4)]
    version: Annotated[int, u32(8)]
    count: Annotated[int, u32(12)]


@layout(12, source="edk2 OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm, section")
class Section(Layout):
    """A page-aligned range that is measured at launch. Size 0 means: nothing here."""

    gpa: Annotated[int, u32(0)]
    size: Annotated[int, u32(4)]
    type: Annotated[SectionType, u32(8)]


@record
class Ovmf:
    """A firmware image, as far as a launch depends on it.

    `table` maps each GUID (16 bytes) to its data. `sections` keep the order of the file, which is the
    order of the measurement, and leave out those of size 0. `reset_eip` is where application
    processors start. An absent feature is None.
    """

    size: int
    table: Mapping[bytes, bytes]
    sections: tuple[Section, ...]
    hash_table: Area | None
    reset_eip: int | None

    @property
    def gpa(self) -> int:
        """The guest physical address of the first byte of the firmware."""
        return TOP - self.size

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """What the image `data` says of itself. Raises `FormatError` for anything not understood."""
        check_size(data)
        table = guided_table(data)
        return cls(
            size=len(data),
            table=MappingProxyType(table),
            sections=_sections(data, table),
            hash_table=_hash_table(table),
            reset_eip=_word(table, RESET_BLOCK, "reset block") or None,
        )


def check_size(data: bytes) -> None:
    """Firmware is whole pages, at least one and at most 16 MiB. Raises `FormatError`."""
    if not 0 < len(data) <= LIMIT or len(data) % PAGE:
        msg = f"firmware: {len(data)} bytes are not whole 4 KiB pages, at least one and at most {LIMIT >> 20} MiB"
        raise FormatError(msg)


def guided_table(data: bytes) -> dict[bytes, bytes]:
    """The GUIDed table, walked backwards: GUID → data; every byte of it belongs to an entry. Raises `FormatError`."""
    end = len(data) - FROM_END - EntryTail.SIZE
    footer = EntryTail.unpack(data[end : end + EntryTail.SIZE])
    if footer.guid != FOOTER:
        raise FormatError("firmware: no OVMF table 32 bytes before the end", hint="is this an OVMF image for SEV?")
    start = end + EntryTail.SIZE - footer.size
    if not 0 <= start <= end:
        msg = f"OVMF table: length {footer.size} does not fit"
        raise FormatError(msg)
    found: dict[bytes, bytes] = {}
    while end > start:
        if end - start < EntryTail.SIZE:
            msg = f"OVMF table: {end - start} bytes at {start:#x} belong to no entry"
            raise FormatError(msg)
        tail = EntryTail.unpack(data[end - EntryTail.SIZE : end])
        if not EntryTail.SIZE <= tail.size <= end - start or tail.guid in found:
            msg = (
                f"OVMF table: entry {text_of(tail.guid)}: length {tail.size} does not fit, or the entry is there twice"
            )
            raise FormatError(msg)
        found[tail.guid] = data[end - tail.size : end - EntryTail.SIZE]
        end -= tail.size
    return found


def _word(table: Mapping[bytes, bytes], key: bytes, what: str) -> int:
    """The 32-bit number an entry holds; 0 without the entry."""
    entry = table.get(key, bytes(4))
    if len(entry) != 4:
        msg = f"OVMF table: {what}: {len(entry)} bytes where 4 are specified"
        raise FormatError(msg)
    return int.from_bytes(entry, "little")


def _hash_table(table: Mapping[bytes, bytes]) -> Area | None:
    area = Area.unpack(table.get(HASH_TABLE, bytes(Area.SIZE)))
    return area if area.gpa else None


def _sections(data: bytes, table: Mapping[bytes, bytes]) -> tuple[Section, ...]:
    """The SEV metadata's sections that have a size, in the order of the file."""
    if SEV_METADATA not in table:
        return ()
    offset = _word(table, SEV_METADATA, "SEV metadata")
    if offset > len(data):
        msg = f"SEV metadata: {offset:#x} bytes from the end is before the start of the firmware"
        raise FormatError(msg)
    cursor = Cursor(memoryview(data)[len(data) - offset :], what="SEV metadata")
    header = cursor.read(MetadataHeader, "header")
    if header.signature != b"ASEV" or header.version != 1:
        msg = f"SEV metadata: signature {header.signature!r}, version {header.version}; ASEV, version 1 are specified"
        raise FormatError(msg)
    if header.count > MAX_SECTIONS or header.length != MetadataHeader.SIZE + header.count * Section.SIZE:
        msg = f"SEV metadata: {header.count} sections in {header.length} bytes (at most {MAX_SECTIONS} are allowed)"
        raise FormatError(msg)
    sections = tuple(cursor.read(Section, f"section {index}") for index in range(header.count))
    _check_sections(sections)
    return tuple(section for section in sections if section.size)


def _check_sections(sections: tuple[Section, ...]) -> None:
    for section in sections:
        what = f"SEV metadata: {section.type.name} at {section.gpa:#x}, {section.size:#x} bytes"
        if section.gpa % PAGE or section.size % PAGE or section.gpa + section.size > TOP:
            msg = f"{what}: not whole pages below 4 GiB"
            raise FormatError(msg)
        # The ABI knows one secrets page, one CPUID page and one page of kernel hashes.
        single = section.type not in (SectionType.SEC_MEM, SectionType.SVSM_CAA)
        if single and section.size not in (0, PAGE):
            msg = f"{what}: exactly one page is specified"
            raise FormatError(msg)
    total = sum(section.size for section in sections)
    if total > MAX_SECTION_BYTES:
        msg = f"SEV metadata: sections of {total} bytes are over the limit of {MAX_SECTION_BYTES}"
        raise FormatError(msg)
