"""The host's end of a guest's serial console: it reads all that is printed, and types.

QEMU connects to a socket that listens here before the machine starts, so nothing is missed.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from warily.launch.console import cleaned

CHARDEV: Final = "socket,id=console,server=off,mux=on,path="
LIMIT: Final = 4 << 20
CHUNK: Final = 1 << 14
GLANCE: Final = 0.05
BREAK: Final = b"\x01b"  # QEMU's escape character for multiplexed consoles, then the order to send a break


class Terminal:
    """A console inside a `with` block, which begins before QEMU does. What is kept of it is bounded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = bytearray()
        self._listener = socket.socket(socket.AF_UNIX)
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._read, name="terminal", daemon=True)

    def __enter__(self) -> Self:
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._connection, self._listener):
            if end is not None:
                with suppress(OSError):  # it was never connected, or QEMU has gone
                    end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        if self._connection is not None:
            self._connection.close()
        self._listener.close()

    @property
    def size(self) -> int:
        """How many bytes were printed so far: a place to search from."""
        return len(self._text)

    def lines(self, since: int = 0) -> list[str]:
        """What was printed after byte `since`, cleaned."""
        return [cleaned(line) for line in bytes(self._text[since:]).split(b"\n")]

    def find(self, pattern: str, since: int = 0) -> str | None:
        """The first line after byte `since` in which `pattern` is found."""
        wanted = re.compile(pattern)
        return next((line for line in self.lines(since) if wanted.search(line)), None)

    def wait_for(
        self, pattern: str, within: float, *, since: int = 0, alive: Callable[[], bool] = lambda: True
    ) -> str | None:
        """The first such line, once it is there; None after `within` seconds, or once `alive` no longer holds."""
        deadline = time.monotonic() + within
        while True:
            living = alive()
            found = self.find(pattern, since)
            if found is not None or not living or time.monotonic() > deadline:
                return found
            time.sleep(GLANCE)

    def type(self, text: str) -> None:
        """The host types `text`; nothing happens where QEMU has gone."""
        self._send(text.encode())

    def send_break(self) -> None:
        """The line is held at zero, which the kernel takes as the SysRq key."""
        self._send(BREAK)

    def _send(self, data: bytes) -> None:
        if self._connection is not None:
            with suppress(OSError):  # QEMU has gone, and nobody is there to read
                self._connection.sendall(data)

    def _read(self) -> None:
        try:
            self._connection, _ = self._listener.accept()
            while chunk := self._connection.recv(CHUNK):
                if len(self._text) < LIMIT:
                    self._text += chunk
        except OSError:
            pass  # the block ended, or QEMU did
