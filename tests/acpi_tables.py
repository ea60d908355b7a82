"""Makes ACPI tables for tests: a header with the right length and checksum before any body."""

import struct

from warily.formats.acpi_table import AcpiTable


def table(signature: str, body: bytes, *, revision: int = 1, oem_table: bytes = b"TESTTEST") -> AcpiTable:
    """A table whose checksum holds."""
    raw = struct.pack(
        "<4sIBB6s8sI4sI", signature.encode(), 36 + len(body), revision, 0, b"WARILY", oem_table, 1, b"TEST", 1
    )
    raw += body
    return AcpiTable.parse(raw[:9] + bytes([-sum(raw) % 256]) + raw[10:])


def register(address: int, *, space: int = 0, width: int = 32) -> bytes:
    """A Generic Address Structure."""
    return struct.pack("<BBBBQ", space, width, 0, 3, address)
