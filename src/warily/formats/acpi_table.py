"""The header that all ACPI tables share, and a file of several tables cut into them.

Source: ACPI 6.5, 5.2.6 System Description Table Header. The FACS (5.2.10) has signature and length in the same
places and no checksum; its other header fields here are what its bytes happen to be.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u8, u32

HEADER_SIZE: Final = 36
CHECKSUM_OFFSET: Final = 9
LENGTH_OFFSET: Final = 4
MAX_SIZE: Final = 16 << 20
"""Of one table or of a file of them: far above real ones, which stay below 1 MiB."""
MAX_TABLES: Final = 1024


@layout(HEADER_SIZE, source="ACPI 6.5, 5.2.6 System Description Table Header")
class TableHeader(Layout):
    """Signature, length in bytes with this header, and who made the table."""

    signature: Annotated[bytes, octets(0, 4)]
    length: Annotated[int, u32(4)]
    revision: Annotated[int, u8(8)]
    checksum: Annotated[int, u8(9)]
    oem_id: Annotated[bytes, octets(10, 6)]
    oem_table_id: Annotated[bytes, octets(16, 8)]
    oem_revision: Annotated[int, u32(24)]
    creator_id: Annotated[bytes, octets(28, 4)]
    creator_revision: Annotated[int, u32(32)]


def text_of(name: bytes) -> str:
    """A fixed-width name as text for people: padding cut, whatever is not printable ASCII as `.`."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in name.rstrip(b"\0 "))


def is_signature(name: bytes) -> bool:
    """Whether the four bytes can begin a table: upper-case letters, digits, `_`, `!` and a few of real firmware."""
    return len(name) == 4 and all(0x21 <= byte < 0x7F for byte in name)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcpiTable:
    """One table: its header, its bytes as received, and its offset in the file that it was cut from."""

    header: TableHeader
    raw: bytes
    offset: int = 0

    @property
    def signature(self) -> str:
        """Four characters, such as `FACP`."""
        return text_of(self.header.signature)

    @property
    def length(self) -> int:
        """Bytes, header included; always `len(raw)`."""
        return len(self.raw)

    @property
    def revision(self) -> int:
        """The revision of the table's layout; for a DSDT below 2, integers have 32 bits."""
        return self.header.revision

    @property
    def oem_id(self) -> str:
        """Who made the machine, for people."""
        return text_of(self.header.oem_id)

    @property
    def oem_table_id(self) -> str:
        """Which of that maker's tables this is, for people."""
        return text_of(self.header.oem_table_id)

    @property
    def body(self) -> bytes:
        """What follows the header."""
        return self.raw[HEADER_SIZE:]

    @property
    def has_checksum(self) -> bool:
        """Whether the format gives this table one: all but the FACS."""
        return self.header.signature != b"FACS"

    @property
    def checksum_holds(self) -> bool:
        """Whether all bytes add up to zero modulo 256, or the format asks for no such thing."""
        return not self.has_checksum or sum(self.raw) % 256 == 0

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The one table that `data` is. Raises `FormatError` unless its length is exactly what the header says.

        The checksum is not asked for: before a loader has run, tables lack theirs. See `checksum_holds`.
        """
        if len(data) > MAX_SIZE:
            msg = f"ACPI table: {len(data)} bytes are over the limit of {MAX_SIZE}"
            raise FormatError(msg)
        if len(data) < HEADER_SIZE:
            msg = f"ACPI table: {len(data)} bytes are no header of {HEADER_SIZE}"
            raise FormatError(msg)
        header = TableHeader.unpack(data[:HEADER_SIZE])
        if not is_signature(header.signature):
            msg = f"ACPI table: {header.signature.hex()} is no signature"
            raise FormatError(msg)
        if header.length != len(data):
            msg = (
                f"ACPI table {text_of(header.signature)}: the header says {header.length} bytes, {len(data)} are there"
            )
            raise FormatError(msg)
        return cls(header=header, raw=bytes(data))


def split(blob: bytes) -> list[AcpiTable]:
    """The tables that follow one another in `blob`, zero bytes between and after them passed over.

    So are QEMU's `etc/acpi/tables` and a set of files put end to end. Raises `FormatError` where something else
    stands between them, a length leaves the blob, or there is no table at all.
    """
    if len(blob) > MAX_SIZE:
        msg = f"ACPI tables: {len(blob)} bytes are over the limit of {MAX_SIZE}"
        raise FormatError(msg)
    found: list[AcpiTable] = []
    at = next_byte(blob, 0)
    while at < len(blob):
        end = at + int.from_bytes(blob[at + LENGTH_OFFSET : at + LENGTH_OFFSET + 4], "little")
        if end > len(blob) or end - at < HEADER_SIZE or not is_signature(blob[at : at + 4]):
            msg = f"ACPI tables: no table that fits at offset {at:#x}"
            raise FormatError(msg)
        found.append(replace(AcpiTable.parse(blob[at:end]), offset=at))
        if len(found) > MAX_TABLES:
            msg = f"ACPI tables: over {MAX_TABLES}"
            raise FormatError(msg)
        at = next_byte(blob, end)
    if not found:
        raise FormatError("ACPI tables: there is none")
    return found


_STRIDE: Final = 4096


def next_byte(blob: bytes, at: int) -> int:
    """The first offset from `at` whose byte is not zero, or the end."""
    while at < len(blob):
        part = blob[at : at + _STRIDE]
        rest = part.lstrip(b"\0")
        if rest:
            return at + len(part) - len(rest)
        at += len(part)
    return at
