"""The registers that dstack publishes for an image: mrtd, rtmr0 to rtmr3 in hexadecimal (`dstack-mr`, `tcb_info`)."""

from typing import Final

from warily.errors import FormatError
from warily.formats._json import JsonObject

LIMIT: Final = 4 << 20
REGISTER: Final = 48
NAMES: Final = ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3")


def looks_like(top: JsonObject) -> bool:
    """It names MRTD and at least one RTMR."""
    return "mrtd" in top and any(name in top for name in NAMES[1:])


def decode(text: bytes) -> dict[str, bytes]:
    """Register → value, for the registers that are given and not empty. Raises `FormatError`."""
    top = JsonObject.parse(text, what="dstack measurements", limit=LIMIT)
    found = {}
    for name in NAMES:
        value = top.hexadecimal(name) if name in top else b""
        if value and len(value) != REGISTER:
            msg = f"dstack measurements: {name} is not {REGISTER} bytes"
            raise FormatError(msg)
        if value:
            found[name] = value
    if not found:
        raise FormatError("dstack measurements: no register is given")
    return found
