"""TDX virtual firmware: which parts of an image go where in a TD's memory, and which of them are measured.

The descriptor is found by the offset in OVMF's GUIDed table, counted from the end of the image; in an image without
that table, by the 32-bit offset 32 bytes before the end, counted from the start, as early TDVF and td-shim have it.
Whatever a virtual machine monitor could read in two ways is refused: unknown types and attributes, ranges that
overlap in memory, raw data outside the image.
Source: Intel TDX Virtual Firmware Design Guide 1.01, section 11; edk2 OvmfPkg/ResetVector/X64/IntelTdxMetadata.asm.
"""

from enum import IntEnum
from itertools import pairwise
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._guid import guid
from warily.formats._layout import Layout, layout, octets, u32, u64
from warily.formats._record import record
from warily.formats.ovmf import FOOTER, FROM_END, PAGE, check_size, guided_table

METADATA_OFFSET: Final = guid("e47a6535-984a-4798-865e-4685a7bf8ec2")
SIGNATURE: Final = b"TDVF"
VERSION: Final = 1
MAX_SECTIONS: Final = 64
MAX_ADDED: Final = 256 << 20  # memory that is added page by page before the first instruction; OVMF needs about 4 MiB
TOP: Final = 1 << 52
MR_EXTEND: Final = 1
PAGE_AUG: Final = 2


class SectionType(IntEnum):
    """What a section is for."""

    BFV = 0
    CFV = 1
    TD_HOB = 2
    TEMP_MEM = 3
    PERM_MEM = 4
    PAYLOAD = 5
    PAYLOAD_PARAM = 6
    TD_INFO = 7


_FILLED: Final = frozenset({SectionType.BFV, SectionType.CFV})
_BLANK: Final = frozenset({SectionType.TD_HOB, SectionType.TEMP_MEM, SectionType.PERM_MEM, SectionType.PAYLOAD_PARAM})


@layout(16, source="Intel TDX Virtual Firmware Design Guide, TDVF_DESCRIPTOR")
class Descriptor(Layout):
    """The head of the metadata. `length` counts this head and all `count` sections."""

    signature: Annotated[bytes, octets(0, 4)]
    length: Annotated[int, u32(4)]
    version: Annotated[int, u32(8)]
    count: Annotated[int, u32(12)]


@layout(32, source="Intel TDX Virtual Firmware Design Guide, TDVF_SECTION")
class Section(Layout):
    """A part of the image and where it goes. Sizes and addresses in bytes; `attributes` are MR_EXTEND and PAGE_AUG."""

    data_offset: Annotated[int, u32(0)]
    raw_size: Annotated[int, u32(4)]
    gpa: Annotated[int, u64(8)]
    memory_size: Annotated[int, u64(16)]
    type: Annotated[SectionType, u32(24)]
    attributes: Annotated[int, u32(28)]

    @property
    def extended(self) -> bool:
        """Whether the content goes into MRTD."""
        return bool(self.attributes & MR_EXTEND)

    @property
    def added(self) -> bool:
        """Whether the pages are added before the start: those of a PAGE_AUG section come later, and unmeasured."""
        return not self.attributes & PAGE_AUG

    @property
    def end(self) -> int:
        """The first address after the section."""
        return self.gpa + self.memory_size


