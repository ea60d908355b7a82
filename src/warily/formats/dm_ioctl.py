"""Device-mapper requests and answers: the buffers that /dev/mapper/control reads and fills.

Source: Linux include/uapi/linux/dm-ioctl.h (version 4). A request is the header, then one specification and
parameter text for each target. Parameters are bytes, not text, so that a caller can wipe those that hold keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated, Final

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u32, u64

CONTROL: Final = "/dev/mapper/control"
MAJOR_VERSION: Final = 4
HEADER_SIZE: Final = 312
SPEC_SIZE: Final = 40
ANSWER_SIZE: Final = 16384
MAX_TARGETS: Final = 1 << 14
NAME_SIZE: Final = 128


class Command(IntEnum):
    """DM_* commands as ioctl numbers: _IOWR(0xfd, n, struct dm_ioctl)."""

    CREATE = 0xC138FD03
    REMOVE = 0xC138FD04
    SUSPEND = 0xC138FD06  # without the SUSPEND flag: resume
    TABLE_LOAD = 0xC138FD09
    TABLE_STATUS = 0xC138FD0C


class Flag(IntFlag):
    """DM_*_FLAG bits."""

    NONE = 0
    READONLY = 1 << 0
    SUSPEND = 1 << 1
    STATUS_TABLE = 1 << 4
    BUFFER_FULL = 1 << 8
    SECURE_DATA = 1 << 15


@layout(HEADER_SIZE, source="Linux include/uapi/linux/dm-ioctl.h, struct dm_ioctl")
class Header(Layout):
    """The head of every request and answer."""

    version_major: Annotated[int, u32(0)]
    version_minor: Annotated[int, u32(4)]
    version_patch: Annotated[int, u32(8)]
    data_size: Annotated[int, u32(12)]
    data_start: Annotated[int, u32(16)]
    target_count: Annotated[int, u32(20)]
    open_count: Annotated[int, u32(24)]
    flags: Annotated[int, u32(28)]
    event_number: Annotated[int, u32(32)]
    padding: Annotated[int, u32(36)]
    device: Annotated[int, u64(40)]
    name: Annotated[bytes, octets(48, NAME_SIZE)]
    uuid: Annotated[bytes, octets(176, 129)]
    data: Annotated[bytes, octets(305, 7)]


@layout(SPEC_SIZE, source="Linux include/uapi/linux/dm-ioctl.h, struct dm_target_spec")
class TargetSpec(Layout):
    """Which sectors a target serves.

    `next` counts from this structure in a request, from `data_start` in an answer.
    """

    start: Annotated[int, u64(0)]
    length: Annotated[int, u64(8)]
    status: Annotated[int, u32(16)]
    next: Annotated[int, u32(20)]
    kind: Annotated[bytes, octets(24, 16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`length` sectors of 512 bytes from `start`, served by the target `kind` with `params`."""

    start: int
    length: int
    kind: str
    params: bytes | bytearray


def request(name: str, *, flags: Flag = Flag.NONE, targets: Sequence[Target] = ()) -> bytearray:
    """The buffer to hand to the ioctl, with room for an answer. Wipe it after use where `targets` hold a key."""
    if len(targets) > MAX_TARGETS:
        msg = f"device-mapper: {len(targets)} targets are over the limit of {MAX_TARGETS}"
        raise FormatError(msg)
    size = max(ANSWER_SIZE, HEADER_SIZE + sum(_space(target) for target in targets))
    out = bytearray(size)
    out[:HEADER_SIZE] = Header(
        version_major=MAJOR_VERSION,
        version_minor=0,
        version_patch=0,
        data_size=size,
        data_start=HEADER_SIZE,
        target_count=len(targets),
        open_count=0,
        flags=flags,
        event_number=0,
        padding=0,
        device=0,
        name=_padded(name, NAME_SIZE),
        uuid=bytes(129),
        data=bytes(7),
    ).pack()
    at = HEADER_SIZE
    for target in targets:
        space = _space(target)
        spec = TargetSpec(start=target.start, length=target.length, status=0, next=space, kind=_padded(target.kind, 16))
        out[at : at + SPEC_SIZE] = spec.pack()
        out[at + SPEC_SIZE : at + SPEC_SIZE + len(target.params)] = target.params
        at += space
    return out


def answered(buffer: bytes | bytearray) -> tuple[Header, tuple[Target, ...]]:
    """The header and, for TABLE_STATUS, the targets that the kernel wrote. Raises `FormatError`."""
    header = Header.unpack(memoryview(buffer)[:HEADER_SIZE])
    if header.flags & Flag.BUFFER_FULL or header.target_count > MAX_TARGETS:
        msg = "device-mapper: the answer does not fit"
        raise FormatError(msg)
    at = header.data_start
    targets = []
    for _ in range(header.target_count):
        spec = TargetSpec.unpack(memoryview(buffer)[at : at + SPEC_SIZE])
        after = header.data_start + spec.next
        if not at + SPEC_SIZE <= after <= len(buffer):
            msg = f"device-mapper: a target ends at {after}, outside its answer"
            raise FormatError(msg)
        params = bytes(buffer[at + SPEC_SIZE : after]).partition(b"\0")[0]
        kind = spec.kind.rstrip(b"\0").decode("ascii", "replace")
        targets.append(Target(start=spec.start, length=spec.length, kind=kind, params=params))
        at = after
    return header, tuple(targets)


def _space(target: Target) -> int:
    """The specification, the text, its NUL, and padding to 8 bytes."""
    return SPEC_SIZE + (len(target.params) + 8) // 8 * 8


def _padded(text: str, size: int) -> bytes:
    raw = text.encode()
    if not 0 < len(raw) < size or b"\0" in raw:
        msg = f"device-mapper: {text!r} is no name of at most {size - 1} bytes"
        raise FormatError(msg)
    return raw.ljust(size, b"\0")
