"""What several attacks of one laboratory share: made by the first that asks, waited for by the others."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Once:
    """Things by name, each made once. Whoever asks while it is made waits; a failure is everybody's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._made: dict[str, Any] = {}

    def make(self, name: str, how: Callable[[], T]) -> T:
        """What `how` returned the first time, under this name. Raises what it raised."""
        with self._lock:
            own = self._locks.setdefault(name, threading.Lock())
        with own:
            if name not in self._made:
                try:
                    self._made[name] = (True, how())
                except Exception as error:
                    self._made[name] = (False, error)
                    raise
            good, made = self._made[name]
        if not good:
            raise made
        found: T = made
        return found
