"""Terms that make something: names, regions, fields, methods, packages and buffers.

Source: ACPI 6.5, 20.2.5 Term Objects Encoding.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.context import Event
from warily.acpi.bytecode.names import dereference
from warily.acpi.bytecode.resources import Register, register_of
from warily.acpi.bytecode.things import (
    Buffer,
    BufferUnit,
    Element,
    Method,
    Named,
    Package,
    Place,
    Region,
    Slot,
    Text,
    Unit,
)
from warily.acpi.bytecode.values import NOTHING, Value, arithmetic, bounds, join, thing, things_of, widen
from warily.formats.aml import FieldUnit, NamePath, Node, Operand, Term
from warily.formats.aml.opcodes import FIXED_HARDWARE

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Operation, Run

_PATIENCE: Final = 32
_MAX_ELEMENTS: Final = 0xFFFF
HUGE: Final = 1 << 25
"""Bytes of a buffer, or elements of a package, that no table needs."""
_SYSTEM_IO: Final = 1
DATA_TABLE_SPACE: Final = 0x7E
"""The number that kernels give to the space of a DataTableRegion."""
_WIDTHS: Final = {
    "CreateBitField": 1,
    "CreateByteField": 8,
    "CreateWordField": 16,
    "CreateDWordField": 32,
    "CreateQWordField": 64,
}


def _slot(run: "Run", name: Operand) -> Slot | None:
    """What the name being defined stands for."""
    if not isinstance(name, NamePath):
        return None
    node = run.machine.names.declare(run.scope, name, run.place)
    run.made(node)
    return run.machine.slot(node)


def name(run: "Run", term: Term) -> Value:
    """Name: an object under a name."""
    slot = _slot(run, term.args[0])
    value = run.value(term.args[1])
    if slot is not None:
        run.machine.define(slot, value)
        if run.context.method.label == "":
            _persistent(run, term, slot)
            if run.state is not None:
                run.state.keep(slot, value)
    return value


def _persistent(run: "Run", term: Term, slot: Slot) -> None:
    """A name that a method makes outside itself stays when it ends."""
    node: Node | None = slot.node
    while node is not None and node is not run.context.scope:
        node = node.parent
    if node is None:
        run.remark("create", slot.node.path, term.op.name)


def opened(run: "Run", term: Term) -> Value:
    """Scope, Device and the like: the terms in it, with its names."""
    if not isinstance(term.args[0], NamePath):
        return 0
    names = run.machine.names
    outer = run.scope
    declare = names.open if term.op.name == "Scope" else names.declare
    run.scope = declare(outer, term.args[0], term.offset)
    if term.op.name != "Scope":
        run.made(run.scope)
    run.block(term.body)
    run.scope = outer
    return 0


def method(run: "Run", term: Term) -> Value:
    """Method: it can be called from now on."""
    slot = _slot(run, term.args[0])
    if slot is not None and id(term) not in slot.methods:
        slot.methods[id(term)] = Method(term, run.context.table, slot.node)
        run.machine.runnable[slot] = None
        run.machine.touch(slot)
    return 0


def region(run: "Run", term: Term) -> Value:
    """OperationRegion: where it lies is computed now."""
    slot = _slot(run, term.args[0])
    space = term.args[1]
    address, length = run.numeric(term.args[2]), run.numeric(term.args[3])
    if slot is None or not isinstance(space, int):
        return 0
    _declare(run, slot, Region(space, address, length, run.context.table, term, slot.node))
    return 0


def data_table_region(run: "Run", term: Term) -> Value:
    """DataTableRegion: a region over a table of the host's."""
    slot = _slot(run, term.args[0])
    signature, *_ = [run.value(operand) for operand in term.args[1:]]
    if slot is not None:
        region = Region(DATA_TABLE_SPACE, 0, 0, run.context.table, term, slot.node, signature)
        _declare(run, slot, region)
    return 0


def _declare(run: "Run", slot: Slot, made: Region) -> None:
    key = id(made.term)
    old = slot.regions.get(key)
    exact = made
    if old is not None:
        cover = join if run.context.runs < _PATIENCE else widen
        made = made._replace(
            address=cover(old.address, made.address),
            length=cover(old.length, made.length),
            signature=join(old.signature, made.signature),
        )
    if old is None or (old.address, old.length, old.signature) != (made.address, made.length, made.signature):
        slot.regions[key] = made
        run.machine.touch(slot)
    if run.state is not None:
        run.state.regions[slot] = exact
    run.note(
        Event("declare", run.context.table, run.place, slot.node.path, made.address, 0, made.space, made, run.loop)
    )


def fields(run: "Run", term: Term) -> Value:
    """Field, IndexField, BankField: each named part can be read and written."""
    units = term.args[-1]
    run.machine.step(len(units) if isinstance(units, tuple) else 0)
    behind = tuple(run.resolve(each) for each in term.args[:2] if isinstance(each, NamePath))
    bank = run.numeric(term.args[2]) if term.op.name == "BankField" else 0
    for part in units if isinstance(units, tuple) else ():
        if not isinstance(part, FieldUnit):
            continue
        slot = _slot(run, part.name)
        if slot is not None and id(part) not in slot.units:
            slot.units[id(part)] = Unit(run.context.table, term, part, bank, behind)
            run.machine.runnable[slot] = None
            run.machine.touch(slot)
    return 0


