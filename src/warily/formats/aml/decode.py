"""AML bytes to terms, for a whole set of tables.

How many operands follow a method's name is known only from its definition, which may stand later or in another table.
So the definitions are collected first, method bodies passed over, until they no longer change; then everything is
decoded. Nothing recurses, nesting is bounded, and each byte is looked at a bounded number of times.

Source: ACPI 6.5, 20.2 AML Grammar Definition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warily.formats.acpi_table import HEADER_SIZE, AcpiTable
from warily.formats.aml.namespace import Definition, Namespace, Node
from warily.formats.aml.opcodes import BY_CODE, BY_NAME, CALL, Op
from warily.formats.aml.stream import NAME_STARTS, Stream
from warily.formats.aml.terms import ONES, AmlError, FieldUnit, NamePath, Operand, Register, Term

BYTECODE: Final = ("DSDT", "SSDT", "PSDT", "OSDT")
"""Signatures of the tables that kernels load AML from, in order."""
MAX_NESTING: Final = 200
"""Packages and operands within one another. Real tables stay below 100."""
_ROUNDS: Final = 4
_FIELD_UNIT, _METHOD = 5, 8
"""Types of objects that External speaks of (ACPI 6.5, 19.6.91 ObjectType)."""

_SCOPED: Final = frozenset({"Scope", "Device", "Processor", "PowerResource", "ThermalZone", "Method"})
_NAMING: Final = {
    "CreateField": 3,
    "CreateDWordField": 2,
    "CreateWordField": 2,
    "CreateByteField": 2,
    "CreateBitField": 2,
    "CreateQWordField": 2,
}
"""Terms that define the name in this operand; of the others the first."""
_DEFINING: Final = frozenset(
    {"Name", "Mutex", "Event", "OperationRegion", "DataTableRegion", "Alias", "External", *_NAMING, *_SCOPED}
) - {"Scope"}
_FIELDS: Final = frozenset({"Field", "IndexField", "BankField"})
_WIDTHS: Final = {"b": 1, "w": 2, "d": 4}
_CONSTANTS: Final = {0x0A: 1, 0x0B: 2, 0x0C: 4, 0x0E: 8}
_LEAVES: Final[Mapping[int, Operand]] = {
    0x00: 0,
    0x01: 1,
    0xFF: ONES,
    **{0x60 + index: Register("Local", index) for index in range(8)},
    **{0x68 + index: Register("Arg", index) for index in range(7)},
}
_BLOCKS: Final = _SCOPED | {"If", "Else", "While"}
_MAX_ERRORS: Final = 64
"""So many errors in one table are passed over."""
_ENTERED: Final = _SCOPED - {"Method"}
"""Packages that a kernel always reads through, so that one within may end later: some real firmware has that."""
_LISTS: Final = frozenset({"Package", "VarPackage"})
_COMPARED: Final = frozenset({0x93, 0x94, 0x95})


@dataclass(frozen=True, slots=True, kw_only=True)
class Aml:
    """One decoded table: what it executes at load, in order; or in which way it is malformed."""

    table: AcpiTable
    terms: tuple[Operand, ...]
    error: AmlError | None = None
    doubt: AmlError | None = None
    """Where two readers may decode differently, though this one found no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmlSet:
    """Tables that were decoded together, and the names they define."""

    tables: tuple[Aml, ...]
    names: Namespace


def decode(tables: Sequence[AcpiTable], *, loaded: Sequence[AcpiTable] = ()) -> AmlSet:
    """The tables with AML among `tables`, decoded as one set in the order in which kernels load them, then `loaded`.

    The latter are those that AML itself loads, whatever their signature. A malformed table has its `error`, and as
    `terms` what came before.
    """
    tables = [*(each for kind in BYTECODE for each in tables if each.signature == kind), *loaded]
    known = Namespace()
    arities: dict[str, int] = {}
    for _ in range(_ROUNDS):
        unresolved = 0
        known.start_round()
        for table in tables:
            # Method bodies are passed over.
            decoder = _Decoder(table.raw, known, -1)
            decoder.run()
            unresolved += decoder.unresolved
        before, arities = arities, {node.path: node.arity for node in known.nodes() if node.arity is not None}
        if not unresolved or before == arities:
            break
    known.settle()
    known.start_round()
    found = []
    for index, table in enumerate(tables):
        found.append(_decode_one(table, known, index))
    return AmlSet(tables=tuple(found), names=known)


