"""Calls, returns, and terms with an effect outside the method: events, waits, notifies, loaded tables.

Source: ACPI 6.5, 19.6 ASL Operator Reference.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.access import read_region
from warily.acpi.bytecode.loops import while_loop
from warily.acpi.bytecode.names import read_slot, write_name
from warily.acpi.bytecode.operators import opaque
from warily.acpi.bytecode.store import path_of, reference_to, store_result
from warily.acpi.bytecode.things import Named, Text
from warily.acpi.bytecode.values import ANY, NOTHING, Value, join, things_of
from warily.formats.aml import NamePath, Operand, Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Operation, Run


_PATH: Final = 4
"""Of LoadTable's operands the path, before the value that goes there."""


def call(run: "Run", term: Term) -> Value:
    """A method is called; what it stores to names counts from then on."""
    args = tuple([run.value(operand) for operand in term.args[1:]])
    result: Value = NOTHING
    slots = run.resolve(term.name)
    known = False
    for slot in slots:
        run.watch(slot)
        run.machine.step(len(slot.methods))
        for method in list(slot.methods.values()):
            known = True
            result = join(result, run.machine.call(run.context, method, args, run.loop))
        if slot.node.name == "_OSI" and slot.node.parent is run.machine.names.root:
            known = True
            result = join(result, join(0, run.mask))
    if run.state is not None:
        run.state.forget()
    if known:
        return result
    if slots and all(slot.node.kind == "Method" for slot in slots):
        return NOTHING
    for slot in slots:
        read_slot(run, slot)
    return ANY


def give_back(run: "Run", term: Term) -> Value:
    """Return: the method ends. Not every kernel lets it end the loading of a table."""
    value = run.value(term.args[0])
    run.returned = join(run.returned, value)
    if not run.context.method.loads:
        run.state = None
    return value


def leave_loop(run: "Run", _term: Term) -> Value:
    """Break. Where there is no loop, nothing is left."""
    if run.state is not None and run.loop is not None:
        run.breaks.append(run.state)
        run.state = None
    return 0


def next_round(run: "Run", _term: Term) -> Value:
    """Continue, likewise."""
    if run.state is not None and run.loop is not None:
        run.continues.append(run.state)
        run.state = None
    return 0


def branch_alone(run: "Run", term: Term) -> Value:
    """If and Else where an operand is wanted: the grammar has no such thing, and kernels execute it."""
    run.branch_alone(term)
    return ANY


def debug(_run: "Run", _term: Term) -> Value:
    """The debug object, which cannot be read."""
    return 0


def notify(run: "Run", term: Term) -> Value:
    """Notify: the kernel looks at a device again."""
    subject = term.args[0]
    run.value(subject) if isinstance(subject, Term) else None
    run.value(term.args[1])
    run.remark("notify", str(subject) if isinstance(subject, NamePath) else "an object")
    return 0


def sleep(run: "Run", term: Term) -> Value:
    """Sleep and Stall: others run meanwhile."""
    amount = run.numeric(term.args[0])
    if run.state is not None:
        run.state.forget()
    run.remark("sleep", term.op.name, "ms" if term.op.name == "Sleep" else "µs", amount)
    return 0


def _subjects(run: "Run", operand: Operand) -> str:
    """The name of a mutex or event: the first of those it may be."""
    names = sorted(each.slot.node.path for each in things_of(reference_to(run, operand)) if isinstance(each, Named))
    return names[0] if names else "an object"


def wait(run: "Run", term: Term) -> Value:
    """Wait and Acquire: others run meanwhile, and it may take until the timeout."""
    subject = _subjects(run, term.args[0])
    last = term.args[1]
    amount = last if isinstance(last, int) and term.op.name == "Acquire" else run.numeric(last)
    if run.state is not None:
        run.state.forget()
    run.remark(term.op.name.lower(), subject, amount=amount)
    return join(0, run.mask)


def signal(run: "Run", term: Term) -> Value:
    """Signal, Release, Reset."""
    run.remark(term.op.name.lower(), _subjects(run, term.args[0]))
    return 0


def _plain(operand: Operand) -> str:
    return f"{operand:#x}" if isinstance(operand, int) else "?"


def fatal(run: "Run", term: Term) -> Value:
    """Fatal: the kernel is told to stop. Linux goes on."""
    value = run.value(term.args[2])
    run.remark("fatal", f"type {_plain(term.args[0])} code {_plain(term.args[1])}", amount=value)
    return 0


def load(run: "Run", term: Term) -> Value:
    """Load: bytes become definitions."""
    source = term.args[0]
    value = reference_to(run, source)
    subject = str(source) if isinstance(source, NamePath) else "an object"
    # A field is read, which is an access.
    named = [each.slot for each in things_of(value) if isinstance(each, Named)]
    for slot in named:
        if not slot.regions:
            value = join(value, read_slot(run, slot))
        for each in slot.regions.values():
            read_region(run, each)
    run.machine.loads[subject] = join(run.machine.loads.get(subject, NOTHING), value)
    if run.state is not None:
        run.state.forget()
    run.remark("load", subject)
    store_result(run, term.args[1], join(0, run.mask))
    return join(0, run.mask)


def load_table(run: "Run", term: Term) -> Value:
    """LoadTable: a table that the host lists becomes definitions; then a value goes to the name that a path says."""
    values = [run.value(operand) for operand in term.args]
    texts = [next((each.text for each in things_of(v) if isinstance(each, Text)), "?") for v in values[:3]]
    for each in things_of(values[_PATH]):
        if isinstance(each, Text) and each.text:
            write_name(run, path_of(each.text), values[_PATH + 1])
    if run.state is not None:
        run.state.forget()
    run.remark("loadtable", texts[0], "\0".join(texts))
    return join(0, run.mask)


EFFECTS: "Final[dict[str, Operation]]" = {
    "Call": call,
    "Return": give_back,
    "Break": leave_loop,
    "Continue": next_round,
    "While": while_loop,
    "If": branch_alone,
    "Else": branch_alone,
    "Notify": notify,
    "Fatal": fatal,
    "Load": load,
    "LoadTable": load_table,
    "Unload": opaque,
    "Debug": debug,
    **dict.fromkeys(("Sleep", "Stall"), sleep),
    **dict.fromkeys(("Wait", "Acquire"), wait),
    **dict.fromkeys(("Signal", "Release", "Reset"), signal),
}