def buffer_field(run: "Run", term: Term) -> Value:
    """CreateField and the like: bits of a buffer under a name."""
    slot = _slot(run, term.args[-1])
    source, place = run.value(term.args[0]), run.numeric(term.args[1])
    for each in things_of(source):
        if isinstance(each, Named | Place | Element):
            source = join(source, dereference(run, each))
    if term.op.name == "CreateField":
        bits = run.numeric(term.args[2])
    else:
        bits = _WIDTHS[term.op.name]
        if term.op.name != "CreateBitField":
            place = arithmetic("Multiply", place, 8, run.mask)
    if slot is None:
        return 0
    old = slot.buffer_units.get(id(term))
    if old is not None:
        cover = join if run.context.runs < _PATIENCE else widen
        source, place, bits = join(old.source, source), cover(old.start, place), cover(old.bits, bits)
    made = BufferUnit(source, place, bits)
    if made != old:
        slot.buffer_units[id(term)] = made
        run.machine.touch(slot)
    return 0


def package(run: "Run", term: Term) -> Value:
    """Package: one object for each place in the code."""
    run.machine.step(len(term.body))
    elements = [_element(run, operand) for operand in term.body]
    count = run.numeric(term.args[0])
    size = join(count, len(elements)) if bounds(count)[0] < len(elements) else count
    _large(run, term, size)
    made = run.machine.objects.get(id(term))
    if isinstance(made, Package):
        changed = made.resize(size)
        for place, value in enumerate(elements[: len(made.elements)]):
            changed |= made.write(place, value)
        if changed:
            run.machine.touch(made)
        return thing(made)
    if isinstance(count, int) and len(elements) < count <= _MAX_ELEMENTS:
        run.machine.step(count - len(elements))
        elements += [NOTHING] * (count - len(elements))
    made = run.machine.objects[id(term)] = Package(elements, size)
    return thing(made)


def _large(run: "Run", term: Term, size: Value) -> None:
    """Objects of an enormous size fill the kernel's memory. A size of which nothing at all is known says nothing."""
    least, most = bounds(size)
    if most >= HUGE and (least >= HUGE or most < run.mask):
        run.remark("large", term.op.name, amount=size)


def _element(run: "Run", operand: Operand) -> Value:
    """A name in a package stands for what it names, which may be defined later."""
    if not isinstance(operand, NamePath):
        return run.value(operand)
    value: Value = NOTHING
    for slot in run.resolve(operand):
        value = join(value, thing(Named(slot)))
    return value if value != NOTHING else thing(Text(str(operand)))


def buffer(run: "Run", term: Term) -> Value:
    """Buffer: one object for each place in the code."""
    size = run.numeric(term.args[0])
    content = term.args[1] if isinstance(term.args[1], bytes) else b""
    if bounds(size)[0] < len(content):
        size = len(content) if isinstance(size, int) else join(size, len(content))
    _large(run, term, size)
    made = run.machine.objects.get(id(term))
    if not isinstance(made, Buffer):
        _register(run, register_of(content))
        made = run.machine.objects[id(term)] = Buffer(content, size)
    elif made.resize(size):
        run.machine.touch(made)
    return thing(made)


def _register(run: "Run", found: Register | None, what: str = "Register") -> None:
    """A register that tables give the kernel to use, as it likes."""
    if found is not None and found.space != FIXED_HARDWARE and found.address:
        run.note(Event("write", run.context.table, run.place, what, found.address, found.size, found.space))


def processor(run: "Run", term: Term) -> Value:
    """Processor: its block of ports is the kernel's to use (19.6.108)."""
    _, _, address, length = term.args[:4]
    if isinstance(address, int) and isinstance(length, int) and length:
        _register(run, Register(_SYSTEM_IO, address, length), f"P_BLK of {term.name}")
    return opened(run, term)


def handle(run: "Run", term: Term) -> Value:
    """Mutex, Event: an object under a name."""
    _slot(run, term.args[0])
    return 0


def alias(run: "Run", term: Term) -> Value:
    """Alias: another name for an object."""
    if isinstance(term.args[1], NamePath):
        run.made(run.machine.names.declare(run.scope, term.args[1], run.place))
    return 0


def nothing(_run: "Run", _term: Term) -> Value:
    """A term that does nothing when it is executed."""
    return 0


OBJECTS: "Final[dict[str, Operation]]" = {
    **dict.fromkeys(("Scope", "Device", "PowerResource", "ThermalZone"), opened),
    "Processor": processor,
    **dict.fromkeys(("Field", "IndexField", "BankField"), fields),
    **dict.fromkeys(("CreateField", *_WIDTHS), buffer_field),
    **dict.fromkeys(("Package", "VarPackage"), package),
    **dict.fromkeys(("Mutex", "Event"), handle),
    **dict.fromkeys(("External", "Noop", "BreakPoint"), nothing),
    "Alias": alias,
    "Name": name,
    "Method": method,
    "OperationRegion": region,
    "DataTableRegion": data_table_region,
    "Buffer": buffer,
}
