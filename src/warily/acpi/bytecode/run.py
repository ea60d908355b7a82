"""One run of one context: statements in order, both branches where a condition may go either way.

Source: ACPI 6.5, 19.6 ASL Operator Reference; 5.5.2.3 Control Method Arguments, Local Variables.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from warily.acpi.bytecode.branches import refine
from warily.acpi.bytecode.context import Context, Event, Loop, State
from warily.acpi.bytecode.names import convert, read_name
from warily.acpi.bytecode.things import Cell, Slot, Text, Watched
from warily.acpi.bytecode.values import (
    ANY,
    NOTHING,
    Value,
    join,
    number_only,
    thing,
    things_of,
    truth,
    unknown,
)
from warily.formats.aml import NamePath, Node, Operand, Register, Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.machine import Machine

_FRAMES: Final = 2
"""Calls of Python's that one level of nesting takes."""
Operation: TypeAlias = "Callable[[Run, Term], Value]"


class Run:
    """Executes a context's body. `state` is None where no execution arrives."""

    def __init__(self, machine: "Machine", context: Context, operations: Mapping[str, Operation]) -> None:
        self.machine: Final = machine
        self.context: Final = context
        self.mask: Final = machine.mask
        self.state: State | None = State(context.args)
        self.scope: Node = context.scope
        self.place = 0
        self.loop: Loop | None = None
        self.returned: Value = NOTHING
        self.left: Value = NOTHING
        """What statements evaluated to: some interpreters return the last of it where there is no Return."""
        self.breaks: list[State] = []
        self.continues: list[State] = []
        self.depth = 0
        self.perhaps = 0
        """Within so many branches and loops that may be left out."""
        self._operations: Final = operations

    def execute(self) -> Value:
        """Run the body. What it may return: anything where it ends without Return, as interpreters then differ."""
        for (kind, index), cell in self.context.cells.items():
            if kind == "Arg" and index < len(self.context.args):
                self.add(cell, self.context.args[index])
        self.block(self.context.body)
        return join(self.returned, join(self.left, ANY)) if self.state is not None else self.returned

    @property
    def arrives(self) -> bool:
        """Whether execution arrives here."""
        return self.state is not None

    def block(self, body: tuple[Operand, ...]) -> None:
        """Statements one after the other, as long as execution arrives at them."""
        operations, step = self._operations, self.machine.step
        self.machine.enter(_FRAMES)
        count = len(body)
        for index, operand in enumerate(body):
            if self.state is None:
                break
            step()
            if not isinstance(operand, Term):
                self.value(operand)
                continue
            name = operand.op.name
            self.place = operand.offset
            if name == "If":
                after = body[index + 1] if index + 1 < count else None
                self._branch(operand, after.body if isinstance(after, Term) and after.op.name == "Else" else ())
            elif name == "Else":
                before = body[index - 1] if index else None
                if not (isinstance(before, Term) and before.op.name == "If"):
                    self.branch_alone(operand)
            else:
                result = operations[name](self, operand)
                if not isinstance(result, int) and result.things:
                    self.left = join(self.left, result)
        self.machine.leave(_FRAMES)

    def _branch(self, term: Term, otherwise: tuple[Operand, ...]) -> None:
        """Both branches of an If that may be taken, and then what either leaves."""
        condition = term.args[0]
        holds = truth(self.number(self.value(condition)))
        start = self.state
        if start is None:
            return
        taken: State | None = None
        self.perhaps += holds is None
        if holds is not False:
            self.state = start.copy() if holds is None else start
            refine(self, condition, holds=True)
            self.block(term.body)
            taken = self.state
        if holds is not True:
            self.state = start
            refine(self, condition, holds=False)
            self.block(otherwise)
            self.merge(taken)
        self.perhaps -= holds is None

    def branch_alone(self, term: Term) -> None:
        """An Else that no If stands before, or either as an operand: a kernel executes that, too."""
        if term.op.name == "If":
            self._branch(term, ())
            return
        before = self.state.copy() if self.state is not None else None
        self.perhaps += 1
        self.block(term.body)
        self.perhaps -= 1
        self.merge(before)

    def resolve(self, name: NamePath) -> tuple[Slot, ...]:
        """What a name may mean here."""
        found = self.machine.resolve(self.scope, name)
        if len(found) > 1:
            self.machine.step(len(found))
        return found

    def made(self, node: Node) -> None:
        """A name is there from now on; for sure where nothing decides whether this is executed."""
        if self.context.method.loads and not self.perhaps:
            self.machine.sure.add(node)

    def merge(self, other: State | None) -> None:
        """Execution arrives here in either state."""
        if self.state is None:
            self.state = other
        elif other is not None:
            self.state.join(other)

    def value(self, operand: Operand) -> Value:
        """What an operand may evaluate to."""
        if isinstance(operand, int):
            return operand & self.mask
        if isinstance(operand, Term):
            self.machine.step()
            self.machine.enter(_FRAMES)
            found = self._operations[operand.op.name](self, operand)
            self.machine.leave(_FRAMES)
            return found
        if isinstance(operand, NamePath):
            return read_name(self, operand)
        if isinstance(operand, Register):
            return self.register(operand)
        if isinstance(operand, str):
            return thing(Text(operand))
        return 0

    def number(self, value: Value) -> Value:
        """The value as a number: objects are converted (ACPI 6.5, 19.3.5.5 Implicit Source Operand Conversion)."""
        if isinstance(value, int):
            return value & self.mask
        things = things_of(value)
        if not things and not value.open:
            return value
        result = number_only(value)
        for each in things:
            result = join(result, convert(self, each, 0))
        return join(result, unknown(self.mask.bit_length())) if value.open else result

    def numeric(self, operand: Operand) -> Value:
        """What an operand may be as a number."""
        return operand & self.mask if isinstance(operand, int) else self.number(self.value(operand))

    def register(self, register: Register) -> Value:
        """What a local or an argument may hold."""
        cell = self.context.cells.get((register.kind, register.number))
        if cell is not None:
            self.watch(cell)
            return cell.value
        if self.state is None:
            return NOTHING
        return (self.state.locals if register.kind == "Local" else self.state.args)[register.number]

    def set_register(self, register: Register, value: Value) -> None:
        """The local or argument holds `value` now."""
        cell = self.context.cells.get((register.kind, register.number))
        if cell is not None:
            self.add(cell, value)
        elif self.state is not None:
            (self.state.locals if register.kind == "Local" else self.state.args)[register.number] = value

    def cell_of(self, register: Register) -> Cell:
        """The place of a register, which from now on others may store to."""
        key = (register.kind, register.number)
        cell = self.context.cells.get(key)
        if cell is None:
            cell = Cell(self.register(register))
            self.context.cells[key] = cell
        return cell

    def watch(self, watched: Watched) -> None:
        """This context runs again when `watched` changes."""
        watched.readers[self.context] = None

    def add(self, cell: Cell, value: Value) -> None:
        """`value` is among what the cell may hold."""
        if cell.add(value):
            self.machine.touch(cell)

    def note(self, event: Event, what: int | str = "") -> None:
        """This context does that, at the current statement, to `what`."""
        key = (event.kind, event.place, what or event.subject, id(event.region.term) if event.region else 0)
        known = self.context.events.get(key)
        if known is not None and known.address != event.address:
            event = event._replace(address=join(known.address, event.address))
        self.context.events[key] = event

    def remark(self, kind: str, subject: str, detail: str = "", amount: Value = 0) -> None:
        """`note` of something that is no access."""
        self.note(Event(kind, self.context.table, self.place, subject, amount, loop=self.loop, detail=detail))
