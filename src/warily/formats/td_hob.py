"""The TD hand-off block list: how a virtual machine monitor tells TDX firmware which memory there is.

It is the host's word, so the firmware measures it (RTMR0) before it reads it; the end marker is not measured.
Source: UEFI Platform Initialization Specification 1.8, volume 3, chapter 5; Intel TDX Virtual Firmware Design Guide
1.01, section 7.2.
"""

from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._layout import Layout, layout, octets, u16, u32, u64
from warily.formats._record import record

LIMIT: Final = 1 << 20
HANDOFF: Final = 1
RESOURCE: Final = 3
END: Final = 0xFFFF
VERSION: Final = 9
SYSTEM_MEMORY: Final = 0
UNACCEPTED: Final = 7
PRESENT_INITIALIZED_TESTED: Final = 7
EARLY_ACCEPT: Final = 0x10000000


@layout(8, source="PI 1.8 volume 3, section 5.2, EFI_HOB_GENERIC_HEADER")
class Head(Layout):
    """What each block begins with; `length` counts it."""

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]


@layout(56, source="PI 1.8 volume 3, section 5.3, EFI_HOB_HANDOFF_INFO_TABLE")
class HandOff(Layout):
    """The first block. `end` is the guest physical address after the list."""

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    version: Annotated[int, u32(8)]
    boot_mode: Annotated[int, u32(12)]
    memory_top: Annotated[int, u64(16)]
    memory_bottom: Annotated[int, u64(24)]
    free_memory_top: Annotated[int, u64(32)]
    free_memory_bottom: Annotated[int, u64(40)]
    end: Annotated[int, u64(48)]


@layout(48, source="PI 1.8 volume 3, section 5.5, EFI_HOB_RESOURCE_DESCRIPTOR")
class Resource(Layout):
    """A range of guest physical memory."""

    type: Annotated[int, u16(0)]
    length: Annotated[int, u16(2)]
    owner: Annotated[bytes, octets(8, 16)]
    resource_type: Annotated[int, u32(24)]
    attributes: Annotated[int, u32(28)]
    start: Annotated[int, u64(32)]
    size: Annotated[int, u64(40)]


_END: Final = Head(type=END, length=Head.SIZE).pack()


@record
class TdHob:
    """The list: hand-off block, memory ranges, end."""

    hand_off: HandOff
    resources: tuple[Resource, ...]

    @classmethod
    def decode(cls, data: bytes | memoryview) -> Self:
        """The list that `data` is, end marker included and nothing after it. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"TD HOB: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        cursor = Cursor(data, what="TD HOB")
        hand_off = cursor.read(HandOff, "hand-off block")
        if hand_off.type != HANDOFF or hand_off.length != HandOff.SIZE:
            msg = f"TD HOB: the first block is of type {hand_off.type:#x}, not the hand-off block"
            raise FormatError(msg)
        resources: list[Resource] = []
        while cursor.remaining > len(_END):
            block = cursor.read(Resource, f"block {len(resources) + 1}")
            if block.type != RESOURCE or block.length != Resource.SIZE:
                msg = f"TD HOB: block {len(resources) + 1} is of type {block.type:#x}; memory ranges are expected"
                raise FormatError(msg)
            resources.append(block)
        if cursor.take(len(_END), "end") != _END:
            raise FormatError("TD HOB: no end marker")
        return cls(hand_off=hand_off, resources=tuple(resources))

    def encode(self) -> bytes:
        """The bytes of the list with its end marker."""
        return self.measured + _END

    @property
    def measured(self) -> bytes:
        """The bytes that firmware measures: all but the end marker (edk2 OvmfPkg TdxHelperMeasureTdHob)."""
        return self.hand_off.pack() + b"".join(resource.pack() for resource in self.resources)


def hand_off(end: int) -> HandOff:
    """The hand-off block as monitors write it: nothing but its version and the end of the list."""
    return HandOff(
        type=HANDOFF,
        length=HandOff.SIZE,
        version=VERSION,
        boot_mode=0,
        memory_top=0,
        memory_bottom=0,
        free_memory_top=0,
        free_memory_bottom=0,
        end=end,
    )


def resource(kind: int, start: int, end: int, *, attributes: int = PRESENT_INITIALIZED_TESTED) -> Resource:
    """A block for the memory range from `start` to before `end`."""
    return Resource(
        type=RESOURCE,
        length=Resource.SIZE,
        owner=bytes(16),
        resource_type=kind,
        attributes=attributes,
        start=start,
        size=end - start,
    )
