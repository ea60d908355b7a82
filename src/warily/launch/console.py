"""A stream of a running machine, followed into a file, its end kept for error messages.

What a guest prints is hostile: the file and the memory are bounded, and lines are cleaned before a person
sees them.
"""

import re
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

LOG_LIMIT: Final = 32 << 20
LINE_LIMIT: Final = 2000
TAIL_LINES: Final = 60
CHUNK: Final = 1 << 14
ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[0-~])")  # ECMA-48: control sequences, then the short ones


class Follower:
    """Reads `stream` to its end in a thread, so that the writer never waits for a reader.

    `on_line` hears each cleaned line and must not raise.
    """

    def __init__(
        self, stream: IO[bytes], *, log: Path | None = None, on_line: Callable[[str], None] | None = None
    ) -> None:
        self._stream = stream
        self._log = log
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._thread = threading.Thread(target=self._follow, name="console", daemon=True)
        self._thread.start()

    def tail(self) -> str:
        """The last lines, cleaned."""
        return "\n".join(tuple(self._tail))

    def finish(self, timeout: float) -> None:
        """The end of the stream was read, or `timeout` seconds have passed."""
        self._thread.join(timeout)

    def _follow(self) -> None:
        pending = b""
        with self._stream, (self._log or Path("/dev/null")).open("ab", buffering=0) as log:
            written = log.tell()
            while chunk := self._stream.read1(CHUNK):  # type: ignore[attr-defined]  # a BufferedReader
                if written < LOG_LIMIT:
                    log.write(chunk[: LOG_LIMIT - written])
                    written += len(chunk)
                *lines, pending = (pending + chunk).split(b"\n")
                if len(pending) > LINE_LIMIT:
                    lines, pending = [*lines, pending], b""
                for line in lines:
                    self._say(line)
        if pending:
            self._say(pending)

    def _say(self, line: bytes) -> None:
        text = cleaned(line)
        self._tail.append(text)
        if self._on_line is not None:
            self._on_line(text)


def cleaned(line: bytes) -> str:
    """The line without escape sequences, other control characters made visible, at most `LINE_LIMIT` long."""
    text = ESCAPE.sub("", line[:LINE_LIMIT].decode("utf-8", "replace").rstrip("\r"))
    return "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
