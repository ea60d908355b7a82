"""`warily up` as a process, and the workload behind it, as their users meet them.

Every wait is bounded and says what was said last. The bounds are several times what a boot in TCG takes on
two free cores: they end a hang, they judge no speed.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

from tests.vm.stage import Project

UP_WITHIN: Final = 400.0
STOP_WITHIN: Final = 120.0
GLANCE: Final = 0.1
HTTP_WITHIN: Final = 60.0


def until(holds: Callable[[], bool], within: float, *, what: str, tail: Callable[[], str]) -> None:
    """`holds()` became true. Fails with `what` was waited for, and with what was said last."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            message = f"waited {within:.0f} s for {what}; last was said:\n{tail()}"
            pytest.fail(message)
        time.sleep(GLANCE)


class Up:
    """`warily up` of a project, as a process of its own, with its output in files."""

    def __init__(self, project: Project, said: Path, *words: str) -> None:
        self._project = project
        said.mkdir(exist_ok=True)
        self.out, self.progress = said / "out", said / "progress"
        self._words = (sys.executable, "-m", "warily", "up", "--json", "--project", str(project.folder), *words)

    def __enter__(self) -> Self:
        environment = os.environ | {"WARILY_KEYS": str(self._project.keys)}
        with self.out.open("wb") as out, self.progress.open("wb") as progress:
            self._process = subprocess.Popen(
                self._words, stdin=subprocess.DEVNULL, stdout=out, stderr=progress, env=environment, process_group=0
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_WITHIN)
        self._process.kill()
        self._process.wait()

    def told(self) -> str:
        """What it told people, and the end of the guest's console."""
        console = self._project.home.machine / "console.log"
        lines = console.read_text(errors="replace").splitlines()[-30:] if console.exists() else []
        return "\n".join([self.progress.read_text(), self.out.read_text()[-2000:], *lines])

    def until_up(self) -> dict[str, Any]:
        """What it says of the machine once that is up."""
        until(self._is_up, UP_WITHIN, what="`warily up` to come up", tail=self.told)
        assert self._process.poll() is None, self.told()
        found = self.result()
        assert "posture" in found, self.told()
        return found

    def result(self) -> dict[str, Any]:
        """The JSON that it printed."""
        found: dict[str, Any] = json.loads(self.out.read_text())
        return found

    def until_end(self, within: float = UP_WITHIN) -> int:
        """The exit status."""
        until(lambda: self._process.poll() is not None, within, what="`warily up` to end", tail=self.told)
        return self._process.wait()

    def interrupt(self) -> int:
        """Ctrl-C was pressed; the exit status."""
        self._process.send_signal(signal.SIGINT)
        return self.until_end(STOP_WITHIN)

    def kill_machine(self) -> None:
        """QEMU was killed where it stood."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        found = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().startswith("qemu")]
        assert len(found) == 1, f"{len(found)} QEMUs below `warily up`\n{self.told()}"
        os.kill(int(found[0]), signal.SIGKILL)

    def _is_up(self) -> bool:
        """It has printed its JSON, or it has ended."""
        with suppress(ValueError):  # not all of it is there yet
            return bool(self.result())
        return self._process.poll() is not None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The workload, as its users reach it."""

    port: int

    @classmethod
    def of(cls, up: Mapping[str, Any]) -> "Ledger":
        return cls(int(up["ports"][0]["address"].rstrip("/").rpartition(":")[2]))

    def append(self, line: str) -> int:
        """The answer's status. Raises `OSError` or `HTTPException` where there is no whole answer."""
        return self._ask("POST", line.encode())[0]

    def entries(self) -> list[str]:
        status, body = self._ask("GET", None)
        assert status == http.HTTPStatus.OK
        return [str(line) for line in json.loads(body)["entries"]]

    def _ask(self, method: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HTTP_WITHIN)
        try:
            connection.request(method, "/entries", body=body, headers={"Content-Type": "text/plain"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
