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
        self._signals: Final[dict[str, list[tuple[Context, Event]]]] = {}
        self._released: Final[set[str]] = set()
        held: dict[Context, list[str]] = {}
        self._after: Final[dict[tuple[str, str], set[Context]]] = {}
        for context, event in events:
            if event.kind == "signal":
                self._signals.setdefault(event.subject, []).append((context, event))
            elif event.kind == "release":
                self._released.add(event.subject)
                held[context] = [each for each in held.get(context, ()) if each != event.subject]
            elif event.kind == "acquire":
                before = held.setdefault(context, [])
                for each in before:
                    self._after.setdefault((each, event.subject), set()).add(context)
                if len(before) < _MAX_HELD and event.subject not in before:
                    before.append(event.subject)

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
        for other, signal in self._signals.get(event.subject, ()):
            own = other is context
            reach = self._graph.reach.get
            runs = bool(reach(other, set()) - {CALL}) or not reach(context, set()) - {CALL}
            if runs and (not own or signal.place < event.place):
                return True
        return False

    def _acquire(self, context: Context, event: Event) -> str | None:
        if bounds(event.address)[0] < FOREVER:
            return None
        name = event.subject
        if name == "\\_GL":
            return "Acquire (\\_GL) without timeout: the host can hold the global lock"
        if name not in self._released:
            return f"Acquire ({name}) without timeout, and nothing releases it"
        for (first, second), holders in self._after.items():
            crossed = self._after.get((second, first), set()) - holders
            if second == name and context in holders and first != second and crossed:
                other = min(map(str, crossed))
                return f"Acquire ({name}) while {first} is held, and {other} takes them the other way round"
        return None
