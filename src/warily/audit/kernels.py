"""What a kernel image says of itself: its version, its configuration where it carries one, what a UKI wraps with it."""

import re
from dataclasses import dataclass
from typing import Final

from warily.audit import packed
from warily.errors import FormatError
from warily.formats import initramfs, kernel_config
from warily.formats.linux_kernel import MAGIC, MAGIC_AT, MIN_SIZE
from warily.formats.uki import Uki

CARRIED: Final = b"IKCFG_ST"  # where a kernel keeps its own configuration (kernel/configs.c), a gzip stream after it
VERSION_AT: Final = 0x20E  # Linux Documentation/arch/x86/boot.rst: kernel_version
PAYLOAD_AT: Final = 0x248  # payload_offset and payload_length, from the end of the setup sectors
SETUP_SECTORS_AT: Final = 0x1F1
LARGEST: Final = 256 << 20
_RELEASE: Final = re.compile(rb"\d{1,3}\.\d{1,4}[0-9A-Za-z.+~_-]{0,80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelImage:
    """A kernel. `release` is empty where it does not say; `config` is None where it carries none.

    `command_line` and `initrd` are those of the unified kernel image that it is in, None where it is in none.
    """

    release: str
    config: bytes | None
    command_line: str | None = None
    initrd: bytes | None = None


def read(data: bytes) -> KernelImage:
    """The kernel that `data` is, or wraps. Raises `FormatError` for a PE program that is neither."""
    if data[MAGIC_AT : MAGIC_AT + 4] == MAGIC:
        return KernelImage(release=_release(data), config=_config(data))
    image = Uki.parse(data)
    parts = image.measured()
    kernel = bytes(parts[".linux"].loaded(data))
    line = bytes(parts[".cmdline"].loaded(data)) if ".cmdline" in parts else b""
    uname = bytes(parts[".uname"].loaded(data)) if ".uname" in parts else b""
    return KernelImage(
        release=_release(kernel) or uname.rstrip(b"\0\n").decode("utf-8", "replace"),
        config=_config(kernel),
        command_line=line.rstrip(b"\0\n").decode("utf-8", "replace"),
        initrd=bytes(parts[".initrd"].loaded(data)) if ".initrd" in parts else None,
    )


def _release(kernel: bytes) -> str:
    at = int.from_bytes(kernel[VERSION_AT : VERSION_AT + 2], "little")
    found = _RELEASE.match(kernel[at + 0x200 : at + 0x300]) if at else None
    return found[0].decode() if found else ""


def _config(kernel: bytes) -> bytes | None:
    """The configuration in the kernel, or in what it unpacks when it starts."""
    for body in (kernel, _payload(kernel)):
        at = body.find(CARRIED)
        if at >= 0:
            content = packed.first(body[at + len(CARRIED) :], "gzip", limit=kernel_config.LIMIT)
            return content[0]
    return None


def _payload(kernel: bytes) -> bytes:
    """The kernel proper, unpacked; nothing where it is packed in a way that is not known, or not at all."""
    if len(kernel) < MIN_SIZE:
        return b""
    offset, size = (int.from_bytes(kernel[at : at + 4], "little") for at in (PAYLOAD_AT, PAYLOAD_AT + 4))
    start = (kernel[SETUP_SECTORS_AT] + 1) * 512 + offset
    body = kernel[start : start + size]
    try:
        return packed.first(body, initramfs.compression(body), limit=LARGEST)[0]
    except FormatError:
        return b""
