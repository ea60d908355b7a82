"""What an ELF file for x86-64 asks for: a program's libraries, a kernel module's dependencies.

Source: System V ABI, chapters 4 and 5, and its AMD64 supplement; Linux include/linux/module.h for `.modinfo`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u16, u32, u64

IDENT: Final = b"\x7fELF\x02\x01\x01"
X86_64: Final = 62
MAX_HEADERS: Final = 4096
MAX_ENTRIES: Final = 65536

_L = TypeVar("_L", bound=Layout)
_LOAD: Final = 1
_DYNAMIC: Final = 2
_INTERP: Final = 3
_DT_NULL: Final = 0
_DT_NEEDED: Final = 1
_DT_STRTAB: Final = 5


@layout(64, source="System V ABI, Elf64_Ehdr")
class FileHeader(Layout):
    """The head of every ELF file."""

    ident: Annotated[bytes, octets(0, 16)]
    type: Annotated[int, u16(16)]
    machine: Annotated[int, u16(18)]
    version: Annotated[int, u32(20)]
    entry: Annotated[int, u64(24)]
    program_headers: Annotated[int, u64(32)]
    section_headers: Annotated[int, u64(40)]
    flags: Annotated[int, u32(48)]
    header_size: Annotated[int, u16(52)]
    program_header_size: Annotated[int, u16(54)]
    program_header_count: Annotated[int, u16(56)]
    section_header_size: Annotated[int, u16(58)]
    section_header_count: Annotated[int, u16(60)]
    section_names: Annotated[int, u16(62)]


@layout(56, source="System V ABI, Elf64_Phdr")
class ProgramHeader(Layout):
    """One segment."""

    type: Annotated[int, u32(0)]
    flags: Annotated[int, u32(4)]
    offset: Annotated[int, u64(8)]
    address: Annotated[int, u64(16)]
    physical: Annotated[int, u64(24)]
    file_size: Annotated[int, u64(32)]
    memory_size: Annotated[int, u64(40)]
    alignment: Annotated[int, u64(48)]


@layout(64, source="System V ABI, Elf64_Shdr")
class SectionHeader(Layout):
    """One section."""

    name: Annotated[int, u32(0)]
    type: Annotated[int, u32(4)]
    flags: Annotated[int, u64(8)]
    address: Annotated[int, u64(16)]
    offset: Annotated[int, u64(24)]
    size: Annotated[int, u64(32)]
    link: Annotated[int, u32(40)]
    info: Annotated[int, u32(44)]
    alignment: Annotated[int, u64(48)]
    entry_size: Annotated[int, u64(56)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkage:
    """The program interpreter (empty for a library) and the names of the shared libraries that are needed."""

    interpreter: str
    needed: tuple[str, ...]


def is_elf(data: bytes) -> bool:
    """Whether `data` begins as a 64-bit little-endian ELF file."""
    return data.startswith(IDENT)


def linkage(data: bytes) -> Linkage:
    """What the dynamic linker reads in a program or a library. Raises `FormatError`."""
    header = _header(data)
    segments = list(_table(data, header.program_headers, header.program_header_count, ProgramHeader))
    interpreter = ""
    needed: tuple[str, ...] = ()
    for segment in segments:
        if segment.type == _INTERP:
            interpreter = _text(_part(data, segment.offset, segment.file_size), 0)
        elif segment.type == _DYNAMIC:
            needed = _needed(data, segments, _part(data, segment.offset, segment.file_size))
    return Linkage(interpreter=interpreter, needed=needed)


def module_info(data: bytes) -> tuple[tuple[str, str], ...]:
    """The `key=value` pairs of a kernel module's `.modinfo` section, in order. Raises `FormatError`."""
    header = _header(data)
    sections = list(_table(data, header.section_headers, header.section_header_count, SectionHeader))
    if header.section_names >= len(sections):
        msg = "ELF: no section names"
        raise FormatError(msg)
    names = _part(data, sections[header.section_names].offset, sections[header.section_names].size)
    for section in sections:
        if _text(names, section.name) == ".modinfo":
            words = _part(data, section.offset, section.size).split(b"\0")
            pairs = (word.decode("utf-8", "replace").partition("=") for word in words if word)
            return tuple((key, value) for key, _, value in pairs)
    msg = "ELF: no .modinfo section, so this is no kernel module"
    raise FormatError(msg)


def _header(data: bytes) -> FileHeader:
    if not is_elf(data):
        msg = "ELF: not a 64-bit little-endian ELF file"
        raise FormatError(msg)
    header = FileHeader.unpack(_part(data, 0, FileHeader.SIZE))
    if header.machine != X86_64:
        msg = f"ELF: machine {header.machine} is not x86-64"
        raise FormatError(msg)
    return header


def _table(data: bytes, offset: int, count: int, kind: type[_L]) -> Iterator[_L]:
    if count > MAX_HEADERS:
        msg = f"ELF: {count} headers are over the limit of {MAX_HEADERS}"
        raise FormatError(msg)
    for at in range(count):
        yield kind.unpack(_part(data, offset + at * kind.SIZE, kind.SIZE))


def _needed(data: bytes, segments: list[ProgramHeader], dynamic: bytes) -> tuple[str, ...]:
    """The DT_NEEDED names; DT_STRTAB is an address, which a PT_LOAD segment places in the file."""
    offsets = []
    strings = None
    for at in range(0, min(len(dynamic), 16 * MAX_ENTRIES) - 15, 16):
        tag = int.from_bytes(dynamic[at : at + 8], "little")
        value = int.from_bytes(dynamic[at + 8 : at + 16], "little")
        if tag == _DT_NULL:
            break
        if tag == _DT_NEEDED:
            offsets.append(value)
        elif tag == _DT_STRTAB:
            strings = value
    if not offsets:
        return ()
    for segment in segments:
        if segment.type == _LOAD and strings is not None and 0 <= strings - segment.address < segment.file_size:
            skip = strings - segment.address
            table = _part(data, segment.offset + skip, segment.file_size - skip)
            return tuple(_text(table, offset) for offset in offsets)
    msg = "ELF: the dynamic string table is in no segment"
    raise FormatError(msg)


def _text(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset)
    if offset >= len(table) or end < 0:
        msg = f"ELF: no string at offset {offset:#x} of its table"
        raise FormatError(msg)
    return table[offset:end].decode("utf-8", "replace")


def _part(data: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        msg = f"ELF: {size} bytes at offset {offset:#x} are beyond the end of the file"
        raise FormatError(msg)
    return data[offset : offset + size]