@record
class Tdvf:
    """The metadata of an image: its sections in the order of the file, which is the order of the measurement."""

    size: int
    sections: tuple[Section, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """What the image `data` (whole pages, at most 16 MiB) says of itself. Raises `FormatError`."""
        check_size(data)
        cursor = Cursor(memoryview(data)[_descriptor(data) :], what="TDVF metadata")
        head = cursor.read(Descriptor, "descriptor")
        if head.signature != SIGNATURE or head.version != VERSION:
            msg = f"TDVF metadata: signature {head.signature!r}, version {head.version}; TDVF, version 1 are specified"
            raise FormatError(msg)
        if head.count > MAX_SECTIONS or head.length != Descriptor.SIZE + head.count * Section.SIZE:
            msg = f"TDVF metadata: {head.count} sections in {head.length} bytes (at most {MAX_SECTIONS} are allowed)"
            raise FormatError(msg)
        found = cls(
            size=len(data),
            sections=tuple(cursor.read(Section, f"section {index}") for index in range(head.count)),
        )
        found._check()  # its own method
        return found

    def only(self, kind: SectionType) -> Section | None:
        """The section of that type, None without one. Raises `FormatError` where there are several."""
        found = [section for section in self.sections if section.type is kind]
        if len(found) > 1:
            msg = f"TDVF metadata: {len(found)} sections of type {kind.name}, where one is expected"
            raise FormatError(msg)
        return found[0] if found else None

    def content(self, section: Section, data: bytes | memoryview) -> bytes:
        """The memory of the section before the start: its raw data and zeros. `data` is the image.

        Raises `FormatError` where the raw data is not in the image, as in OVMF_CODE without its variable store.
        """
        raw = memoryview(data)[section.data_offset : section.data_offset + section.raw_size]
        if len(raw) != section.raw_size:
            msg = (
                f"TDVF metadata: {section.type.name}: {section.raw_size} bytes at {section.data_offset:#x} are not in "
                f"the image of {len(data)} bytes"
            )
            raise FormatError(msg, hint="a TD starts from one file with code and variables: OVMF.fd, not OVMF_CODE.fd")
        return bytes(raw) + bytes(section.memory_size - section.raw_size)

    def _check(self) -> None:
        for section in self.sections:
            _check_section(section)
        added = sum(section.memory_size for section in self.sections if section.added)
        if added > MAX_ADDED:
            msg = f"TDVF metadata: sections of {added} bytes are over the limit of {MAX_ADDED}"
            raise FormatError(msg)
        spans = sorted((section.gpa, section.end, section.type.name) for section in self.sections)
        for (_, end, before), (start, _, name) in pairwise(span for span in spans if span[0] != span[1]):
            if start < end:
                msg = f"TDVF metadata: {before} and {name} overlap at {start:#x}"
                raise FormatError(msg)
        self.only(SectionType.TD_HOB)
        if not any(section.type is SectionType.BFV for section in self.sections):
            raise FormatError("TDVF metadata: no boot firmware volume (BFV)")


def _descriptor(data: bytes) -> int:
    """Where the descriptor is in the image."""
    footer = data[-FROM_END - len(FOOTER) : -FROM_END]
    if footer == FOOTER:
        entry = guided_table(data).get(METADATA_OFFSET)
        if entry is None or len(entry) != 4:
            raise FormatError("firmware: no TDX metadata in OVMF's table", hint="is this firmware built for TDX?")
        offset = len(data) - int.from_bytes(entry, "little")
    else:
        offset = int.from_bytes(data[-FROM_END : 4 - FROM_END], "little")
    if not 0 <= offset <= len(data) - Descriptor.SIZE:
        msg = f"firmware: TDX metadata at {offset:#x} is not in the image of {len(data)} bytes"
        raise FormatError(msg, hint="is this firmware built for TDX?")
    return offset


def _check_section(section: Section) -> None:
    what = f"TDVF metadata: {section.type.name} at {section.gpa:#x}, {section.memory_size:#x} bytes"
    if section.gpa % PAGE or section.memory_size % PAGE or section.end > TOP:
        msg = f"{what}: not whole pages below 2^52"
        raise FormatError(msg)
    if section.attributes & ~(MR_EXTEND | PAGE_AUG) or section.attributes == MR_EXTEND | PAGE_AUG:
        msg = f"{what}: attributes {section.attributes:#x} are unknown, or exclude each other"
        raise FormatError(msg)
    if section.type is SectionType.TD_INFO:
        return  # information alone: it goes nowhere
    if section.raw_size > section.memory_size:
        msg = f"{what}: {section.raw_size:#x} bytes of raw data do not fit"
        raise FormatError(msg)
    if (section.type in _FILLED and not section.raw_size) or (section.type in _BLANK and section.raw_size):
        wanted = "some" if section.type in _FILLED else "none"
        msg = f"{what}: {section.raw_size:#x} bytes of raw data, where the type has {wanted}"
        raise FormatError(msg)
