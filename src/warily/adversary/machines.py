"""All machines of a laboratory, so that Ctrl-C ends them at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from warily.errors import HostError
from warily.launch.runner import Machine


@dataclass(slots=True)
class Machines:
    """The machines that run now. Once `end` was called, none is started any more."""

    _running: set[Machine] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    @contextmanager
    def kept(self, machine: Machine) -> Iterator[Machine]:
        """The machine, started; gone after the block. Raises `HostError` where the laboratory is closing."""
        with self._lock:
            if self._ended:
                raise HostError("the laboratory is closing")
        with machine:
            with self._lock:
                self._running.add(machine)
            try:
                yield machine
            finally:
                with self._lock:
                    self._running.discard(machine)

    def end(self) -> None:
        """Every machine was killed where it stood."""
        with self._lock:
            self._ended = True
            running = tuple(self._running)
        for machine in running:
            with suppress(HostError):  # it ended meanwhile
                machine.kill()
