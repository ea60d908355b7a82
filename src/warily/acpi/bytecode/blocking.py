"""What makes a kernel's thread wait: sleeps, events that nobody signals, mutexes that nobody releases or in circles.

Source: ACPI 6.5, 19.6.2 Acquire, 19.6.125 Signal, 19.6.128 Sleep, 19.6.150 Wait; 19.6.88 Mutex.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from warily.acpi.bytecode.context import Context, Event
from warily.acpi.bytecode.entries import CALL
from warily.acpi.bytecode.graph import ENDLESS, Graph
from warily.acpi.bytecode.values import bounds

LONG_SLEEP: Final = 60_000
"""Milliseconds."""
FOREVER: Final = 0xFFFF
_MAX_HELD: Final = 16


class Blocking:
    """Judges waits, with everything that may end them in view."""

    def __init__(self, graph: Graph, events: Iterable[tuple[Context, Event]]) -> None:
        self._graph: Final = graph
        self._own: Final[dict[tuple[str, Context], int]] = {}
        """Where a context first signals an event."""
        self._others: Final[dict[str, list[Context]]] = {}
        """Two contexts that signal an event, preferably such as are run."""
        self._released: Final[set[str]] = set()
        self._held: Final[dict[Context, list[str]]] = {}
        self._before: Final[dict[str, dict[str, set[Context]]]] = {}
        """What is held when a mutex is taken, and by whom."""
        for context, event in events:
            if event.kind == "signal":
                self._signalled(context, event)
            elif event.kind == "release":
                self._released.add(event.subject)
                self._held[context] = [each for each in self._held.get(context, ()) if each != event.subject]
            elif event.kind == "acquire":
                self._acquired(context, event.subject)

    def _signalled(self, context: Context, event: Event) -> None:
        key = event.subject, context
        self._own[key] = min(self._own.get(key, event.place), event.place)
        known = self._others.setdefault(event.subject, [])
        if context not in known:
            known.append(context)
            known.sort(key=self._is_run, reverse=True)
            del known[2:]

    def _is_run(self, context: Context) -> bool:
        return bool(self._graph.reach.get(context, set()) - {CALL})

    def _acquired(self, context: Context, name: str) -> None:
        before = self._held.setdefault(context, [])
        for each in before:
            self._before.setdefault(name, {}).setdefault(each, set()).add(context)
        if len(before) < _MAX_HELD and name not in before:
            before.append(name)

    def judge(self, context: Context, event: Event) -> Iterator[tuple[str, str]]:
        """BLOCK_FOREVER, where an event makes its thread wait for longer than a minute."""
        evidence = {"sleep": self._sleep, "wait": self._wait, "acquire": self._acquire}.get(event.kind)
        found = evidence(context, event) if evidence is not None else None
        if found is not None:
            yield "BLOCK_FOREVER", found

    def _sleep(self, context: Context, event: Event) -> str | None:
        _, high = bounds(event.address)
        times = self._graph.times(context, event.loop)
        unit = 1 if event.detail == "ms" else 1000
        if high <= 0 or high * times < LONG_SLEEP * unit:
            return None
        often = "" if times == 1 else " again and again" if times >= ENDLESS else f", {times} times"
        return f"{event.subject} of up to {high} {event.detail}{often}"

    def _wait(self, context: Context, event: Event) -> str | None:
        if bounds(event.address)[1] < LONG_SLEEP or self._is_signalled(context, event):
            return None
        return f"Wait ({event.subject}) without timeout, and nothing signals it before"

    def _is_signalled(self, context: Context, event: Event) -> bool:
        """Whether a signal does not itself have to wait for this, and comes from what is ever run."""
        if self._own.get((event.subject, context), event.place) < event.place:
            return True
        others = (each for each in self._others.get(event.subject, ()) if each is not context)
        return any(self._is_run(each) or not self._is_run(context) for each in others)

    def _acquire(self, context: Context, event: Event) -> str | None:
        if bounds(event.address)[0] < FOREVER:
            return None
        name = event.subject
        if name == "\\_GL":
            return "Acquire (\\_GL) without timeout: the host can hold the global lock"
        if name not in self._released:
            return f"Acquire ({name}) without timeout, and nothing releases it"
        for first, holders in self._before.get(name, {}).items():
            crossed = self._before.get(first, {}).get(name, set()) - holders
            if context in holders and crossed:
                other = min(map(str, crossed))
                return f"Acquire ({name}) while {first} is held, and {other} takes them the other way round"
        return None
