"""IGVM files: a virtual machine's initial memory and processor state as a list of commands for the loader.

A fixed header with a CRC-32, variable headers (type, length, content, aligned to 8 bytes) in three sections
(platforms, initialisation, directives), then file data that the headers refer to by offset. Strict: an unknown type
that is not marked as ignorable, a wrong checksum, reserved bits, offsets outside the file data are refused.
Source: the IGVM specification of Microsoft's `igvm_defs` crate, versions 1 and 2 of the format.
"""

from binascii import crc32
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u32
from warily.formats._record import record
from warily.formats.igvm_headers import (
    LAYOUTS,
    PAGE,
    CorimReference,
    HeaderType,
    PageData,
    ParameterArea,
    ParameterInsert,
    SupportedPlatform,
    VpContext,
)

MAGIC: Final = b"IGVM"
LIMIT: Final = 1 << 30
MAX_HEADERS: Final = 16 << 20  # bytes of variable headers
MAX_AREA: Final = 64 << 20  # bytes of one parameter area
VMSA_SIZE: Final = 0x670  # the bytes of a VMSA that a file holds; the rest of the page is zero
IGNORABLE: Final = 1 << 31
_SOURCE: Final = "igvm_defs, "


@layout(24, source=_SOURCE + "IGVM_FIXED_HEADER")
class FixedHeader(Layout):
    """The start of every file. `checksum` covers it, as if that were zero, and the variable headers."""

    magic: Annotated[bytes, octets(0, 4)]
    version: Annotated[int, u32(4)]
    headers_offset: Annotated[int, u32(8)]
    headers_size: Annotated[int, u32(12)]
    file_size: Annotated[int, u32(16)]
    checksum: Annotated[int, u32(20)]


@layout(8, source=_SOURCE + "IGVM_FIXED_HEADER_V2")
class FixedHeaderEnd(Layout):
    """What version 2 adds. `architecture` is 0 for x86-64, 1 for AArch64."""

    architecture: Annotated[int, u32(0)]
    page_size: Annotated[int, u32(4)]


@layout(8, source=_SOURCE + "IGVM_VHS_VARIABLE_HEADER")
class VariableHeader(Layout):
    """`length` counts the content without its padding."""

    type: Annotated[int, u32(0)]
    length: Annotated[int, u32(4)]


@record
class Header:
    """A variable header: its type as the file has it, where its content begins, and the content."""

    type: int
    offset: int
    value: Layout | bytes

    @property
    def name(self) -> str:
        """The type's name, or its number."""
        known = {kind.value: kind.name for kind in HeaderType}
        return known.get(self.type & ~IGNORABLE, f"type {self.type:#x}").lower().replace("_", "-")


@record
class Igvm:
    """A file: version, architecture (0: x86-64), page size, and its variable headers in order. `data` is all of it."""

    version: int
    architecture: int
    page_size: int
    headers: tuple[Header, ...]
    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The file's headers, all offsets checked. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"IGVM: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        fixed = FixedHeader.unpack(data[: FixedHeader.SIZE])
        if fixed.magic != MAGIC or fixed.version not in (1, 2):
            msg = f"IGVM: signature {fixed.magic!r}, version {fixed.version}; IGVM, version 1 or 2 are specified"
            raise FormatError(msg)
        end, start = FixedHeaderEnd(architecture=0, page_size=PAGE), FixedHeader.SIZE
        if fixed.version == 2:
            end, start = FixedHeaderEnd.unpack(data[start : start + FixedHeaderEnd.SIZE]), start + FixedHeaderEnd.SIZE
        _check_fixed(fixed, data, start)
        made = cls(
            version=fixed.version,
            architecture=end.architecture,
            page_size=end.page_size,
            headers=tuple(_headers(data, fixed)),
            data=data,
        )
        _check_order(made.headers)
        for header in made.headers:
            _check_header(header, data, fixed.headers_offset + fixed.headers_size)
        return made

    def content(self, offset: int, size: int) -> bytes:
        """`size` bytes of the file data."""
        return self.data[offset : offset + size]

    def platforms(self) -> tuple[SupportedPlatform, ...]:
        """The platforms that the file is for."""
        return tuple(header.value for header in self.headers if isinstance(header.value, SupportedPlatform))


