"""Which context runs when, which calls come round again, and what is done more than once.

All answers come from the finished machine: contexts, whom they call, and within which loops.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from warily.acpi.bytecode.context import Context, Event, Loop
from warily.acpi.bytecode.hotplug import HOTPLUG_PORTS, KNOWN_PORTS
from warily.acpi.bytecode.values import bounds
from warily.core.ranges import Range, RangeSet

MANY: Final = 256
"""More rounds than this are worth a finding."""
MANY_IN_ALL: Final = 1 << 14
"""Likewise for loops within loops."""
ENDLESS: Final = 1 << 64
_AS_GOOD_AS_ENDLESS: Final = 1 << 31
LAST_PORT: Final = 0xFFFF
_SYSTEM_IO: Final = 1
_MAX_CALLED: Final = 256
"""So many contexts that a loop calls are looked at; with more of them, anything may be stored to."""


class Graph:
    """The calls between contexts."""

    def __init__(self, contexts: Iterable[Context], roots: Iterable[tuple[Context, str]]) -> None:
        self.contexts: Final = list(contexts)
        both = ("read", "write")
        self._asking: Final = {loop for each in self.contexts for loop in _loops_on(each, HOTPLUG_PORTS, both)}
        self._telling: Final = {loop for each in self.contexts for loop in _loops_on(each, KNOWN_PORTS, both[1:])}
        self.reach: Final[dict[Context, set[str]]] = {each: set() for each in self.contexts}
        for root, label in roots:
            self._spread(root, label)
        self.disturbed: Final = _disturbed(self.contexts)
        self._circles: Final = self._circular()
        self._runs: Final = self._count_runs()

    def _spread(self, root: Context, label: str) -> None:
        waiting = [root]
        while waiting:
            each = waiting.pop()
            labels = self.reach.setdefault(each, set())
            if label not in labels:
                labels.add(label)
                waiting.extend(each.calls)

    def _circular(self) -> set[Context]:
        """Contexts that lead to themselves."""
        numbers = {each: number for number, each in enumerate(self.contexts)}
        edges = {numbers[each]: [numbers[callee] for callee in each.calls] for each in self.contexts}
        return {self.contexts[number] for group in _components(edges) for number in group}

    def _count_runs(self) -> dict[Context, int]:
        """How often at most one start of something runs each context: loops within loops multiply, over calls too."""
        numbers = {each: number for number, each in enumerate(self.contexts)}
        edges = {numbers[each]: [numbers[callee] for callee in each.calls] for each in self.contexts}
        seen: set[int] = set()
        finished = [number for start in edges for number in _walk(edges, start, seen)]
        runs = dict.fromkeys(self.contexts, 1)
        for each in (self.contexts[number] for number in reversed(finished)):
            runs[each] = ENDLESS if each in self._circles else runs[each]
            for callee, loops in each.calls.items():
                most = max((self._rounds(loop) for loop in loops), default=1)
                runs[callee] = max(runs[callee], min(runs[each] * most, ENDLESS))
        return runs

    def times(self, context: Context, loop: Loop | None) -> int:
        """How often at most something happens that `context` does within `loop`; `ENDLESS` where nothing bounds it."""
        return min(self._runs.get(context, 1) * self._rounds(loop), ENDLESS)

    def _rounds(self, loop: Loop | None) -> int:
        """The rounds of a loop and those around it in its method, one for what QEMU's hot-plug asks its device."""
        total = 1
        while loop is not None and total < ENDLESS:
            excused = self._is_excused(loop)
            if loop.forever or (self._is_unbounded(loop) and not excused):
                return ENDLESS
            if loop.count is not None and (loop.exact or not excused or loop.count <= MANY):
                total = min(total * max(loop.count, 1), ENDLESS)
            loop = loop.outer
        return total

    def _is_unbounded(self, loop: Loop) -> bool:
        """Whether nothing bounds its rounds, or only the width of a number that the host gives."""
        return loop.count is None or loop in self.disturbed or (not loop.exact and loop.count >= _AS_GOOD_AS_ENDLESS)

    def _is_excused(self, loop: Loop) -> bool:
        """Whether it asks a hot-plug device until that has no more to say, or writes out a string to be printed."""
        return loop in self._asking or (loop in self._telling and loop.count is not None)

    def is_many(self, context: Context, loop: Loop | None) -> bool:
        """Whether what `context` does within `loop` happens so often that it is a finding."""
        return self.times(context, loop) > MANY

    def judged(self, context: Context, loop: Loop) -> str | None:
        """LOOP_BOUNDED or LOOP_UNBOUNDED; None for a loop of few rounds, or one of QEMU's hot-plug protocols.

        Those ask a device of the host's until it has no more to say. Excused is only a loop whose end depends on what
        it reads; one that constants make long, or that never ends, is not. A loop of few rounds within others is
        judged by how often it goes round in all.
        """
        if loop.forever:
            return "LOOP_UNBOUNDED"
        excused = self._is_excused(loop)
        if self._is_unbounded(loop):
            return None if excused else "LOOP_UNBOUNDED"
        if loop.count is not None and loop.count > MANY and (loop.exact or not excused):
            return "LOOP_BOUNDED"
        nested = self._rounds(loop) if context in self._circles else self.times(context, loop)
        return "LOOP_BOUNDED" if MANY_IN_ALL < nested < ENDLESS else None

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


def _disturbed(contexts: Iterable[Context]) -> set[Loop]:
    """Loops that call something which may store to a variable that their bound relies on."""
    found = set()
    for context in contexts:
        relying = [loop for loop in context.loops.values() if any(len(slot.writers) > 1 for slot in loop.relies)]
        called: dict[Loop, list[Context]] = {loop: [] for loop in relying}
        for callee, loops in context.calls.items() if relying else ():
            for loop in {each for inner in loops for each in _around(inner)} & called.keys():
                called[loop].append(callee)
        for loop in relying:
            writers = {writer for slot in loop.relies for writer in slot.writers if writer is not context}
            if _reaches(called[loop], writers):
                found.add(loop)
    return found


def _reaches(starts: Sequence[Context], wanted: set[Context]) -> bool:
    """Whether one of these calls one of those in the end; taken to be so where there is too much to look at."""
    waiting = list(starts)
    seen = set(waiting)
    while waiting and len(seen) <= _MAX_CALLED:
        each = waiting.pop()
        if each in wanted:
            return True
        more = each.calls.keys() - seen
        seen |= more
        waiting.extend(more)
    return bool(waiting)


def _is_on(event: Event, ports: RangeSet, kinds: Sequence[str]) -> bool:
    if event.space != _SYSTEM_IO or event.kind not in kinds:
        return False
    lo, hi = bounds(event.address)
    return lo <= hi <= LAST_PORT and ports.covers(Range(lo, hi + event.size))


def _loops_on(context: Context, ports: RangeSet, kinds: Sequence[str]) -> Iterator[Loop]:
    """Loops that use those ports, themselves or in a method that they call."""
    for event in context.events.values():
        if event.loop is not None and _is_on(event, ports, kinds):
            yield from _around(event.loop)
    for callee, loops in context.calls.items():
        if any(loops) and any(_is_on(event, ports, kinds) for event in callee.events.values()):
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
