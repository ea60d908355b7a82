"""What a machine starts from, as trees: OVMF firmware, initial RAM file systems, ELF files."""

import stat
from collections.abc import Iterator
from typing import Final

from warily.errors import FormatError
from warily.formats import cpio, ovmf
from warily.formats._guid import text_of
from warily.formats._layout import Layout
from warily.formats.elf import FileHeader, ProgramHeader
from warily.formats.ovmf import Area, EntryTail, MetadataHeader, Ovmf, Section
from warily.verify.inspect.node import Node, few, layout_node, shown

_NAMES: Final = {
    ovmf.FOOTER: "table footer",
    ovmf.HASH_TABLE: "SEV hash table block",
    ovmf.RESET_BLOCK: "SEV-ES reset block",
    ovmf.SEV_METADATA: "SEV metadata offset",
}
_ENTRY_LAYOUTS: Final[dict[bytes, type[Layout]]] = {ovmf.HASH_TABLE: Area}


def is_ovmf(data: bytes) -> bool:
    """Whether the GUIDed table's footer is 32 bytes before the end."""
    return data[-ovmf.FROM_END - 16 : -ovmf.FROM_END] == ovmf.FOOTER


def ovmf_node(data: bytes) -> Node:
    """A firmware image: the table at its end, and the sections of its SEV metadata."""
    parts = [Node(name="table", note="edk2 ResetVectorVtf0.asm, walked backwards", parts=few(_entries(data)))]
    try:
        parts += _metadata(data, Ovmf.parse(data))
        note = ""
    except FormatError as error:
        note = f"malformed: {error}"
    return Node(name="OVMF firmware", offset=0, size=len(data), note=note, parts=tuple(parts))


def _entries(data: bytes) -> Iterator[Node]:
    """The entries of the table from the last to the first, the footer before all."""
    end = len(data) - ovmf.FROM_END
    footer = EntryTail.unpack(data[end - EntryTail.SIZE : end])
    first = max(end - footer.size, 0)
    yield layout_node(EntryTail, data[end - EntryTail.SIZE : end], at=end - EntryTail.SIZE, name="table footer")
    end -= EntryTail.SIZE
    while end - EntryTail.SIZE >= first:
        tail = EntryTail.unpack(data[end - EntryTail.SIZE : end])
        if not EntryTail.SIZE <= tail.size <= end - first:
            yield Node(name="entry", offset=end - EntryTail.SIZE, note=f"length {tail.size} does not fit")
            return
        yield _entry(tail, data[end - tail.size : end - EntryTail.SIZE], end - tail.size)
        end -= tail.size


def _entry(tail: EntryTail, content: bytes, at: int) -> Node:
    name = _NAMES.get(tail.guid, "entry")
    kind = _ENTRY_LAYOUTS.get(tail.guid)
    if kind is not None and len(content) == kind.SIZE:
        parts = (layout_node(kind, content, at=at),)
    elif len(content) == 4:  # noqa: PLR2004  # entries of one word are numbers
        parts = (Node(name="value", offset=at, size=4, value=shown(int.from_bytes(content, "little"))),)
    else:
        parts = (Node(name="value", offset=at, size=len(content), value=shown(content)),)
    return Node(name=name, offset=at, size=tail.size, value=text_of(tail.guid), parts=parts)


def _metadata(data: bytes, firmware: Ovmf) -> Iterator[Node]:
    """The SEV metadata, where there is one."""
    place = firmware.table.get(ovmf.SEV_METADATA)
    if place is None:
        return
    start = len(data) - int.from_bytes(place, "little")
    head = MetadataHeader.unpack(data[start : start + MetadataHeader.SIZE])
    parts = [layout_node(MetadataHeader, head.pack(), at=start)]
    for index in range(head.count):
        at = start + MetadataHeader.SIZE + index * Section.SIZE
        parts.append(layout_node(Section, data[at : at + Section.SIZE], at=at, name=f"section {index}"))
    yield Node(name="SEV metadata", offset=start, size=head.length, parts=few(parts))


def is_cpio(data: bytes) -> bool:
    """Whether it begins as a newc archive does."""
    return data.startswith(cpio.MAGIC)


def cpio_node(data: bytes) -> Node:
    """What an archive holds. Raises `FormatError` where it is not in the one encoding used here."""
    entries = cpio.decode(data)
    listed = few(
        Node(name=shown(entry.name), value=f"{stat.filemode(entry.mode)} {len(entry.data)} bytes") for entry in entries
    )
    return Node(name="initial RAM file system", offset=0, size=len(data), value=f"{len(entries)} entries", parts=listed)


def is_elf(data: bytes) -> bool:
    """Whether it begins as an ELF file does."""
    return data.startswith(b"\x7fELF")


def elf_node(data: bytes) -> Node:
    """The header and the segments of a 64-bit ELF file."""
    parts = [layout_node(FileHeader, data[: FileHeader.SIZE], at=0)]
    if len(data) >= FileHeader.SIZE:
        head = FileHeader.unpack(data[: FileHeader.SIZE])
        for index in range(min(head.program_header_count, 64)):
            at = head.program_headers + index * ProgramHeader.SIZE
            parts.append(layout_node(ProgramHeader, data[at : at + ProgramHeader.SIZE], at=at, name=f"segment {index}"))
    return Node(name="ELF file", offset=0, size=len(data), parts=few(parts))
