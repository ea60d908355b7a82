"""Device-mapper by its ioctls: no libdevmapper, no udev, nothing read from a disk."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from warily.formats import dm_ioctl
from warily.formats.dm_ioctl import Command, Flag, Target


class DeviceMapper:
    """An open /dev/mapper/control."""

    def __init__(self) -> None:
        self._control = os.open(dm_ioctl.CONTROL, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._control)

    def create(self, name: str, targets: Sequence[Target], *, readonly: bool = False) -> Path:
        """A live device with these targets; its node. Parameters given as a `bytearray` are wiped: they hold keys.

        Raises `OSError`, after which no device of that name is left.
        """
        try:
            return self._create(name, targets, readonly=readonly)
        finally:
            for target in targets:
                wipe(target.params)

    def _create(self, name: str, targets: Sequence[Target], *, readonly: bool) -> Path:
        self._call(Command.CREATE, name)
        try:
            mode = Flag.READONLY if readonly else Flag.NONE
            self._call(Command.TABLE_LOAD, name, mode | Flag.SECURE_DATA, targets)
            header, _ = self._call(Command.SUSPEND, name)
        except OSError:
            self.remove(name)
            raise
        return Path(f"/dev/dm-{os.minor(header.device)}")

    def remove(self, name: str) -> None:
        """No device of that name is left. Raises `OSError`, for one in use among others."""
        self._call(Command.REMOVE, name)

    def table(self, name: str) -> tuple[Target, ...]:
        """The targets of a live device, with their status rather than their parameters (which may be secret)."""
        return self._call(Command.TABLE_STATUS, name)[1]

    def _call(
        self, command: Command, name: str, flags: Flag = Flag.NONE, targets: Sequence[Target] = ()
    ) -> tuple[dm_ioctl.Header, tuple[Target, ...]]:
        buffer = dm_ioctl.request(name, flags=flags, targets=targets)
        try:
            fcntl.ioctl(self._control, command, buffer)
            if command is Command.TABLE_STATUS:
                return dm_ioctl.answered(buffer)
            return dm_ioctl.Header.unpack(memoryview(buffer)[: dm_ioctl.HEADER_SIZE]), ()
        except OSError as error:
            raise OSError(error.errno, f"device-mapper {command.name} {name}: {error.strerror}") from None
        finally:
            wipe(buffer)


def wipe(buffer: bytes | bytearray) -> None:
    """The bytes of a mutable buffer are zero."""
    if isinstance(buffer, bytearray):
        buffer[:] = bytes(len(buffer))


def number(path: Path) -> str:
    """`major:minor` of a block device, as tables want it."""
    status = path.stat()
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
