"""SMBIOS structures, as QEMU hands them to firmware, and as firmware lays them into memory.

Source: DMTF DSP0134 3.6, sections 6.1.2 (structure header), 6.1.3 (text strings), 7.45 (end-of-table).
"""

from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, u8, u16
from warily.formats._record import record

LIMIT: Final = 1 << 20
BIOS_INFORMATION: Final = 0
SYSTEM_INFORMATION: Final = 1
BASEBOARD_INFORMATION: Final = 2
OEM_STRINGS: Final = 11
END_OF_TABLE: Final = 127


@layout(4, source="DSP0134 3.6, section 6.1.2, structure header")
class Header(Layout):
    """The head of a structure; `length` counts it and the fields, not the strings."""

    type: Annotated[int, u8(0)]
    length: Annotated[int, u8(1)]
    handle: Annotated[int, u16(2)]


@record
class Structure:
    """One structure: its head, the bytes of its fields, and the strings that fields name by number, from 1 on."""

    header: Header
    fields: bytes
    strings: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The structure's bytes. Without strings there are two NULs as well."""
        return self.header.pack() + self.fields + (b"".join(text + b"\0" for text in self.strings) or b"\0") + b"\0"


@record
class SmbiosTables:
    """All structures in order; `end` is the last, of type 127."""

    structures: tuple[Structure, ...]
    end: Structure

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The structures of a table, which has at most 1 MiB and nothing behind its end. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"SMBIOS tables: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        found: list[Structure] = []
        at = 0
        while not found or found[-1].header.type != END_OF_TABLE:
            structure, at = _structure(data, at)
            found.append(structure)
        if at != len(data):
            msg = f"SMBIOS tables: {len(data) - at} unexpected bytes after the end at {at:#x}"
            raise FormatError(msg)
        return cls(structures=tuple(found[:-1]), end=found[-1])

    def encode(self) -> bytes:
        """The table's bytes."""
        return b"".join(structure.encode() for structure in (*self.structures, self.end))


def _structure(data: bytes, at: int) -> tuple[Structure, int]:
    """The structure at `at`, and where the next begins."""
    if at + Header.SIZE > len(data):
        msg = f"SMBIOS tables: no structure of type 127 before the end at {len(data):#x}"
        raise FormatError(msg)
    header = Header.unpack(data[at : at + Header.SIZE])
    start = at + header.length
    end = data.find(b"\0\0", start)
    if header.length < Header.SIZE or end < 0:
        msg = f"SMBIOS tables: the structure at {at:#x} of length {header.length} does not fit"
        raise FormatError(msg)
    texts = tuple(data[start:end].split(b"\0")) if end > start else ()
    if b"" in texts:
        msg = f"SMBIOS tables: the structure at {at:#x} has an empty string"
        raise FormatError(msg)
    return Structure(header=header, fields=data[at + Header.SIZE : start], strings=texts), end + 2
