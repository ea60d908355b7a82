"""Resource descriptors in buffers: which memory a device says it has, and registers that a kernel uses itself.

Source: ACPI 6.5, 6.4.2 Small and 6.4.3 Large Resource Data Type.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from warily.acpi.bytecode.things import Buffer
from warily.acpi.bytecode.values import Value, bounds, points_of
from warily.core.ranges import MAX_ADDRESS, Range

_END: Final = 0x79
_LARGE: Final = 0x80
_CONSUMER: Final = 1
_REGISTER: Final = b"\x82\x0c\x00"
_REGISTER_SIZE: Final = 15
_WIDEST: Final = 3
"""The binary logarithm of the widest access, eight bytes."""


class _Form(NamedTuple):
    """Where a descriptor of memory has its first address and its length, in bytes, and how wide both are in bits."""

    base: int
    length: int
    bits: int
    has_flags: bool


_FORMS: Final = {
    0x85: _Form(4, 16, 32, has_flags=False),  # 32-bit memory range
    0x86: _Form(4, 8, 32, has_flags=False),  # 32-bit fixed memory range
    0x87: _Form(10, 22, 32, has_flags=True),  # DWord address space
    0x8A: _Form(14, 38, 64, has_flags=True),  # QWord address space
    0x8B: _Form(16, 40, 64, has_flags=True),  # extended address space
}


def memory_of(buffer: Buffer, *, passes_on: bool) -> Iterator[Range]:
    """The memory that a device with these resources has, where that is a few known numbers.

    A bridge `passes_on` what it does not say to use itself.
    """
    data = buffer.data
    at = 0
    while at + 3 <= len(data) and data[at] != _END:
        kind = data[at]
        size = 3 + int.from_bytes(data[at + 1 : at + 3], "little") if kind & _LARGE else 1 + (kind & 7)
        form = _FORMS.get(kind)
        if form is not None and form.length + form.bits // 8 <= size <= len(data) - at:
            is_memory = not form.has_flags or data[at + 3] == 0
            if is_memory and not (form.has_flags and passes_on and not data[at + 4] & _CONSUMER):
                base = buffer.read((at + form.base) * 8, form.bits)
                yield from _ranges(base, buffer.read((at + form.length) * 8, form.bits))
        at += size


def _ranges(base: Value, length: Value) -> Iterator[Range]:
    most = bounds(length)[1]
    for start in sorted(points_of(base) or ()):
        if most > 0 and start + most <= MAX_ADDRESS and points_of(length) is not None:
            yield Range(start, start + most)


class Register(NamedTuple):
    """A register that the kernel reads and writes itself. `size` in bytes."""

    space: int
    address: int
    size: int


def register_of(data: bytes) -> Register | None:
    """The generic register that a buffer begins with, as packages like `_CPC` and `_PTC` hold them (6.4.3.7)."""
    if not data.startswith(_REGISTER) or len(data) < _REGISTER_SIZE:
        return None
    width, offset, access = data[4:7]
    size = max(-(-(width + offset) // 8), 1 << min(max(access, 1) - 1, _WIDEST))
    return Register(data[3], int.from_bytes(data[7:15], "little"), size)
