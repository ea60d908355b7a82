"""The setup header of a Linux kernel for x86: what a boot loader reads, and fills in.

Source: Linux Documentation/arch/x86/boot.rst, protocol 2.15.
"""

import re
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._record import record

MAGIC: Final = b"HdrS"
MAGIC_AT: Final = 0x202
MIN_SIZE: Final = 0x400
LOADED_HIGH: Final = 0x01
CAN_USE_HEAP: Final = 0x80
ABOVE_4G: Final = 0x02
MAX_VERSION: Final = 512
_VERSION: Final = re.compile(rb"(\d{1,4})\.(\d{1,4})")


@record
class SetupHeader:
    """The header. `protocol` is 0x0000 for a file without one, such as a unified kernel image.

    `version` are the first two numbers of the kernel's version; None where the header does not say.
    """

    protocol: int
    load_flags: int
    extended_flags: int
    initrd_max: int
    version: tuple[int, int] | None

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Self:
        """The header of the kernel `data`. Raises `FormatError` for a file shorter than a header."""
        view = memoryview(data)
        if len(view) < MIN_SIZE:
            msg = f"kernel: {len(view)} bytes are no kernel"
            raise FormatError(msg)
        if bytes(view[MAGIC_AT : MAGIC_AT + 4]) != MAGIC:
            return cls(protocol=0, load_flags=0, extended_flags=0, initrd_max=0, version=None)
        return cls(
            protocol=_number(view, 0x206, 2),
            load_flags=view[0x211],
            extended_flags=_number(view, 0x236, 2),
            initrd_max=_number(view, 0x22C, 4),
            version=_version(view),
        )


def _number(view: memoryview, at: int, width: int) -> int:
    return int.from_bytes(view[at : at + width], "little")


def _version(view: memoryview) -> tuple[int, int] | None:
    at = _number(view, 0x20E, 2)
    text = bytes(view[at + 0x200 : at + 0x200 + MAX_VERSION]) if at else b""
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else None
