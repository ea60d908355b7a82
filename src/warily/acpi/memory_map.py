"""Which addresses are memory: as given, as QEMU says it, as Linux says it, or assumed."""

import re
from collections.abc import Iterator
from typing import Final

from warily.core.ranges import Range
from warily.errors import FormatError
from warily.formats import e820

ASSUMED: Final = (Range(0, 0xA0000), Range(0x100000, 0xB0000000), Range(1 << 32, 0xE000000000))
"""Where a PC-like machine may have memory: below the legacy hole, below PCI's window, and above 4 GiB up to the
window for 64-bit devices."""

_SYSTEM_RAM: Final = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", re.MULTILINE)


def from_e820(data: bytes) -> tuple[Range, ...]:
    """The memory of QEMU's map. Raises `FormatError`."""
    return tuple(_ranges(data))


def _ranges(data: bytes) -> Iterator[Range]:
    for each in e820.entries(data):
        if each.kind is e820.MemoryKind.RAM and each.size:
            yield Range(each.start, each.start + each.size)


def from_iomem(text: str) -> tuple[Range, ...]:
    """The memory of Linux's `/proc/iomem`; nothing where it hides addresses. Raises `FormatError`."""
    found = [(int(start, 16), int(end, 16) + 1) for start, end in _SYSTEM_RAM.findall(text)]
    if not found:
        raise FormatError("/proc/iomem names no memory")
    return tuple(Range(start, end) for start, end in found if end > 1)
