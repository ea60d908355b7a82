"""All contexts of all methods, run until nothing changes any more.

Stores to names, buffers and packages only ever add to what these may hold, so the order of runs does not matter and the
work ends. It is bounded besides: by a number of steps that grows linearly with the bytecode. Where that is used up, the
analysis says that it knows nothing instead of going on.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from warily.acpi.bytecode.context import Context, Loop
from warily.acpi.bytecode.things import Buffer, Cell, Method, Slot, Watched
from warily.acpi.bytecode.values import ANY, NOTHING, Value, join, widen
from warily.formats.aml import AmlSet, NamePath, Node, Term
from warily.formats.aml.opcodes import BY_NAME

_MAX_CONTEXTS: Final = 12
"""Of one method. Calls with still other arguments share one context, whose arguments cover them all."""
_PATIENCE: Final = 32
"""So often may that one's arguments grow before their bounds are given up."""
_MAX_FRAMES: Final = 600
_RUN_NOW: Final = 300
_CALL: Final = 6
"""Python's own stack: how deep at all, up to where a call is run at once, and how much that takes."""
_STEPS: Final = 60_000
_STEPS_PER_BYTE: Final = 3


class OutOfStepsError(Exception):
    """The bound on work was reached."""


class Machine:
    """What is known about every name, and every way in which a method runs."""

    def __init__(self, code: AmlSet, mask: int, runner: Callable[["Machine", Context], None]) -> None:
        self.names: Final = code.names
        self.mask: Final = mask
        self.slots: Final[dict[Node, Slot]] = {}
        self.contexts: Final[dict[int, dict[tuple[Value, ...], Context]]] = {}
        self.runnable: Final[dict[Slot, None]] = {}
        """Names that hold a method, or a field."""
        self.loads: Final[dict[str, Value]] = {}
        """What Load may be given, by the name it is given under."""
        self.conversions: Final[dict[tuple[int, bytes], Buffer]] = {}
        self.sure: Final = {each for each in code.names.root.children.values() if each.kind and not each.definitions}
        """Names that are there whatever happened before: those of the specification, and those made on all paths."""
        self.letters: Final[dict[str, Cell]] = {}
        """Strings of which single characters are stored to: their cells hold something."""
        self.objects: Final[dict[int, object]] = {}
        """Buffers and packages by the term that makes them."""
        self.steps = _STEPS + _STEPS_PER_BYTE * sum(len(each.table.raw) for each in code.tables)
        self.exhausted = False
        self._runner: Final = runner
        self._queue: Final[deque[Context]] = deque()
        self._resolved: Final[dict[tuple[int, NamePath], tuple[Slot, ...]]] = {}
        self._readings: Final[dict[Slot, Method]] = {}
        self._frames = 0

    def slot(self, node: Node) -> Slot:
        """What `node`, or the name it is an alias of, may stand for."""
        target = self.names.target(node) if node.alias is not None else node
        found = self.slots.get(target)
        if found is None:
            found = self.slots[target] = Slot(target)
        return found

    def resolve(self, scope: Node, name: NamePath) -> tuple[Slot, ...]:
        """What `name` may mean in `scope`.

        A name that is not made for sure, or not yet, may not be there: then it means what it means outside.
        """
        key = (id(scope), name)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = tuple(dict.fromkeys(self._candidates(scope, name)))
        return found

    def _candidates(self, scope: Node, name: NamePath) -> Iterable[Slot]:
        node = self.names.find(scope, name)
        searched = len(name.parts) == 1 and not (name.root or name.ups)
        while node is not None:
            yield self.slot(node)
            outer = node.parent.parent if node.parent is not None else None
            if not searched or outer is None or node in self.sure:
                return
            node = self.names.find(outer, name)

    def touch(self, watched: Watched) -> None:
        """Whoever has read `watched` has to run again."""
        for context in watched.readers:
            self.enqueue(context)

    def enqueue(self, context: Context) -> None:
        """`context` has to run, or run again."""
        if not context.queued:
            context.queued = True
            self._queue.append(context)

    def context(self, method: Method, args: tuple[Value, ...]) -> Context:
        """The context for a call with these arguments."""
        body = method.term.body
        known = self.contexts.setdefault(id(method.term), {})
        found = known.get(args)
        if found is not None:
            return found
        if len(known) < _MAX_CONTEXTS:
            found = known[args] = Context(method, body, args)
            self._first_run(found)
            return found
        generic = next((each for each in known.values() if each.generic), None)
        if generic is None:
            generic = Context(method, body, args)
            generic.generic = True
            known[(-1,)] = generic
            self._first_run(generic)
        wider = tuple(map(join if generic.widened < _PATIENCE else widen, generic.args, args))
        if wider != generic.args:
            generic.args = wider
            generic.widened += 1
            self.enqueue(generic)
        return generic

    def _first_run(self, context: Context) -> None:
        """Run it now where calls are not nested too deep, so that its result is there at once."""
        if self._frames >= _RUN_NOW:
            self.enqueue(context)
            return
        self.run(context)

    def run(self, context: Context) -> None:
        """Run it once."""
        frames = self._frames
        self._frames += _CALL
        context.queued = False
        context.runs += 1
        before = context.result
        try:
            self._runner(self, context)
        finally:
            self._frames = frames
        if context.result != before:
            for caller in context.callers:
                self.enqueue(caller)

    def call(self, caller: Context, method: Method, args: tuple[Value, ...], loop: Loop | None) -> Value:
        """What the call may return. The caller runs again whenever more becomes known."""
        callee = self.context(method, args)
        caller.calls.setdefault(callee, {})[loop] = None
        callee.callers[caller] = None
        return callee.result

    def reading(self, slot: Slot) -> Method:
        """A method that only evaluates a name: so a kernel reads a field that stands where it expects a method."""
        found = self._readings.get(slot)
        if found is None:
            path: list[str] = []
            node: Node | None = slot.node
            while node is not None and node.parent is not None:
                path.append(node.name)
                node = node.parent
            name = NamePath(tuple(reversed(path)), 0, root=True)
            definition = slot.node.definitions[0]
            term = Term(BY_NAME["Scope"], definition.term.offset, (name,), (name,))
            found = self._readings[slot] = Method(term, definition.table, slot.node, slot.node.path)
        return found

    def settle(self) -> None:
        """Run what has to run until nothing does. Calls that never return are then taken to return anything."""
        while self._queue:
            while self._queue:
                self.run(self._queue.popleft())
            for context in self.all_contexts():
                if context.result == NOTHING and context.callers:
                    context.result = ANY
                    for caller in context.callers:
                        self.enqueue(caller)

    def all_contexts(self) -> list[Context]:
        """Every context, in the order in which they were met."""
        return [each for known in self.contexts.values() for each in known.values()]

    def step(self, count: int = 1) -> None:
        """So many more operations. Raises `OutOfStepsError` after the last that is allowed."""
        self.steps -= count
        if self.steps < 0:
            self.exhausted = True
            raise OutOfStepsError

    def enter(self, frames: int) -> None:
        """Nesting grows. Raises `OutOfStepsError` where it would fill Python's stack."""
        self._frames += frames
        if self._frames > _MAX_FRAMES:
            self.exhausted = True
            raise OutOfStepsError

    def leave(self, frames: int) -> None:
        """Nesting shrinks again."""
        self._frames -= frames

    def define(self, slot: Slot, value: Value) -> None:
        """`value` may be behind the name."""
        if slot.add(value):
            self.touch(slot)
