"""Which context runs when, which calls come round again, and what is done more than once.

All answers come from the finished machine: contexts, whom they call, and within which loops.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from warily.acpi.bytecode.context import Context, Event, Loop
from warily.acpi.bytecode.hotplug import KNOWN_PORTS
from warily.acpi.bytecode.values import bounds
from warily.core.ranges import Range

MANY: Final = 256
"""More rounds than this are worth a finding."""
LAST_PORT: Final = 0xFFFF
_SYSTEM_IO: Final = 1


class Graph:
    """The calls between contexts."""

    def __init__(self, contexts: Iterable[Context], roots: Iterable[tuple[Context, str]]) -> None:
        self.contexts: Final = list(contexts)
        self._hotplug: Final = {loop for each in self.contexts for loop in _hotplug_loops(each)}
        self._judged: Final[dict[Loop, str | None]] = {}
        self.reach: Final[dict[Context, set[str]]] = {each: set() for each in self.contexts}
        for root, label in roots:
            self._spread(root, label)
        self.repeated: Final = self._repeated()

    def _spread(self, root: Context, label: str) -> None:
        waiting = [root]
        while waiting:
            each = waiting.pop()
            labels = self.reach.setdefault(each, set())
            if label not in labels:
                labels.add(label)
                waiting.extend(each.calls)

    def _repeated(self) -> set[Context]:
        """Contexts that some loop of many rounds runs again and again."""
        waiting = [
            callee
            for each in self.contexts
            for callee, loops in each.calls.items()
            if any(self.is_many(loop) for loop in loops)
        ]
        found: set[Context] = set()
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting.extend(each.calls)
        return found

    def is_many(self, loop: Loop | None) -> bool:
        """Whether `loop`, or one around it, goes round so often that it is a finding."""
        while loop is not None:
            if self.judged(loop) is not None:
                return True
            loop = loop.outer
        return False

    def judged(self, loop: Loop) -> str | None:
        """LOOP_BOUNDED or LOOP_UNBOUNDED; None for a loop of few rounds, or one of QEMU's hot-plug protocols.

        Those ask a device of the host's until it has no more to say. Excused is only a loop whose end depends on what
        it reads; one that constants make long, or that never ends, is not.
        """
        if loop not in self._judged:
            self._judged[loop] = self._judge(loop)
        return self._judged[loop]

    def _judge(self, loop: Loop) -> str | None:
        if loop.forever:
            return "LOOP_UNBOUNDED"
        if loop.count is not None and (loop.count <= MANY or loop.exact):
            return "LOOP_BOUNDED" if loop.count > MANY else None
        if loop in self._hotplug:
            return None
        return "LOOP_UNBOUNDED" if loop.count is None else "LOOP_BOUNDED"

    def cycles(self) -> list[list[Context]]:
        """Groups of methods that call one another in a circle, each once: a depth-first search without recursion."""
        methods: dict[int, list[Context]] = {}
        for each in self.contexts:
            methods.setdefault(id(each.method.term), []).append(each)
        edges = {
            key: list(dict.fromkeys(id(callee.method.term) for each in group for callee in each.calls))
            for key, group in methods.items()
        }
        return [[methods[key][0] for key in group] for group in _components(edges)]


def _is_hotplug(event: Event) -> bool:
    if event.space != _SYSTEM_IO or event.kind not in ("read", "write"):
        return False
    lo, hi = bounds(event.address)
    return lo <= hi <= LAST_PORT and KNOWN_PORTS.covers(Range(lo, hi + event.size))


def _hotplug_loops(context: Context) -> Iterator[Loop]:
    """Loops that use a hot-plug device, themselves or in a method that they call."""
    for event in context.events.values():
        if event.loop is not None and _is_hotplug(event):
            yield from _around(event.loop)
    for callee, loops in context.calls.items():
        if any(loops) and any(map(_is_hotplug, callee.events.values())):
            for loop in loops:
                yield from _around(loop)


def _around(loop: Loop | None) -> Iterator[Loop]:
    while loop is not None:
        yield loop
        loop = loop.outer


def _components(edges: dict[int, list[int]]) -> list[list[int]]:
    """Groups of nodes that lead to one another, or of one that leads to itself (Kosaraju), without recursion."""
    backwards: dict[int, list[int]] = {node: [] for node in edges}
    for node, others in edges.items():
        for other in others:
            backwards.setdefault(other, []).append(node)
    seen: set[int] = set()
    finished: list[int] = []
    for start in edges:
        finished += _walk(edges, start, seen)
    seen.clear()
    groups = [_walk(backwards, start, seen) for start in reversed(finished)]
    return [group for group in groups if len(group) > 1 or any(node in edges.get(node, ()) for node in group)]


def _walk(edges: dict[int, list[int]], start: int, seen: set[int]) -> list[int]:
    """Nodes reached from `start` and not seen before, each after those that it leads to."""
    if start in seen:
        return []
    seen.add(start)
    done = []
    work = [(start, iter(edges.get(start, ())))]
    while work:
        node, others = work[-1]
        for other in others:
            if other not in seen:
                seen.add(other)
                work.append((other, iter(edges.get(other, ()))))
                break
        else:
            done.append(node)
            work.pop()
    return done
