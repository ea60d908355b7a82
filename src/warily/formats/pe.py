"""PE/COFF images: headers, sections, the certificate table. UEFI programs, kernels and UKIs are such files.

Only what a loader and a measurement read is read here. Strict where two readers could disagree: headers that
overrun, sections whose raw bytes overlap or lie outside the file, a certificate table that is not the end of it.
Source: Microsoft PE Format; UEFI Specification 2.10, section 2.1.1 (machine types).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u16, u32

LIMIT: Final = 2 << 30  # a UKI holds an initrd; firmware loads no image of 2 GiB
MAX_SECTIONS: Final = 512
DOS_MAGIC: Final = b"MZ"
SIGNATURE: Final = b"PE\0\0"
PE32: Final = 0x10B
PE32_PLUS: Final = 0x20B

_SIGNATURE_AT: Final = 0x3C
_CHECKSUM_AT: Final = 64  # in the optional header, of either kind
_DIRECTORIES_AT: Final = {PE32: 96, PE32_PLUS: 112}  # after NumberOfRvaAndSizes
_CERTIFICATES: Final = 4
_DIRECTORY_SIZE: Final = 8


@layout(20, source="Microsoft PE Format, COFF File Header")
class CoffHeader(Layout):
    """The head after the signature. `optional_size` counts the optional header, which is not optional here."""

    machine: Annotated[int, u16(0)]
    section_count: Annotated[int, u16(2)]
    timestamp: Annotated[int, u32(4)]
    symbols: Annotated[int, u32(8)]
    symbol_count: Annotated[int, u32(12)]
    optional_size: Annotated[int, u16(16)]
    characteristics: Annotated[int, u16(18)]


@layout(40, source="Microsoft PE Format, Section Table")
class SectionHeader(Layout):
    """One section as the file declares it. `name` is padded with NUL."""

    name: Annotated[bytes, octets(0, 8)]
    virtual_size: Annotated[int, u32(8)]
    virtual_address: Annotated[int, u32(12)]
    raw_size: Annotated[int, u32(16)]
    raw_offset: Annotated[int, u32(20)]
    relocations: Annotated[int, u32(24)]
    line_numbers: Annotated[int, u32(28)]
    relocation_count: Annotated[int, u16(32)]
    line_number_count: Annotated[int, u16(34)]
    characteristics: Annotated[int, u32(36)]

    @property
    def text(self) -> str:
        """The name without its padding; bytes that are not ASCII are escaped."""
        return self.name.rstrip(b"\0").decode("ascii", "backslashreplace")

    @property
    def zeros(self) -> int:
        """How many zero bytes follow the raw ones in memory."""
        return max(0, self.virtual_size - self.raw_size)

    def loaded(self, data: bytes | memoryview) -> memoryview:
        """The bytes of the file that a loader puts into memory, without the zeros that follow.

        Not more than `virtual_size`: raw data is padded to the file's alignment, and the padding is no content.
        """
        return memoryview(data)[self.raw_offset : self.raw_offset + min(self.virtual_size, self.raw_size)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Where the certificate table lies in the file, and how long it is. Both are 0 without one."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeImage:
    """An image. Offsets are those of the file, in bytes; `sections` keep its order.

    `certificates_at` is where the data directory's entry for certificates lies: None in an image whose
    directory ends before it.
    """

    size: int
    coff: CoffHeader
    magic: int
    size_of_headers: int
    checksum_at: int
    certificates_at: int | None
    certificates: Certificates
    sections: tuple[SectionHeader, ...]

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Self:
        """The image that `data` (at most 2 GiB) is. Raises `FormatError`."""
        view = memoryview(data)
        if len(view) > LIMIT:
            msg = f"PE image: {len(view)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        if bytes(view[:2]) != DOS_MAGIC:
            raise FormatError("PE image: no MZ at the start")
        start = _number(view, _SIGNATURE_AT, 4)
        if _part(view, start, 4, "signature") != SIGNATURE:
            msg = f"PE image: no PE signature at {start:#x}"
            raise FormatError(msg)
        coff = CoffHeader.unpack(_part(view, start + 4, CoffHeader.SIZE, "COFF header"))
        optional = start + 4 + CoffHeader.SIZE
        magic = _number(view, optional, 2)
        table = optional + coff.optional_size
        found = cls(
            size=len(view),
            coff=coff,
            magic=magic,
            size_of_headers=_number(view, optional + 60, 4),
            checksum_at=optional + _CHECKSUM_AT,
            certificates_at=(at := _certificates_at(view, optional, coff.optional_size, magic)),
            certificates=_certificates(view, at),
            sections=_sections(view, table, coff.section_count),
        )
        _check(found, headers_end=table + coff.section_count * SectionHeader.SIZE)
        return found


def is_pe(data: bytes | memoryview) -> bool:
    """Whether `data` begins as a PE image does: MZ, and a PE signature where it points."""
    view = memoryview(data)
    if bytes(view[:2]) != DOS_MAGIC or len(view) < _SIGNATURE_AT + 4:
        return False
    start = int.from_bytes(view[_SIGNATURE_AT : _SIGNATURE_AT + 4], "little")
    return bytes(view[start : start + 4]) == SIGNATURE


def _part(view: memoryview, offset: int, size: int, what: str) -> bytes:
    if offset + size > len(view):
        msg = f"PE image: {what}: {size} bytes at {offset:#x} are beyond the end of the file"
        raise FormatError(msg)
    return bytes(view[offset : offset + size])


def _number(view: memoryview, offset: int, width: int) -> int:
    return int.from_bytes(_part(view, offset, width, "header"), "little")


def _certificates_at(view: memoryview, optional: int, optional_size: int, magic: int) -> int | None:
    """The offset of the certificate entry of the data directory, which must lie in the optional header."""
    if magic not in _DIRECTORIES_AT:
        msg = f"PE image: optional header of kind {magic:#x}; {PE32:#x} and {PE32_PLUS:#x} are specified"
        raise FormatError(msg)
    directories = _DIRECTORIES_AT[magic]
    count = _number(view, optional + directories - 4, 4)
    if directories + count * _DIRECTORY_SIZE > optional_size:
        msg = f"PE image: {count} data directories do not fit an optional header of {optional_size} bytes"
        raise FormatError(msg)
    return optional + directories + _CERTIFICATES * _DIRECTORY_SIZE if count > _CERTIFICATES else None


def _certificates(view: memoryview, at: int | None) -> Certificates:
    """The table, which ends the file: bytes after it would be in no digest."""
    if at is None:
        return Certificates(offset=0, size=0)
    found = Certificates(offset=_number(view, at, 4), size=_number(view, at + 4, 4))
    if found.size and found.offset + found.size != len(view):
        msg = f"PE image: certificates at {found.offset:#x}, {found.size} bytes, do not end where the file does"
        raise FormatError(msg)
    return found if found.size else Certificates(offset=0, size=0)


def _sections(view: memoryview, table: int, count: int) -> tuple[SectionHeader, ...]:
    if count > MAX_SECTIONS:
        msg = f"PE image: {count} sections are over the limit of {MAX_SECTIONS}"
        raise FormatError(msg)
    return tuple(
        SectionHeader.unpack(_part(view, table + index * SectionHeader.SIZE, SectionHeader.SIZE, f"section {index}"))
        for index in range(count)
    )


def _check(image: PeImage, *, headers_end: int) -> None:
    """Headers hold all tables; raw data lies after them, overlaps nothing, and ends before the certificates."""
    end = image.certificates.offset or image.size
    if not headers_end <= image.size_of_headers <= end:
        msg = f"PE image: headers of {image.size_of_headers} bytes; tables end at {headers_end}, the content at {end}"
        raise FormatError(msg)
    spans = sorted(
        (part.raw_offset, part.raw_offset + part.raw_size, part.text) for part in image.sections if part.raw_size
    )
    for start, stop, name in spans:
        if start < image.size_of_headers or stop > end:
            msg = f"PE image: section {name!r} at {start:#x}..{stop:#x} is not between the headers and {end:#x}"
            raise FormatError(msg)
    for (_, stop, before), (start, _, name) in pairwise(spans):
        if start < stop:
            msg = f"PE image: sections {before!r} and {name!r} overlap in the file"
            raise FormatError(msg)
