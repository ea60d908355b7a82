"""PAGE_INFO: what the AMD-SP hashes for each 4 KiB page that is put into a guest before it starts.

Source: AMD 56860 (SEV-SNP firmware ABI 1.55), section 8.17.2, table 67.
"""

import struct
from enum import IntEnum
from typing import Final

SIZE: Final = 0x70
DIGEST: Final = 48

# Current digest, contents, length, page type, is_imi, permissions of VMPL 3, 2 and 1, reserved, address.
_FORM: Final = struct.Struct("<48s48sHBBBBBBQ")


class PageType(IntEnum):
    """How a page enters the guest. Only NORMAL and VMSA pages have their bytes measured."""

    NORMAL = 1
    VMSA = 2
    ZERO = 3
    UNMEASURED = 4
    SECRETS = 5
    CPUID = 6


def encode(current: bytes, contents: bytes, page_type: PageType, gpa: int) -> bytes:
    """The 112 bytes for a page at `gpa`, of a guest without an initial migration image and with one VMPL.

    `current` is the launch digest so far; `contents` the SHA-384 of a measured page, else 48 zero bytes.
    """
    return _FORM.pack(current, contents, SIZE, page_type, 0, 0, 0, 0, 0, gpa)
