"""The text that `acpidump` prints: a line `SIGN @ 0xADDRESS` before each table, then its bytes in hexadecimal.

Source: ACPICA, acpidump and acpixtract manuals.
"""

import re
from collections.abc import Iterator
from typing import Final

from warily.errors import FormatError

LIMIT: Final = 64 << 20
_HEAD: Final = re.compile(rb"^(RSD PTR|[!-~]{4}) @ 0x[0-9A-Fa-f]{1,16}\s*$", re.MULTILINE)
_LINE: Final = re.compile(rb"^\s+[0-9A-Fa-f]+: ((?:[0-9A-Fa-f]{2} ){1,16})")


def is_acpidump(data: bytes) -> bool:
    """Whether the text begins as acpidump's does."""
    return _HEAD.match(data[:256].lstrip()) is not None


def tables(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each table, in the order of the text. Raises `FormatError`."""
    if len(data) > LIMIT:
        msg = f"acpidump: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    name, content = "", bytearray()
    for number, line in enumerate(data.splitlines(), 1):
        head = _HEAD.match(line)
        if head:
            if name:
                yield name, bytes(content)
            name, content = head[1].decode("ascii"), bytearray()
        elif line.strip():
            row = _LINE.match(line + b" ")
            if row is None or not name:
                msg = f"acpidump: line {number} is neither the head of a table nor bytes"
                raise FormatError(msg)
            content += bytes.fromhex(row[1].decode("ascii"))
    if name:
        yield name, bytes(content)
