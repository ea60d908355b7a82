"""The hand-off blocks that QEMU and Google's hosts write for a TD: a function of the memory size and the firmware.

Source: QEMU hw/i386/tdvf-hob.c and hw/i386/pc_q35.c; google/gce-tcb-verifier ovmf/tdx_data.go for Google's.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Final

from warily.core.ranges import Range
from warily.core.shape_rules import TdMemory
from warily.errors import FormatError, UsageError
from warily.formats.ovmf import PAGE
from warily.formats.td_hob import (
    EARLY_ACCEPT,
    PRESENT_INITIALIZED_TESTED,
    SYSTEM_MEMORY,
    UNACCEPTED,
    HandOff,
    Head,
    Resource,
    TdHob,
    hand_off,
    resource,
)
from warily.formats.tdvf import Section, SectionType, Tdvf
from warily.measure.qemu_kernel import low_memory

MIB: Final = 1 << 20
GIB: Final = 1 << 30
FOUR_GIB: Final = 4 * GIB
MAX_MEMORY: Final = 1 << 52
MORE: Final = 0x80  # in LEB128: another byte follows
_ACCEPTED: Final = (SectionType.TD_HOB, SectionType.TEMP_MEM)


def qemu_td_hob(tdvf: Tdvf, memory: int) -> TdHob:
    """The list that QEMU writes for a q35 machine of `memory` bytes. Raises `UsageError` where they do not suffice."""
    return td_hob_of(memory_of(tdvf), memory)


def memory_of(tdvf: Tdvf) -> TdMemory:
    """What the list depends on besides the size of the memory. Raises `FormatError` without a section for it."""
    ranges = sorted((part.gpa, part.end) for part in tdvf.sections if part.type in _ACCEPTED and part.memory_size)
    return TdMemory(hob=_base(tdvf), accepted=tuple(Range(start, end) for start, end in ranges))


def td_hob_of(firmware: TdMemory, memory: int) -> TdHob:
    """Likewise from what a manifest says of the firmware. Raises `UsageError` where the memory does not suffice."""
    if not 0 < memory < MAX_MEMORY or memory % PAGE:
        msg = f"memory of {memory} bytes: whole 4 KiB pages below 2^52 are needed"
        raise UsageError(msg)
    low = low_memory(memory)
    banks = [Range(0, low)] + ([Range(FOUR_GIB, FOUR_GIB + memory - low)] if memory > low else [])
    accepted = [(part.start, part.end) for part in firmware.accepted]
    needed = max((end for _, end in accepted), default=0)
    if needed > low:
        msg = f"memory of {memory} bytes ends before {needed:#x}, which the firmware needs"
        raise UsageError(msg, hint="give the machine more memory")
    blocks: list[Resource] = []
    for bank in banks:
        at = bank.start
        for start, end in ((start, end) for start, end in accepted if bank.start <= start < bank.end):
            if at < start:
                blocks.append(resource(UNACCEPTED, at, start))
            blocks.append(resource(SYSTEM_MEMORY, start, end))
            at = end
        if at < bank.end:
            blocks.append(resource(UNACCEPTED, at, bank.end))
    return TdHob(hand_off=hand_off(firmware.hob + _size(blocks) + Head.SIZE), resources=tuple(blocks))


def google_td_hob(tdvf: Tdvf, banks: Iterable[Range], *, early: bool) -> TdHob:
    """The list that Google's hosts wrote: the firmware's own sections first, then all other memory.

    `early` marks all of it for acceptance by the firmware, where otherwise only that below 4 GiB is.
    """
    own = [part for part in tdvf.sections if part.type is not SectionType.TD_INFO]
    blocks = [resource(SYSTEM_MEMORY, part.gpa, part.end) for part in own]
    for start, end in _without(banks, own):
        mark = EARLY_ACCEPT if early or end <= FOUR_GIB else 0
        blocks.append(resource(UNACCEPTED, start, end, attributes=PRESENT_INITIALIZED_TESTED | mark))
    return TdHob(hand_off=hand_off(_base(tdvf) + _size(blocks)), resources=tuple(blocks))


@lru_cache(maxsize=1)
def google_shapes() -> Mapping[str, tuple[Range, ...]]:
    """The memory of each machine type."""
    text = resources.files("warily.data").joinpath("gce_tdx_shapes.toml").read_text("utf-8")
    table = tomllib.loads(text)
    return {name: _banks(size * GIB, table["node"] * GIB) for name, size in table["memory"].items()}


def dstack_witness(tdvf: Tdvf) -> bytes:
    """What dstack publishes of a firmware's memory (TdHobWitnessV1): pages as LEB128 numbers, relative to the first."""
    ranges = sorted((part.gpa // PAGE, part.memory_size // PAGE) for part in tdvf.sections if part.type in _ACCEPTED)
    first = ranges[0][0] if ranges else 0
    numbers = [first, _base(tdvf) // PAGE - first, len(ranges)]
    for start, count in ranges:
        numbers += [start - first, count]
    return b"".join(_leb128(number) for number in numbers)


def _base(tdvf: Tdvf) -> int:
    section = tdvf.only(SectionType.TD_HOB)
    if section is None:
        raise FormatError("TDVF metadata: no section for the TD HOB")
    return section.gpa


def _size(blocks: list[Resource]) -> int:
    """The bytes of the list without its end marker."""
    return HandOff.SIZE + len(blocks) * Resource.SIZE


def _without(banks: Iterable[Range], own: list[Section]) -> Iterator[tuple[int, int]]:
    """The parts of the banks that no section covers, in order."""
    taken = sorted((part.gpa, part.end) for part in own if part.memory_size)
    for bank in sorted(banks, key=lambda bank: bank.start):
        at = bank.start
        for start, end in ((start, end) for start, end in taken if end > bank.start and start < bank.end):
            if at < start:
                yield at, start
            at = max(at, end)
        if at < bank.end:
            yield at, bank.end


def _banks(size: int, node: int) -> tuple[Range, ...]:
    banks = [Range(0, 3 * GIB), Range(FOUR_GIB - 2 * MIB, FOUR_GIB)]
    at, left, room = FOUR_GIB, size - 3 * GIB, node - 3 * GIB
    while left:
        part = min(left, room)
        banks.append(Range(at, at + part))
        at, left, room = at + part, left - part, node
    return tuple(banks)


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value >= MORE:
        out.append(value % MORE | MORE)
        value >>= 7
    out.append(value)
    return bytes(out)
