"""Progress on long work: one line a step on standard error, with its time once it is done.

Every long-running function takes a `Progress`; tests and libraries pass `SILENT`.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """Something that hears of steps."""

    def say(self, line: str) -> None:
        """One remark."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """A step that takes time; use as a context manager."""


class Silent:
    """Hears everything, says nothing."""

    def say(self, line: str) -> None:
        """Drop the remark."""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:  # noqa: ARG002  # the protocol's name
        """Drop the title."""
        yield


class Terminal:
    """Prints each step, then how long it took, so that output makes sense in a log without colour."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def say(self, line: str) -> None:
        """Print one remark."""
        print(f"  {line}", file=self._stream, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print the title, and after the step how many seconds it took."""
        started = time.monotonic()
        live = self._stream.isatty()
        if live:
            print(f"  … {title}", end="\r", file=self._stream, flush=True)
        yield
        took = time.monotonic() - started
        line = f"  ✓ {title}"
        print(f"{line:<66}{took:7.1f} s", file=self._stream, flush=True)


SILENT = Silent()