def _check_fixed(fixed: FixedHeader, data: bytes, start: int) -> None:
    end = fixed.headers_offset + fixed.headers_size
    if fixed.headers_offset < start or fixed.headers_offset % 8 or fixed.headers_size > MAX_HEADERS or end > len(data):
        msg = f"IGVM: variable headers of {fixed.headers_size} bytes at {fixed.headers_offset:#x} do not fit"
        raise FormatError(msg)
    if fixed.file_size != len(data):
        msg = f"IGVM: {len(data)} bytes where the header says {fixed.file_size}"
        raise FormatError(msg)
    found = crc32(data[24:start], crc32(bytes(4), crc32(data[:20])))
    found = crc32(data[fixed.headers_offset : end], found)
    if found != fixed.checksum:
        msg = f"IGVM: the checksum of the headers is {found:#010x}, not {fixed.checksum:#010x}"
        raise FormatError(msg)


def _headers(data: bytes, fixed: FixedHeader) -> list[Header]:
    found = []
    at, end = fixed.headers_offset, fixed.headers_offset + fixed.headers_size
    while at < end:
        head = VariableHeader.unpack(data[at : min(at + 8, end)])
        at += VariableHeader.SIZE
        padded = at + (head.length + 7) // 8 * 8
        if padded > end or any(data[at + head.length : padded]):
            msg = f"IGVM: header {head.type:#x} at {at - 8:#x}: {head.length} bytes do not fit, or padding is not zero"
            raise FormatError(msg)
        found.append(Header(type=head.type, offset=at, value=_content(head, data[at : at + head.length])))
        at = padded
    return found


def _content(head: VariableHeader, content: bytes) -> Layout | bytes:
    try:
        kind = HeaderType(head.type & ~IGNORABLE)
    except ValueError:
        if head.type & IGNORABLE:
            return content
        msg = f"IGVM: unknown header type {head.type:#x}, which a loader may not ignore"
        raise FormatError(msg) from None
    known = LAYOUTS.get(kind)
    if known is None:
        return content
    if known is VpContext and len(content) == VpContext.SIZE - 4:
        content += bytes(4)  # early writers left out the last reserved bytes
    return known.unpack(content)


def _check_order(headers: tuple[Header, ...]) -> None:
    """Platforms first, then initialisation, then directives."""
    reached = 0
    for header in headers:
        section = (header.type & ~IGNORABLE) >> 8
        if section < reached and header.value.__class__ is not bytes:
            msg = f"IGVM: {header.name} at {header.offset:#x} comes after a later section began"
            raise FormatError(msg)
        reached = max(reached, section)


def _check_header(header: Header, data: bytes, data_start: int) -> None:
    value, wanted = header.value, (0, 0)
    if isinstance(value, SupportedPlatform) and value.mask.bit_count() != 1:
        msg = f"IGVM: a platform's mask {value.mask:#x} has not exactly one bit"
        raise FormatError(msg)
    if isinstance(value, PageData):
        if value.flags >> 3 or value.gpa % value.size:
            msg = f"IGVM: page data at {value.gpa:#x}: flags {value.flags:#x} are not known, or it is not aligned"
            raise FormatError(msg)
        wanted = (value.file_offset, value.size)
    elif isinstance(value, ParameterArea):
        if value.size % PAGE or not 0 < value.size <= MAX_AREA:
            msg = f"IGVM: parameter area {value.index}: {value.size} bytes are not whole pages up to {MAX_AREA}"
            raise FormatError(msg)
        wanted = (value.file_offset, value.size)
    elif isinstance(value, VpContext):
        wanted = (value.file_offset, 0)
    elif isinstance(value, CorimReference):
        wanted = (value.file_offset, value.size)
    elif isinstance(value, ParameterInsert) and value.gpa % PAGE:
        msg = f"IGVM: parameters inserted at {value.gpa:#x}, which is not aligned"
        raise FormatError(msg)
    offset, size = wanted
    if offset and not data_start <= offset <= len(data) - size:
        msg = f"IGVM: {header.name} at {header.offset:#x}: {size} bytes at {offset:#x} are not within the file data"
        raise FormatError(msg)
