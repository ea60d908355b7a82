"""QEMU's machine protocol (QMP), as much of it as starting and ending a machine takes."""

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Final, Self

from warily.errors import HostError

LINE_LIMIT: Final = 1 << 20
START_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 30.0


class Monitor:
    """A connection to one QEMU. A thread reads it, so that events are seen while nobody asks."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._greeted = False
        self._answers: list[dict[str, Any]] = []
        self._ended = False
        self.shutdown_reason = ""
        self._thread = threading.Thread(target=self._read, name="qemu-monitor", daemon=True)
        self._thread.start()

    @classmethod
    def connect(cls, path: str) -> Self | None:
        """A monitor that has been greeted, or None while nothing listens at `path`."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            return None
        monitor = cls(connection)
        try:
            monitor._wait(lambda: monitor._greeted)
            monitor.execute("qmp_capabilities")
        except HostError:
            monitor.close()
            raise
        return monitor

    def execute(self, command: str, **arguments: object) -> Any:  # noqa: ANN401  # each command answers otherwise
        """What QEMU returns for `command`. Raises `HostError` where it refused or has gone."""
        self._answers.clear()
        try:
            self._connection.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        except OSError as error:
            message = f"QEMU's monitor does not take {command}: {error}"
            raise HostError(message) from None
        self._wait(lambda: bool(self._answers))
        if "return" not in self._answers[0]:
            message = f"QEMU refused {command}: {self._answers[0].get('error')}"
            raise HostError(message)
        return self._answers[0]["return"]

    def close(self) -> None:
        """The connection and its thread are gone."""
        with suppress(OSError):  # QEMU may have closed it already
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def settle(self) -> None:
        """Everything QEMU said before it ended has been read."""
        self._thread.join(ANSWER_SECONDS)

    def _wait(self, ready: Any) -> None:  # noqa: ANN401  # a predicate over this object's state
        end = time.monotonic() + ANSWER_SECONDS
        with self._changed:
            while not ready():
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    raise HostError("QEMU's monitor gave no answer")
                self._changed.wait(left)

    def _read(self) -> None:
        with self._connection.makefile("rb") as lines:
            try:
                while line := lines.readline(LINE_LIMIT):
                    self._note(json.loads(line))
            except (OSError, ValueError):
                pass  # QEMU has gone, or speaks something else: both end the conversation
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _note(self, said: dict[str, Any]) -> None:
        with self._changed:
            if "QMP" in said:
                self._greeted = True
            elif said.get("event") == "SHUTDOWN":
                self.shutdown_reason = str(said.get("data", {}).get("reason", ""))
            elif "return" in said or "error" in said:
                self._answers.append(said)
            self._changed.notify_all()
