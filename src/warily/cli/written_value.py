"""A measured value as people write it, where a file could be named as well."""

import re
from pathlib import Path
from typing import Final

from warily.errors import UsageError

_VALUE: Final = re.compile(r"(?:(?:0x|sha(?:1|256|384|512)[:-]))?([0-9a-f]{32,128})", re.IGNORECASE)


def value_of(text: str) -> bytes | None:
    """The value that `text` writes in hexadecimal; None where it rather names a file. Raises `UsageError`."""
    found = _VALUE.fullmatch(text.strip())
    if found is None or Path(text).exists():
        if found is None and not Path(text).exists():
            msg = f"{text}: neither a file nor a value in hexadecimal"
            raise UsageError(msg, hint="values are those of registers or digests: 16 to 64 bytes in hexadecimal")
        return None
    try:
        return bytes.fromhex(found[1])
    except ValueError:
        msg = f"{text}: an odd number of hexadecimal digits"
        raise UsageError(msg) from None
