"""Run a planned machine: start it, follow its console, end it. QEMU never outlives the thread that started it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from warily.core.manifest import PortSpec
from warily.errors import HostError
from warily.host.run import find
from warily.launch import pipe
from warily.launch.console import Follower
from warily.launch.monitor import START_SECONDS, Monitor
from warily.launch.plan import Plan
from warily.launch.readiness import QEMU_PACKAGE

END_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02
RESET: Final = "guest-reset"
ORDERLY: Final = "guest-shutdown"
# Without ACPI a guest cannot switch the power off: it restarts, and its kernel says so, which a panic does not.
RESTARTING: Final = "reboot: Restarting system"
ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "TMPDIR")  # what QEMU inherits; a passphrase may be in the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a machine ended: QEMU's exit status (negative for a signal) and the reason it gave, if any.

    `guest-shutdown` is the guest's own orderly end; `guest-reset` any other restart, such as after a panic. The two
    differ by what the kernel says last on the console, so this is for people: nothing is decided by it.
    """

    status: int
    reason: str


class Machine:
    """One QEMU process, running inside a `with` block; leaving the block ends it.

    The serial console goes to `log` (appended, bounded) and, cleaned, line by line to `on_line`. The kernel
    kills QEMU when the thread that entered the block dies, so enter it in a thread that stays.
    """

    def __init__(self, plan: Plan, *, log: Path, on_line: Callable[[str], None] | None = None) -> None:
        self.plan = plan
        self._log = log
        self._on_line = on_line
        self._process: subprocess.Popen[bytes] | None = None
        self._monitor: Monitor | None = None
        self._console: Follower | None = None
        self._complaints: Follower | None = None

    def __enter__(self) -> Self:
        program, *words = self.plan.argv
        command = [
            *(find("setpriv", package="util-linux"), "--no-new-privs", "--pdeathsig", "KILL", "--"),
            find(program, package=QEMU_PACKAGE),
            *words,
            "-S",  # until the monitor listens, so that no guest ends unseen
        ]
        inherited = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        process = subprocess.Popen(  # noqa: S603  # an argument vector, never a shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to handle, in order
            env=inherited,
        )
        if process.stdout is None or process.stderr is None:
            raise AssertionError
        self._process = process
        self._console = Follower(process.stdout, log=self._log, on_line=self._on_line)
        self._complaints = Follower(process.stderr)
        try:
            self._monitor = self._connect(process)
            self._monitor.execute("cont")
        except BaseException:
            self.kill()
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()
        self._close()

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether QEMU is still there."""
        return self._process is not None and self._process.poll() is None

    def tail(self) -> str:
        """The last lines of the console, cleaned; QEMU's own complaints after them."""
        parts = [follower.tail() for follower in (self._console, self._complaints) if follower is not None]
        return "\n".join(part for part in parts if part)

    def wait(self, timeout: float | None = None) -> Ending | None:
        """How the machine ended, or None if it still runs after `timeout` seconds."""
        process = self._running()
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        return self._ended(status)

    def _ended(self, status: int) -> Ending:
        """The ending, once everything QEMU said has been read."""
        for follower in (self._console, self._complaints):
            if follower is not None:
                follower.finish(END_SECONDS)
        if self._monitor is not None:
            self._monitor.settle()
        reason = "" if self._monitor is None else self._monitor.shutdown_reason
        if reason == RESET and self._console is not None and RESTARTING in self._console.tail():
            reason = ORDERLY
        return Ending(status=status, reason=reason)

    def ask(self, command: str, **arguments: object) -> Any:  # noqa: ANN401  # each command answers otherwise
        """What QEMU's monitor returns for a command of QMP. Raises `HostError` where it refuses or has gone."""
        if self._monitor is None:
            raise HostError("the machine was not started")
        return self._monitor.execute(command, **arguments)

    def terminate(self) -> Ending:
        """QEMU wrote out its disks and ended; killed if it did not within `END_SECONDS`."""
        return self._end(signal.SIGTERM)

    def kill(self) -> Ending:
        """QEMU was killed where it stood, as a power cut would."""
        return self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> Ending:
        process = self._running()
        if process.poll() is None:
            process.send_signal(how)
        ending = self.wait(END_SECONDS)
        if ending is None:
            process.kill()
        return ending or self._ended(process.wait())

    def _connect(self, process: subprocess.Popen[bytes]) -> Monitor:
        """The monitor of a QEMU that has started."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            status = process.poll()
            if status is not None:
                if self._complaints is not None:
                    self._complaints.finish(END_SECONDS)
                message = f"QEMU did not start: it ended with status {status}"
                raise HostError(message, hint=self._complaints.tail() if self._complaints is not None else None)
            with suppress(HostError):  # it opens its monitor, and may then end over the next option
                monitor = Monitor.connect(self.plan.monitor_socket)
                if monitor is not None:
                    return monitor
            time.sleep(POLL_SECONDS)
        message = f"QEMU did not open {self.plan.monitor_socket} within {START_SECONDS:.0f} s"
        raise HostError(message, hint=self.tail() or None)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise HostError("the machine was not started")
        return self._process

    def _close(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
        for follower in (self._console, self._complaints):
            if follower is not None:
                follower.finish(END_SECONDS)


def choose_ports(ports: Sequence[PortSpec]) -> tuple[PortSpec, ...]:
    """The ports with a free one of this host's loopback for each 0. Raises `HostError` where one is taken."""
    chosen: list[PortSpec] = []
    held: list[socket.socket] = []
    try:
        for port in ports:
            listener = socket.socket()
            held.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port.host))
                listener.listen()  # SO_REUSEADDR lets two sockets bind, but not listen
            except OSError as error:
                message = f"port {port.host} of this host cannot be forwarded: {error.strerror}"
                hint = "end what listens there, or choose another `host` port in warily.toml"
                raise HostError(message, hint=hint) from None
            chosen.append(replace(port, host=listener.getsockname()[1]))
    finally:
        for listener in held:
            listener.close()
    return tuple(chosen)


def pipe_command() -> tuple[str, ...]:
    """The program that joins one guest connection to the broker; host and port are appended."""
    return (sys.executable, "-I", "-S", str(Path(pipe.__file__).resolve()))
