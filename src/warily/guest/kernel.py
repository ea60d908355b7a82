"""The system calls that Python does not offer, through the C library."""

import ctypes
import os
from enum import IntFlag
from pathlib import Path
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_FINIT_MODULE: Final = 313  # x86-64; the C library has no wrapper
_RESTART: Final = 0x01234567  # LINUX_REBOOT_CMD_RESTART


class Mount(IntFlag):
    """MS_* flags of mount(2)."""

    READONLY = 1
    NOSUID = 2
    NODEV = 4
    NOEXEC = 8
    MOVE = 8192


def mount(source: str, target: str, kind: str, flags: Mount, options: str = "") -> None:
    """Mount `source` on `target`. Raises `OSError`."""
    done = _LIBC.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags.value), options.encode() or None
    )
    _check(done, f"mount {target}")


def unmount(target: str) -> None:
    """Nothing is mounted at `target` any more, and what was written there is on its device. Raises `OSError`."""
    _check(_LIBC.umount2(target.encode(), ctypes.c_int(0)), f"unmount {target}")


def load_module(path: Path) -> None:
    """Load the kernel module in the file. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_LIBC.syscall(ctypes.c_long(_FINIT_MODULE), descriptor, b"", 0), path.name)
    finally:
        os.close(descriptor)


def end() -> None:
    """End the machine now, after what is written has reached the disks. Returns only if the kernel refuses.

    No ACPI is interpreted, so there is no power to switch off: the launcher takes a restart as the end.
    """
    os.sync()
    _LIBC.reboot(ctypes.c_int(_RESTART))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
