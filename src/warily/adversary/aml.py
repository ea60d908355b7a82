"""Just enough of an AML assembler to write hostile tables: every function returns the encoding of one term.

Source: ACPI 6.5, 20.2 AML Grammar Definition.
"""

from typing import Final

from warily.formats.acpi_table import CHECKSUM_OFFSET, HEADER_SIZE

ONE: Final = b"\x01"
LOCAL0: Final = b"\x60"
ARG0: Final = b"\x68"
SYSTEM_MEMORY: Final = b"\x00"
DWORD_ACCESS: Final = b"\x03"
SERIALIZED: Final = 8
REVISION: Final = 2
CREATOR: Final = b"WARI\x01\0\0\0"


def table(signature: str, body: bytes, *, name: str, revision: int = REVISION) -> bytes:
    """A whole table with its checksum; `name` is the OEM table id, at most 8 characters."""
    made = bytearray(
        signature.encode()
        + (HEADER_SIZE + len(body)).to_bytes(4, "little")
        + bytes([revision, 0])
        + b"WARILY"
        + name.encode().ljust(8, b"\0")
        + (1).to_bytes(4, "little")
        + CREATOR
        + body
    )
    made[CHECKSUM_OFFSET] = -sum(made) % 256
    return bytes(made)


def package(*parts: bytes) -> bytes:
    """The parts with their length before them (20.2.4): the length counts itself."""
    content = b"".join(parts)
    for width in range(1, 5):
        size = len(content) + width
        if width == 1 and size < 1 << 6:
            return bytes([size]) + content
        if width > 1 and size < 1 << (4 + 8 * (width - 1)):
            lead = (width - 1) << 6 | (size & 0xF)
            return bytes([lead]) + (size >> 4).to_bytes(width - 1, "little") + content
    raise AssertionError


def dword(number: int) -> bytes:
    """An integer of 32 bits, which is what integers have where the DSDT is of revision 1."""
    return b"\x0c" + number.to_bytes(4, "little")


def segment(name: str) -> bytes:
    """A name of four characters, filled up with `_`."""
    return name.encode().ljust(4, b"_")


def device(name: str, identity: str, *terms: bytes) -> bytes:
    """A device on the system bus, with a hardware id that the kernel asks for and no driver knows."""
    hid = b"\x08" + segment("_HID") + b"\x0d" + identity.encode() + b"\0"
    return b"\x5b\x82" + package(b"\x5c\x2e", segment("_SB"), segment(name), hid, *terms)


def method(name: str, *terms: bytes, arguments: int = 0) -> bytes:
    """A serialized method."""
    return b"\x14" + package(segment(name), bytes([SERIALIZED | arguments]), *terms)


def memory(name: str, address: bytes, size: int, *fields: str) -> bytes:
    """A region of system memory at `address` (a term), with 32-bit fields from its beginning."""
    region = b"\x5b\x80" + segment(name) + SYSTEM_MEMORY + address + dword(size)
    units = b"".join(segment(field) + b"\x20" for field in fields)
    return region + b"\x5b\x81" + package(segment(name), DWORD_ACCESS, units)


def store(value: bytes, target: bytes) -> bytes:
    """`target = value`."""
    return b"\x70" + value + target


def add(left: bytes, right: bytes, target: bytes) -> bytes:
    """`target = left + right`."""
    return b"\x72" + left + right + target


def equal(left: bytes, right: bytes) -> bytes:
    """Whether both are the same number."""
    return b"\x93" + left + right


def less(left: bytes, right: bytes) -> bytes:
    """Whether the first is the smaller number."""
    return b"\x95" + left + right


def when(condition: bytes, *terms: bytes) -> bytes:
    """The terms, where the condition holds."""
    return b"\xa0" + package(condition, *terms)


def loop(condition: bytes, *terms: bytes) -> bytes:
    """The terms, as long as the condition holds."""
    return b"\xa2" + package(condition, *terms)
