"""One way in which a method runs: with these arguments. And the state of a method between two statements."""

from typing import TYPE_CHECKING, Final, NamedTuple

from warily.acpi.bytecode.things import Cell, Method, Region, Slot
from warily.acpi.bytecode.values import ANY, NOTHING, Value, join, widen

if TYPE_CHECKING:
    from warily.formats.aml import Node, Operand

_MAX_STRONG: Final = 64
_PATIENCE: Final = 32
"""So often may a method run before the bounds of what it returns are given up when they move."""


class Loop:
    """A While that was met, within `outer`.

    `count` is the greatest number of rounds, None where no bound was found; `exact` says that it follows from
    constants; `forever` that nothing in it ends it; `relies` names the variables that nobody else may store to for
    that.
    """

    __slots__ = ("count", "exact", "forever", "offset", "outer", "relies")

    def __init__(self, offset: int, outer: "Loop | None") -> None:
        self.offset: Final = offset
        self.outer: Final = outer
        self.count: int | None = 0
        self.exact = True
        self.forever = False
        self.relies: dict[Slot, None] = {}


class Event(NamedTuple):
    """Something that code does. `place` is its statement's offset in `table`."""

    kind: str
    table: int
    place: int
    subject: str
    address: Value = 0
    size: int = 0
    space: int = -1
    region: Region | None = None
    loop: Loop | None = None
    detail: str = ""


class Context:
    """A method with its arguments, what it may return, what it does, and whom it calls."""

    __slots__ = (
        "args",
        "body",
        "callers",
        "calls",
        "cells",
        "events",
        "generic",
        "loops",
        "method",
        "queued",
        "result",
        "runs",
        "scope",
        "table",
        "widened",
    )

    def __init__(self, method: Method, body: "tuple[Operand, ...]", args: tuple[Value, ...]) -> None:
        self.method: Final = method
        self.body: Final = body
        self.table: Final = method.table
        self.scope: Final[Node] = method.node
        self.args = args
        self.result: Value = NOTHING
        self.cells: dict[tuple[str, int], Cell] = {}
        self.events: dict[tuple[str, int, str | int, int], Event] = {}
        self.calls: dict[Context, dict[Loop | None, None]] = {}
        self.callers: dict[Context, None] = {}
        self.loops: dict[int, Loop] = {}
        self.queued = False
        self.runs = 0
        self.generic = False
        self.widened = 0

    def give(self, value: Value) -> None:
        """The method may return `value` as well."""
        self.result = (join if self.runs < _PATIENCE else widen)(self.result, value)

    def __str__(self) -> str:
        return self.method.label or self.method.node.path


class State:
    """Locals and arguments, and what this very run stored under a name and nobody else can have changed since."""

    __slots__ = ("args", "locals", "regions", "strong")

    def __init__(self, args: tuple[Value, ...]) -> None:
        # Linux lets a local that was never stored to read as zero.
        self.locals: list[Value] = [0] * 8
        self.args: list[Value] = [*args, *[0] * (7 - len(args))]
        self.strong: dict[Slot, Value] = {}
        self.regions: dict[Slot, Region] = {}

    def copy(self) -> "State":
        """A state that changes on its own."""
        other = State.__new__(State)
        other.locals = self.locals.copy()
        other.args = self.args.copy()
        other.strong = self.strong.copy()
        other.regions = self.regions.copy()
        return other

    def join(self, other: "State") -> None:
        """This state covers the other as well."""
        self.locals = list(map(join, self.locals, other.locals))
        self.args = list(map(join, self.args, other.args))
        self.strong = {
            slot: join(value, other.strong[slot]) for slot, value in self.strong.items() if slot in other.strong
        }
        self.regions = {slot: region for slot, region in self.regions.items() if other.regions.get(slot) == region}

    def keep(self, slot: Slot, value: Value) -> None:
        """The name holds exactly this until somebody else may have run."""
        if slot in self.strong or len(self.strong) < _MAX_STRONG:
            self.strong[slot] = value

    def give_up(self) -> None:
        """Nothing is known of any local, argument or name."""
        self.locals = [ANY] * len(self.locals)
        self.args = [ANY] * len(self.args)
        self.strong.clear()
        self.regions.clear()

    def forget(self) -> None:
        """Somebody else may have run."""
        self.strong.clear()
