"""A block device over a file in guest memory: it serves the kernel what the host's disk must not."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from warily.formats import loop_ioctl
from warily.formats.loop_ioctl import AUTOCLEAR, Command, LoopConfig

CHUNK: Final = 1 << 20


class MemoryDisk:
    """`size` zeros as a block device, for as long as something uses `node`. The file behind it has no name."""

    def __init__(self, folder: Path, size: int) -> None:
        self._size = size
        self._file = os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        os.truncate(self._file, size)
        control = os.open(loop_ioctl.CONTROL, os.O_RDWR | os.O_CLOEXEC)
        try:
            number = fcntl.ioctl(control, Command.GET_FREE)
        finally:
            os.close(control)
        self.node = Path(f"/dev/loop{number}")
        self._device = os.open(self.node, os.O_RDWR | os.O_CLOEXEC)
        config = LoopConfig(fd=self._file, block_size=0, offset=0, size_limit=0, flags=AUTOCLEAR, file_name=bytes(64))
        fcntl.ioctl(self._device, Command.CONFIGURE, config.pack())

    def fill(self, at: int, content: bytes) -> None:
        """The bytes from `at` on are `content`. Only for a device that nothing has read from yet."""
        os.pwrite(self._file, content, at)

    def read(self, size: int, at: int = 0) -> bytes:
        """`size` bytes from `at` on, as they are now."""
        os.fsync(self._device)
        return os.pread(self._file, size, at)

    def chunks(self, at: int) -> Iterator[bytes]:
        """All bytes from `at` on, as they are now."""
        os.fsync(self._device)
        while at < self._size:
            content = os.pread(self._file, CHUNK, at)
            yield content
            at += len(content)

    def release(self) -> None:
        """This program holds it no longer; the devices above it still do."""
        os.close(self._device)
        os.close(self._file)
