"""The one number that PEI modules of some releases write into their own volume before it is measured.

The PEI core of edk2 from 2023 to 2025 keeps the port of the ACPI timer in a variable of its own. The volume lies in
memory, the core runs in place, and its constructor writes there: the base of power management, which is fixed for a
chipset, and eight. Where the variable is, the instruction that writes it says.
Source: edk2 OvmfPkg/Library/AcpiTimerLib/BaseAcpiTimerLib.c; seen in the memory of machines with Debian's 2025.02.
"""

import re
from typing import Final

from warily.errors import FormatError
from warily.formats.firmware_volume import Volume, file_sections
from warily.formats.pe import PeImage

PEI_CORE: Final = "52c05b14-0b98-496c-bc3b-04b50211d680"
Q35_TIMER_PORT: Final = 0x608
PC_TIMER_PORT: Final = 0xB008
WIDTH: Final = 4
_PROGRAM: Final = 0x10
_WRITABLE: Final = 0x80000000
# add r32, 8 (or lea r32, [r+8]), then mov [rip+x], r32
_STORE: Final = re.compile(rb"(?:\x83[\xc0-\xc7]|\x8d[\x40-\x7f])\x08\x89[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](?s:(.{4}))")


def timer_port_at(volume: Volume) -> int | None:
    """Where in the volume the PEI core keeps the port; None where it keeps none, or it cannot be told."""
    whole = bytes(volume.data)
    for kind, content in file_sections(volume, PEI_CORE):
        program = bytes(content)
        if kind == _PROGRAM:
            places = {*_places(program)}
            return whole.index(program) + places.pop() if len(places) == 1 else None
    return None


def with_timer_port(volume: Volume, at: int | None, port: int) -> bytes:
    """The volume with the port in that place, if there is one."""
    data = bytearray(volume.data)
    if at is not None:
        data[at : at + WIDTH] = port.to_bytes(WIDTH, "little")
    return bytes(data)


def _places(program: bytes) -> list[int]:
    """Offsets of data that is zero in the file and that an instruction of that kind writes."""
    try:
        sections = PeImage.parse(program).sections
    except FormatError:
        return []
    data = [
        range(each.raw_offset, each.raw_offset + each.raw_size)
        for each in sections
        if each.characteristics & _WRITABLE and each.raw_offset == each.virtual_address  # it runs where it lies
    ]
    found = [match.end() + int.from_bytes(match[1], "little", signed=True) for match in _STORE.finditer(program)]
    return [at for at in found if any(at in part for part in data) and program[at : at + WIDTH] == bytes(WIDTH)]
