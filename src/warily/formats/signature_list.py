"""The lists in db and dbx: whom and what Secure Boot trusts, and what it forbids.

Source: UEFI Specification 2.10, section 32.4.1 (EFI_SIGNATURE_LIST, EFI_SIGNATURE_DATA).
"""

from collections.abc import Iterator
from typing import Annotated, Final

from warily.errors import FormatError
from warily.formats._guid import text_of
from warily.formats._layout import Layout, layout, octets, u32
from warily.formats._record import record

X509: Final = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
SHA256: Final = "c1c41626-504c-4092-aca9-41f936934328"
X509_SHA256: Final = "3bd2a492-96c0-4079-b420-fcf98ef103ed"
LIMIT: Final = 1 << 20
OWNER: Final = 16


@layout(28, source="UEFI Specification 2.10, section 32.4.1, EFI_SIGNATURE_LIST")
class ListHeader(Layout):
    """The head of a list. `size` counts it, its own header of `header_size` bytes, and all entries of `entry_size`."""

    kind: Annotated[bytes, octets(0, 16)]
    size: Annotated[int, u32(16)]
    header_size: Annotated[int, u32(20)]
    entry_size: Annotated[int, u32(24)]


@record
class Signature:
    """One entry: what kind it is (a GUID as printed), and its bytes with the owner in front, as they are measured."""

    kind: str
    data: bytes

    @property
    def value(self) -> bytes:
        """The certificate or the digest."""
        return self.data[OWNER:]


def read_signatures(data: bytes) -> tuple[Signature, ...]:
    """The entries of all lists in the value of a variable, in order. Raises `FormatError`."""
    if len(data) > LIMIT:
        msg = f"signature lists: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    return tuple(_entries(data))


def _entries(data: bytes) -> Iterator[Signature]:
    at = 0
    while at < len(data):
        if at + ListHeader.SIZE > len(data):
            msg = f"signature lists: {len(data) - at} bytes at {at:#x} are no list"
            raise FormatError(msg)
        head = ListHeader.unpack(data[at : at + ListHeader.SIZE])
        start, end = at + ListHeader.SIZE + head.header_size, at + head.size
        if head.entry_size <= OWNER or not start <= end <= len(data) or (end - start) % head.entry_size:
            msg = f"signature lists: the list at {at:#x} of {head.size} bytes does not fit"
            raise FormatError(msg)
        kind = text_of(head.kind)
        for place in range(start, end, head.entry_size):
            yield Signature(kind=kind, data=data[place : place + head.entry_size])
        at = end
