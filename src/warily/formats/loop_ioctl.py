"""Loop devices: the structure that LOOP_CONFIGURE reads (Linux include/uapi/linux/loop.h)."""

from enum import IntEnum
from typing import Annotated, Final

from warily.formats._layout import Layout, layout, octets, u32, u64

CONTROL: Final = "/dev/loop-control"
AUTOCLEAR: Final = 4  # LO_FLAGS_AUTOCLEAR: the device goes when its last user does


class Command(IntEnum):
    """Ioctl numbers."""

    CONFIGURE = 0x4C0A
    GET_FREE = 0x4C82


@layout(304, source="Linux include/uapi/linux/loop.h, struct loop_config with struct loop_info64")
class LoopConfig(Layout):
    """Bind the file behind descriptor `fd` to a loop device."""

    fd: Annotated[int, u32(0)]
    block_size: Annotated[int, u32(4)]
    offset: Annotated[int, u64(32)]
    size_limit: Annotated[int, u64(40)]
    flags: Annotated[int, u32(60)]
    file_name: Annotated[bytes, octets(64, 64)]
