"""SMBIOS tables as small as they can be, and those of genuine guests: the tests' own writer, apart from the reader."""

import base64
import struct
from pathlib import Path

END = b"\x7f\x04\x00\x7f\0\0"
SYSTEM_FIELDS = bytes([1, 2, 3, 4]) + b"\x11" * 16 + b"\x06\0\0"


def structure(kind: int, handle: int, fields: bytes = b"", *strings: bytes) -> bytes:
    texts = b"".join(text + b"\0" for text in strings) or b"\0"
    return struct.pack("<BBH", kind, 4 + len(fields), handle) + fields + texts + b"\0"


SYSTEM = structure(1, 0x100, SYSTEM_FIELDS, b"QEMU", b"PC", b"pc-q35-7.2", b"S123")


def of_guest(boot: Path) -> bytes:
    """The table that Linux showed after the boot in this folder of the vectors, without its entry point."""
    data = base64.b64decode((boot / "dmi_tables.b64").read_bytes())
    return data[: data.index(b"_SM_")]


def of_host(table: bytes) -> bytes:
    """A guest's table as QEMU handed it over: the firmware's own structure, of type 0, comes last there."""
    at = table.rindex(b"\x00\x1a\x00\x00")
    return table[:at] + END
