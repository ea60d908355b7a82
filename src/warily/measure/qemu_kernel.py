"""The kernel as QEMU's -kernel hands it to firmware: before 10.2 with the setup header filled in, since then as it is.

So the digest of the program depends, before 10.2, on the size of the initrd and on the memory below 4 GiB.
Source: QEMU hw/i386/x86-common.c, x86_load_linux; commit a7542a38f399 (10.2) for confidential guests.
"""

import re
from typing import Final

from warily.errors import UsageError
from warily.formats.linux_kernel import ABOVE_4G, CAN_USE_HEAP, LOADED_HIGH, SetupHeader

UNPATCHED_SINCE: Final = (10, 2)
LOW_MEMORY: Final = 0xB0000000  # q35: with this much memory or more, only `LOW_MEMORY_SPLIT` of it is below 4 GiB
LOW_MEMORY_SPLIT: Final = 0x80000000
ACPI_RESERVE: Final = 0x28000  # pc machine types since 2.3 keep that much at the end of low memory
INITRD_MAX: Final = 0x37FFFFFF
QEMU_LOADER: Final = 0xB0
PAGE: Final = 4096
# Boot protocol versions, as 0xMMmm, and what came with each.
WITH_LOADER: Final = 0x200
WITH_HEAP: Final = 0x201
WITH_LINE_POINTER: Final = 0x202
WITH_INITRD_MAX: Final = 0x203
WITH_EXTENDED_FLAGS: Final = 0x20C
_VGA: Final = re.compile(rb"vga=([^ ]*)")
_VGA_WORDS: Final = {b"normal": 0xFFFF, b"ext": 0xFFFE, b"ask": 0xFFFD}


def low_memory(memory: int) -> int:
    """How many bytes of a q35 machine's `memory` are below 4 GiB."""
    return LOW_MEMORY_SPLIT if memory >= LOW_MEMORY else memory


def patched_kernel(kernel: bytes, *, initrd_size: int, memory: int, command_line: bytes) -> bytes:
    """The kernel with its setup header filled in, as QEMU before 10.2 did. `memory` in bytes.

    Raises `UsageError` where QEMU would refuse, `FormatError` for what is no kernel.
    """
    header = SetupHeader.parse(kernel)
    if initrd_size and header.protocol < WITH_LOADER:
        raise UsageError("this kernel takes no initrd from QEMU before 10.2", hint="a UKI has its initrd inside")
    if not header.protocol:
        return kernel  # no setup header: a program for UEFI, such as a unified kernel image
    out = bytearray(kernel)
    low = header.protocol < WITH_LOADER or not header.load_flags & LOADED_HIGH
    size = (len(command_line) + 16) & ~15
    if low or header.protocol < WITH_LINE_POINTER:
        real_mode, line = 0x90000, 0x9A000 - size
    else:
        real_mode, line = 0x10000, 0x20000
    if header.protocol >= WITH_LINE_POINTER:
        _put(out, 0x228, 4, line)
    else:
        _put(out, 0x20, 2, 0xA33F)
        _put(out, 0x22, 2, line - real_mode)
    _put_video_mode(out, command_line)
    if header.protocol >= WITH_LOADER:
        out[0x210] = QEMU_LOADER
    if header.protocol >= WITH_HEAP:
        out[0x211] |= CAN_USE_HEAP
        _put(out, 0x224, 2, line - real_mode - 0x200)
    if initrd_size:
        _put(out, 0x218, 4, _initrd_address(header, initrd_size, memory))
        _put(out, 0x21C, 4, initrd_size)
    return bytes(out)


def _put(out: bytearray, at: int, width: int, value: int) -> None:
    out[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def _put_video_mode(out: bytearray, command_line: bytes) -> None:
    """QEMU reads a word vga=… of the command line, wherever it stands."""
    found = _VGA.search(command_line)
    if found is None:
        return
    word = found[1]
    for name, mode in _VGA_WORDS.items():
        if word.startswith(name):
            _put(out, 0x1FA, 2, mode)
            return
    try:
        _put(out, 0x1FA, 2, int(word, 0) if word[:1] != b"0" or word[1:2] in b"xX" else int(word, 8))
    except ValueError:
        msg = f"command line: QEMU refuses vga={word[:32].decode('ascii', 'replace')}"
        raise UsageError(msg) from None


def _initrd_address(header: SetupHeader, size: int, memory: int) -> int:
    if header.protocol >= WITH_EXTENDED_FLAGS and header.extended_flags & ABOVE_4G:
        limit = 0xFFFFFFFF
    elif header.protocol >= WITH_INITRD_MAX:
        limit = header.initrd_max
    else:
        limit = INITRD_MAX
    limit = min(limit, low_memory(memory) - ACPI_RESERVE - 1)
    if size >= limit:
        msg = f"an initrd of {size} bytes does not fit below {limit:#x}, where QEMU before 10.2 puts it"
        raise UsageError(msg, hint="give the machine more memory")
    return (limit - size) & ~(PAGE - 1)
