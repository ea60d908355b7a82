"""From tables to findings: decode, run everything, judge.

What a table does when it loads comes first, then the methods that a kernel runs by itself or on an event, then those
that only something else calls, with arguments of which nothing is known.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from warily.acpi.bytecode.blocking import Blocking
from warily.acpi.bytecode.context import Context, Loop
from warily.acpi.bytecode.devices import fed_by_host, identifiers, over_memory
from warily.acpi.bytecode.effects import EFFECTS
from warily.acpi.bytecode.entries import CALL, LOAD, label
from warily.acpi.bytecode.functions import Functions
from warily.acpi.bytecode.graph import ENDLESS, Graph
from warily.acpi.bytecode.hotplug import ECAM
from warily.acpi.bytecode.judge import Judge
from warily.acpi.bytecode.loaded import loaded_tables
from warily.acpi.bytecode.machine import Machine, OutOfStepsError
from warily.acpi.bytecode.objects import OBJECTS
from warily.acpi.bytecode.operators import OPERATORS
from warily.acpi.bytecode.run import Run
from warily.acpi.bytecode.store import STORES
from warily.acpi.bytecode.texts import TEXTS
from warily.acpi.bytecode.things import Method, Slot
from warily.acpi.bytecode.values import ANY, NOTHING, Value, join
from warily.acpi.finding import AcpiFinding
from warily.core.ranges import MAX_ADDRESS, Range, RangeSet
from warily.formats.acpi_table import HEADER_SIZE, AcpiTable
from warily.formats.aml import AmlSet, NamePath, Node, Term, decode
from warily.formats.aml.opcodes import BY_NAME

_OPERATIONS: Final = {**OPERATORS, **TEXTS, **STORES, **OBJECTS, **EFFECTS}
_HIDDEN: Final = frozenset(("PSDT", "OSDT"))
_LOADS: Final = 2
"""So often are tables that AML loads looked for in what it loaded."""
_MASKS: Final = {False: (1 << 32) - 1, True: (1 << 64) - 1}
_WIDE: Final = 2
"""The first revision of a DSDT with 64-bit integers."""
_MAX_PLACES: Final = 4
_IDENTIFIERS: Final = ("_HID", "_CID")


def inspect_bytecode(tables: Sequence[AcpiTable], *, ram: Sequence[Range]) -> list[AcpiFinding]:
    """What the AML of a machine's tables can reach that nobody has to accept from a host.

    `tables` are all tables of the machine, static ones among them; `ram` is its memory. A DSDT of revision 1 makes
    integers 32 bits wide for all tables; where two DSDTs disagree, both ways are looked at. Findings are sorted by
    table and place; a malformed table is one of them.
    """
    # Little of what is made here is garbage, and looking for it takes a quarter of the time.
    paused = gc.isenabled()
    gc.disable()
    try:
        widths = {each.revision >= _WIDE for each in tables if each.signature == "DSDT"} or {True}
        found = [each for wide in sorted(widths) for each in _inspect(tables, ram, (), _LOADS, wide=wide)]
        return list(dict.fromkeys(found))
    finally:
        if paused:
            gc.enable()


def _inspect(
    tables: Sequence[AcpiTable], ram: Sequence[Range], loaded: Sequence[AcpiTable], again: int, *, wide: bool
) -> list[AcpiFinding]:
    """The findings with the tables that AML loads, which are known only when it has been run without them."""
    code = decode(tables, loaded=loaded)
    machine = Machine(code, _MASKS[wide], _run)
    roots = _analyse(machine, code)
    found = loaded_tables(machine, tables)
    if len(found) > len(loaded) and again:
        return _inspect(tables, ram, found, again - 1, wide=wide)
    return _Report(code, machine, roots, ram, _windows(tables)).findings()


def _windows(tables: Sequence[AcpiTable]) -> list[Range]:
    """Where PCI configuration space is mapped: as the MCFG says (PCI Firmware 3.0, 4.1.2), else as on q35."""
    found = []
    for table in tables:
        if table.signature != "MCFG":
            continue
        for at in range(HEADER_SIZE + 8, len(table.raw) - 15, 16):
            base = int.from_bytes(table.raw[at : at + 8], "little")
            first, last = table.raw[at + 10], table.raw[at + 11]
            if last >= first and base + ((last + 1) << 20) <= MAX_ADDRESS:
                found.append(Range(base + (first << 20), base + ((last + 1) << 20)))
    return found or list(ECAM)


def _run(machine: Machine, context: Context) -> None:
    run = Run(machine, context, _OPERATIONS)
    context.give(run.execute())


def _analyse(machine: Machine, code: AmlSet) -> list[tuple[Context, str]]:
    """Run everything; the contexts that something outside the tables starts, and when."""
    roots: list[tuple[Context, str]] = []
    # Then the machine is `exhausted`, which is a finding.
    with suppress(OutOfStepsError):
        _settle(machine, code, roots)
    return roots


def _settle(machine: Machine, code: AmlSet, roots: list[tuple[Context, str]]) -> None:
    root = machine.names.root
    scope = BY_NAME["Scope"]
    for index, each in enumerate(code.tables):
        term = Term(scope, HEADER_SIZE, (NamePath((), 0, root=True),), each.terms)
        method = Method(term, index, root, f"{each.table.signature} as it loads", loads=True)
        roots.append((machine.context(method, ()), LOAD))
    machine.settle()
    _start(machine, roots, automatic=True)
    _start(machine, roots, automatic=False)
    # Methods that only call one another, and are called by nobody else.
    _start(machine, roots, automatic=False, even_called=True)


def _start(machine: Machine, roots: list[tuple[Context, str]], *, automatic: bool, even_called: bool = False) -> None:
    """Run methods that are not run yet, until there are no more: some appear only when others run."""
    started = {id(context.method.term) for context, _ in roots}
    while True:
        pending = [
            (each, when)
            for slot in list(machine.runnable)
            for each, when in _entries(machine, slot)
            if id(each.term) not in started
            and (when == CALL) != automatic
            and (automatic or even_called or each.node not in machine.names.called)
            and not (even_called and id(each.term) in machine.contexts)
        ]
        if not pending:
            return
        for method, when in pending:
            started.add(id(method.term))
            roots.append((machine.context(method, (ANY,) * _arity(method)), when))
        machine.settle()


def _arity(method: Method) -> int:
    flags = method.term.args[1] if len(method.term.args) > 1 else 0
    return flags & 7 if isinstance(flags, int) else 0


def _entries(machine: Machine, slot: Slot) -> Iterator[tuple[Method, str]]:
    """What the kernel evaluates under this name, and when: methods, and fields that evaluating reads."""
    when = label(slot.node.name)
    if when == CALL:
        when = next((each for each in map(label, machine.names.aliases_of(slot.node)) if each != CALL), CALL)
    for method in slot.methods.values():
        yield method, when
    if slot.units and when != CALL:
        yield machine.reading(slot), when


@dataclass(slots=True)
class _Found:
    """One finding while it is put together from several contexts."""

    reach: set[str] = field(default_factory=set)
    where: set[str] = field(default_factory=set)
    evidence: dict[str, None] = field(default_factory=dict)


class _Report:
    """Findings from the finished machine."""

    def __init__(
        self,
        code: AmlSet,
        machine: Machine,
        roots: list[tuple[Context, str]],
        ram: Sequence[Range],
        windows: list[Range],
    ) -> None:
        self._code: Final = code
        self._machine: Final = machine
        self._names: Final = [each.table.signature for each in code.tables]
        self._graph: Final = Graph(machine.all_contexts(), roots)
        self._events: Final = [
            (context, event) for context in self._graph.contexts for event in context.events.values()
        ]
        blocking = Blocking(self._graph, self._events)
        functions = Functions(code.names, machine.slots)
        self._memory: Final = RangeSet.of(ram)
        self._judge: Final = Judge(self._graph, blocking, functions, self._memory, windows)
        self._found: Final[dict[tuple[int, int, str, str], _Found]] = {}

    def findings(self) -> list[AcpiFinding]:
        """Everything, sorted by table, place and identifier."""
        self._frames()
        for context, event in self._events:
            for identifier, evidence in self._judge.judge(context, event):
                self._add(context, event.table, event.place, identifier, evidence)
        self._loops()
        self._recursion()
        self._devices()
        ordered = sorted(self._found.items(), key=lambda each: each[0][:3])
        return [
            AcpiFinding(
                id=identifier,
                where="; ".join(sorted(found.where)[:_MAX_PLACES]),
                reach=", ".join(sorted(found.reach)) or CALL,
                evidence=_told(found.evidence),
            )
            for (_, _, identifier, _), found in ordered
        ]

    def _add(self, context: Context, table: int, place: int, identifier: str, evidence: str) -> None:
        found = self._found.setdefault((table, place, identifier, str(context)), _Found())
        found.reach |= self._graph.reach.get(context, set())
        found.where.add(f"{self._name(table)}+{place:#x} {context}")
        found.evidence[evidence] = None

    def _name(self, table: int) -> str:
        return self._names[table]

    def _plain(self, table: int, place: int, identifier: str, reach: Iterable[str], evidence: str) -> None:
        self._found[(table, place, identifier, evidence)] = _Found(
            set(reach), {f"{self._name(table)}+{place:#x}"}, {evidence: None}
        )

    def _frames(self) -> None:
        """Tables that are malformed, or that hold AML where nobody looks for it; work that was left undone."""
        for index, each in enumerate(self._code.tables):
            error = each.error or each.doubt
            if error is not None:
                self._plain(index, error.offset, f"MALFORMED_{error.fault}", ("parse",), str(error))
            if each.table.signature in _HIDDEN and each.terms:
                evidence = f"{each.table.signature} with {len(each.table.body)} bytes of AML, run like an SSDT"
                self._plain(index, HEADER_SIZE, "AML_IN_PSDT", (LOAD,), evidence)
        if self._machine.exhausted:
            evidence = "the analysis reached its bound of steps: no address is bounded"
            self._plain(0, HEADER_SIZE, "MEM_DYNAMIC_ADDR", (LOAD,), evidence)

    def _loops(self) -> None:
        for context in self._graph.contexts:
            for loop in context.loops.values():
                identifier = self._graph.judged(context, loop)
                if identifier is None:
                    continue
                evidence = f"While: {self._rounds(loop)}"
                total = self._graph.times(context, loop)
                if loop.count is not None and loop.count < total < ENDLESS:
                    evidence += f", {total} in all with the loops around it"
                self._add(context, context.table, loop.offset, identifier, evidence)

    def _rounds(self, loop: Loop) -> str:
        if loop in self._graph.disturbed:
            return "what it calls may store to the variable that counts its rounds"
        if loop.count is not None:
            return f"up to {loop.count} rounds"
        return "nothing ends it" if loop.forever else "no bound was found"

    def _recursion(self) -> None:
        for group in self._graph.cycles():
            first = min(group, key=lambda each: (each.table, each.method.term.offset))
            names = ", ".join(sorted(str(each) for each in group)[:_MAX_PLACES])
            self._add(first, first.table, first.method.term.offset, "RECURSION", f"calls itself through {names}")

    def _devices(self) -> None:
        """Devices whose drivers listen to the host, or that say memory is theirs."""
        results: dict[Node, Value] = {}
        for context in self._graph.contexts:
            results[context.scope] = join(results.get(context.scope, NOTHING), context.result)
        for node in list(self._code.names.nodes()):
            device = node.parent
            if node.name not in (*_IDENTIFIERS, "_CRS") or device is None or not node.definitions:
                continue
            value = self._evaluated(node, results)
            definition = node.definitions[0]
            if node.name == "_CRS":
                names = [name for each in _IDENTIFIERS for name in self._named(device.children.get(each), results)]
                problems = list(over_memory(names, value, self._memory))
            else:
                problems = [f"is {name}, {reason}" for name, reason in fed_by_host(value, self._name(definition.table))]
            reach = {LOAD} | {label(each.name) for each in device.children.values() if each.kind == "Method"}
            for problem in problems:
                evidence = f"{device.path} {problem}"
                self._plain(definition.table, definition.term.offset, "UNEXPECTED_DEVICE", reach - {CALL}, evidence)

    def _evaluated(self, node: Node, results: dict[Node, Value]) -> Value:
        """What evaluating the name may give."""
        slot = self._machine.slot(node)
        return join(slot.value, results.get(slot.node, NOTHING) if slot.methods else NOTHING)

    def _named(self, node: Node | None, results: dict[Node, Value]) -> Iterator[str]:
        return identifiers(self._evaluated(node, results)) if node is not None else iter(())


def _told(evidence: dict[str, None]) -> str:
    lines = list(evidence)
    more = len(lines) - _MAX_PLACES
    return "; ".join(lines[:_MAX_PLACES]) + (f"; and {more} more" if more > 0 else "")