def _decode_one(table: AcpiTable, known: Namespace, index: int) -> Aml:
    """One table with all its method bodies.

    A name that is a method, and that CopyObject makes something else, may be a call here and a plain name there.
    Where reading it as a call fails, it is read as a name: at the last such place before the error, so many times.
    """
    plain: set[int] = set()
    while True:
        decoder = _Decoder(table.raw, known, index, frozenset(plain))
        error = decoder.run()
        places = [at for at, name in decoder.calls if name in known.copied and at not in plain] if error else []
        if not places or len(plain) >= _ROUNDS:
            return Aml(table=table, terms=tuple(decoder.terms), error=error, doubt=decoder.doubt)
        plain.add(places[-1])
        known.forget(index)


class _Frame:
    """A term whose operands are being read."""

    __slots__ = ("args", "body", "end", "index", "kinds", "listing", "offset", "op", "scope")

    def __init__(self, op: Op, offset: int, kinds: str, end: int, scope: Node) -> None:
        self.op, self.offset, self.kinds, self.end, self.scope = op, offset, kinds, end, scope
        self.index = 0
        self.listing = False
        self.args: list[Operand] = []
        self.body: list[Operand] = []


class _Decoder:
    """One table's bytes, read with a stack of frames. `table` is -1 where only definitions are collected."""

    def __init__(self, data: bytes, names: Namespace, table: int, plain: frozenset[int] = frozenset()) -> None:
        self._stream: Final = Stream(data, HEADER_SIZE)
        self._names: Final = names
        self._table: Final = table
        self._stack: Final[list[_Frame]] = []
        self._call_kinds: Final = ("", *("t" * count for count in range(1, 8)))
        self.terms: list[Operand] = []
        self.unresolved = 0
        self.calls: list[tuple[int, str]] = []
        self.doubt: AmlError | None = None
        self._plain: Final = plain

    def run(self) -> AmlError | None:
        """Everything in the table is in `terms`, or what came before the error that is given back."""
        stream = self._stream
        root = _Frame(BY_NAME["Scope"], stream.at, "L", stream.end, self._names.root)
        root.body = self.terms
        self._stack.append(root)
        first: AmlError | None = None
        for left in reversed(range(_MAX_ERRORS)):
            try:
                self._read_all()
                break
            except AmlError as error:
                first = first or error
                if not self._resume(error, again=left > 0):
                    break
        # With a length that leaves the table, other errors follow from it.
        if stream.overrun is not None and (first is None or first.fault != "TRUNCATED"):
            return AmlError("PKGLENGTH", stream.overrun, "the package leaves the table")
        return first

    def _resume(self, error: AmlError, *, again: bool) -> bool:
        """Go on as kernels do: past a byte that is no opcode, or after the block that is malformed.

        The terms that were open are closed as they are. False where there is nothing to go on with, or not `again`.
        """
        stack, stream = self._stack, self._stream
        skipped = again and error.fault == "OPCODE" and stream.at > error.offset
        while len(stack) > 1:
            frame = stack[-1]
            if frame.listing and skipped:
                return True
            stack.pop()
            stream.end = stack[-1].end
            if frame.listing:
                self._give(stack[-1], Term(frame.op, frame.offset, tuple(frame.args), tuple(frame.body)))
                if again and frame.op.name in _BLOCKS:
                    stream.at = frame.end
                    return True
        return skipped

    def _read_all(self) -> None:
        stack, stream = self._stack, self._stream
        while True:
            frame = stack[-1]
            if frame.listing:
                if stream.at < frame.end:
                    self._operand(frame, frame.kinds[-1])
                    continue
            elif frame.index < len(frame.kinds):
                kind = frame.kinds[frame.index]
                frame.index += 1
                if kind == "t":
                    self._operand(frame, kind)
                else:
                    self._special(frame, kind)
                continue
            if len(stack) == 1:
                stack.pop()
                return
            self._close(frame, stack[-2])
            stack.pop()

    def _give(self, frame: _Frame, value: Operand) -> None:
        (frame.body if frame.listing else frame.args).append(value)

    def _operand(self, frame: _Frame, kind: str) -> None:
        """Read one operand or statement into `frame`; one that has operands itself becomes the top of the stack."""
        stream = self._stream
        at = stream.need(1, f"the operands of {frame.op.name}")
        code = stream.data[at]
        if code in _LEAVES:
            self._give(frame, None if code == 0 and kind in "gsr" else _LEAVES[code])
        elif code in NAME_STARTS:
            stream.at = at
            self._named(frame, kind, at)
        elif code in _CONSTANTS:
            self._give(frame, stream.number(_CONSTANTS[code]))
        elif code == 0x0D:
            self._give(frame, stream.string())
        else:
            self._open(frame, at, code)

    def _named(self, frame: _Frame, kind: str, at: int) -> None:
        name = self._stream.name()
        if kind in "gPr" or not name.parts:
            self._give(frame, name)
            return
        method = self._names.method(frame.scope, name)
        if method is None or method.arity is None or at in self._plain:
            if self._table < 0 and self._names.find(frame.scope, name) is None:
                self.unresolved += 1
            self._give(frame, name)
            return
        call = _Frame(CALL, at, self._call_kinds[method.arity], self._stream.end, frame.scope)
        call.args.append(name)
        if self._table >= 0:
            self.calls.append((at, name.parts[-1]))
            self._names.called.add(method)
            if method in self._names.ambiguous:
                what = f"{method.path} is defined with different numbers of arguments"
                self.doubt = self.doubt or AmlError("ARITY", at, what)
        self._push(call)

    def _open(self, frame: _Frame, at: int, code: int) -> None:
        """The term of an operation begins."""
        stream = self._stream
        data = stream.data
        if code == 0x5B:
            code = 0x5B00 | data[stream.need(1, "an extended opcode")]
        elif code == 0x92 and stream.at < stream.end and data[stream.at] in _COMPARED:
            code = 0x9200 | data[stream.need(1, "an opcode")]
        op = BY_CODE.get(code)
        if op is None:
            raise AmlError("OPCODE", at, f"{code:#04x} is no opcode")
        if not op.operands:
            self._give(frame, Term(op, at, ()))
            return
        end = stream.package_end() if op.packaged else stream.end
        if end > stream.end:
            self._allow_overlap(at, end)
        self._push(_Frame(op, at, op.operands, end, frame.scope))
        if op.packaged:
            stream.end = end

    def _allow_overlap(self, at: int, end: int) -> None:
        """A package may leave those around it only where no branch could land in its middle.

        Where that is a Package, iasl reads on and kernels may not: it is decoded, and said to be doubtful.
        """
        for frame in reversed(self._stack):
            if frame.end < end and frame.op.packaged and frame.op.name not in _ENTERED:
                error = AmlError("PKGLENGTH", at, f"package up to {end:#x} in one that ends at {frame.end:#x}")
                if frame.op.name not in _LISTS:
                    raise error
                self.doubt = self.doubt or error

    def _push(self, frame: _Frame) -> None:
        if len(self._stack) >= MAX_NESTING:
            raise AmlError("NESTING", frame.offset, f"over {MAX_NESTING} terms within one another")
        self._stack.append(frame)

    def _special(self, frame: _Frame, kind: str) -> None:
        """Read an operand that is not a TermArg."""
        stream = self._stream
        if kind == "n":
            frame.args.append(stream.name())
        elif kind in "gsr":
            self._operand(frame, kind)
        elif kind in _WIDTHS:
            frame.args.append(stream.number(_WIDTHS[kind]))
        elif kind == "F":
            flags = frame.args[-1]
            frame.args.append(stream.fields(flags & 0x0F if isinstance(flags, int) else 0))
        elif kind == "B":
            frame.args.append(stream.data[stream.at : stream.end])
            stream.at = stream.end
        else:
            self._begin_list(frame)

    def _begin_list(self, frame: _Frame) -> None:
        """The terms up to the package's end come next, in the scope that the term opens."""
        frame.listing = True
        if frame.op.name in _SCOPED and self._stack[0] is not frame:
            self._enter(frame)

    def _enter(self, frame: _Frame) -> None:
        name = frame.args[0]
        if not isinstance(name, NamePath):
            return
        if frame.op.name == "Scope":
            frame.scope = self._names.open(frame.scope, name, frame.offset)
            return
        node = self._define(frame, name)
        if frame.op.name == "Method":
            flags = frame.args[1]
            self._names.meet(node, flags & 7 if isinstance(flags, int) else 0)
            if self._table < 0:
                self._stream.at = frame.end
        frame.scope = node

    def _define(self, frame: _Frame, name: NamePath) -> Node:
        if not name.parts:
            raise AmlError("NAME", frame.offset, f"{frame.op.name} defines no name")
        node = self._names.declare(frame.scope, name, frame.offset)
        if node.kind is None or node.kind == "External" or frame.op.name == "Method":
            node.kind = frame.op.name
        return node

    def _close(self, frame: _Frame, outer: _Frame) -> None:
        """A term is whole: bytes that its package has left are an error, and what it defines becomes known."""
        stream = self._stream
        if frame.op.packaged:
            if stream.at < frame.end or (stream.at > frame.end and frame.op.name not in _ENTERED | _LISTS):
                raise AmlError("PKGLENGTH", stream.at, f"{frame.op.name} ends before its package, at {frame.end:#x}")
            stream.end = outer.end
        term = Term(frame.op, frame.offset, tuple(frame.args), tuple(frame.body))
        name = frame.op.name
        if name in _DEFINING:
            self._register(frame, outer.scope, term)
        elif name in _FIELDS:
            self._register_fields(outer.scope, term)
        elif name == "CopyObject" and isinstance(term.args[1], NamePath) and term.args[1].parts:
            self._names.copied.add(term.args[1].parts[-1])
        self._give(outer, term)

    def _register(self, frame: _Frame, scope: Node, term: Term) -> None:
        at = {"Alias": 1, **_NAMING}.get(frame.op.name, 0)
        name = term.args[at]
        if not isinstance(name, NamePath) or not name.parts:
            raise AmlError("NAME", frame.offset, f"{frame.op.name} defines no name")
        node = self._names.declare(scope, name, frame.offset)
        if frame.op.name == "External":
            self._register_external(node, term)
            return
        if node.kind is None or node.kind == "External":
            node.kind = frame.op.name
            node.arity = node.arity if frame.op.name == "Method" else None
        if frame.op.name == "Alias" and node.alias is None and isinstance(term.args[0], NamePath):
            self._names.alias(node, scope, term.args[0])
        if self._table >= 0:
            node.definitions.append(Definition(self._table, term))

    def _register_external(self, node: Node, term: Term) -> None:
        """A name that another table defines: what this one says of it counts only while nothing else does."""
        kind, arity = term.args[1], term.args[2]
        if node.kind is None:
            node.kind = "External"
            if kind == _METHOD and isinstance(arity, int):
                node.arity = arity & 7
            if kind == _FIELD_UNIT:
                self._names.elsewhere.add(node)

    def _register_fields(self, scope: Node, term: Term) -> None:
        units = term.args[-1]
        for part, unit in enumerate(units if isinstance(units, tuple) else ()):
            if isinstance(unit, FieldUnit):
                node = self._names.declare(scope, unit.name, unit.offset)
                if node.kind is None or node.kind == "External":
                    node.kind, node.arity = "FieldUnit", None
                if self._table >= 0:
                    node.definitions.append(Definition(self._table, term, part))
