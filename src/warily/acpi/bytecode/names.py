"""Reading what a name or a reference stands for, and storing to it: data, fields of regions, fields of buffers.

Source: ACPI 6.5, 19.6.48 Field, 19.6.64 IndexField, 19.6.7 BankField, 19.3.5 Data Types.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.access import access
from warily.acpi.bytecode.things import (
    Buffer,
    Byte,
    Cell,
    Element,
    Named,
    Package,
    Place,
    Slot,
    Text,
    Thing,
    Unit,
)
from warily.acpi.bytecode.values import (
    ANY,
    NOTHING,
    WORD,
    Value,
    arithmetic,
    bounds,
    join,
    one_of,
    thing,
    things_of,
    unknown,
)
from warily.formats.aml import NamePath

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Run

_MAX_CHAIN: Final = 6
"""References to references, and index fields over index fields."""
_MAX_TEXT: Final = 128
_WIDTHS: Final = {1: 1, 2: 2, 3: 4, 4: 8}
_OPAQUE: Final = frozenset(
    {"Device", "Processor", "PowerResource", "ThermalZone", "Mutex", "Event", "Scope", "OperationRegion"}
)


def read_name(run: "Run", name: NamePath) -> Value:
    """What a name evaluates to; anything, where no table given defines it."""
    slots = run.resolve(name)
    if not slots:
        return ANY
    value = read_slot(run, slots[0])
    for slot in slots[1:]:
        value = join(value, read_slot(run, slot))
    return value


def read_slot(run: "Run", slot: Slot) -> Value:
    """What is behind a name. A field is read, a method without arguments called."""
    run.watch(slot)
    _elsewhere(run, slot, "read")
    if run.state is not None:
        exact = run.state.strong.get(slot)
        if exact is not None:
            return exact
    value = slot.value
    run.machine.step(len(slot.units) + len(slot.buffer_units) + len(slot.methods))
    for unit in list(slot.units.values()):
        value = join(value, _field(run, unit, None))
    for part in list(slot.buffer_units.values()):
        for each in things_of(part.source):
            if isinstance(each, Buffer):
                run.watch(each)
                value = join(value, each.read(part.start, part.bits))
        value = join(value, _open_part(part.source, part.bits))
    for method in list(slot.methods.values()):
        value = join(value, run.machine.call(run.context, method, (), run.loop))
    kind = slot.node.kind
    if kind in _OPAQUE or slot.regions:
        value = join(value, thing(Named(slot)))
    elif kind in (None, "External", "Predefined"):
        value = join(value, _predefined(slot.node.name))
    return value


def _elsewhere(run: "Run", slot: Slot, kind: str) -> None:
    """A part of a field that a table not given defines may lie anywhere."""
    if slot.node.kind == "External" and slot.node in run.machine.names.elsewhere:
        run.remark("no region", slot.node.path, kind)


def _open_part(source: Value, bits: Value) -> Value:
    """A field of a buffer that is not known holds anything."""
    if isinstance(source, int) or not source.open:
        return NOTHING
    return unknown(bits) if isinstance(bits, int) else ANY


def _predefined(name: str) -> Value:
    # Kernels say 2, or 5 to firmware that misbehaves otherwise.
    return one_of((2, 5)) if name == "_REV" else ANY


def write_name(run: "Run", name: NamePath, value: Value) -> None:
    """`value` is stored to whatever the name is."""
    slots = run.resolve(name)
    for slot in slots:
        write_slot(run, slot, value, certain=len(slots) == 1)


def write_slot(run: "Run", slot: Slot, value: Value, *, certain: bool = True) -> None:
    """`value` is stored to what is behind a name, converted to its type as an interpreter does."""
    run.watch(slot)
    _elsewhere(run, slot, "write")
    run.machine.step(len(slot.units) + len(slot.buffer_units))
    for unit in list(slot.units.values()):
        _field(run, unit, value)
    for part in list(slot.buffer_units.values()):
        for each in things_of(part.source):
            if isinstance(each, Buffer) and each.write(part.start, part.bits, run.number(value)):
                run.machine.touch(each)
    if not slot.holds_data:
        return
    slot.writers[run.context] = None
    converted = _converts(run, slot)
    if converted and things_of(value):
        value = join(value, ANY)
    run.machine.define(slot, value)
    if run.state is None:
        return
    if certain and not converted:
        run.state.keep(slot, value)
    else:
        run.state.strong.pop(slot, None)


def _converts(run: "Run", slot: Slot) -> bool:
    """Whether what is stored is converted to a string or buffer that the name holds; a buffer's content is lost."""
    converts = False
    for each in things_of(slot.value):
        if isinstance(each, Buffer | Text):
            converts = True
        if isinstance(each, Buffer) and not each.scrambled:
            each.scrambled = True
            run.machine.touch(each)
    return converts


def _field(run: "Run", unit: Unit, value: Value | None) -> Value:
    """Read a field, or store `value` to it: its index or bank register first, then its region."""
    if run.depth >= _MAX_CHAIN:
        return ANY
    run.depth += 1
    part, term = unit.part, unit.term
    if term.op.name == "IndexField":
        width = _WIDTHS.get(part.access, 1)
        index, data = unit.behind
        _store_to(run, index, part.bit_offset // 8 // width * width)
        if value is None:
            for slot in data:
                read_slot(run, slot)
        else:
            _store_to(run, data, value if part.bits == width * 8 else unknown(width * 8))
    else:
        if term.op.name == "BankField":
            _store_to(run, unit.behind[1], unit.bank)
        access(run, unit, write=value is not None)
    run.depth -= 1
    return unknown(part.bits) if part.bits <= WORD else ANY


def _store_to(run: "Run", slots: tuple[Slot, ...], value: Value) -> None:
    for slot in slots:
        write_slot(run, slot, value, certain=len(slots) == 1)


def dereference(run: "Run", each: Thing) -> Value:
    """What a reference refers to (19.6.30 DerefOf); an object that is none stays itself."""
    if isinstance(each, Named):
        return read_slot(run, each.slot)
    if isinstance(each, Element):
        run.watch(each.package)
        return each.package.read(each.at)
    if isinstance(each, Byte):
        run.watch(each.buffer)
        return each.buffer.read(arithmetic("Multiply", each.at, 8, run.mask), 8)
    if isinstance(each, Place):
        run.watch(each.cell)
        return each.cell.value
    return thing(each)


def write_reference(run: "Run", each: Thing, value: Value, *, certain: bool = False) -> None:
    """`value` is stored to what a reference refers to; `certain` says that it can refer to nothing else."""
    if isinstance(each, Named):
        write_slot(run, each.slot, value, certain=certain)
    elif isinstance(each, Element):
        if any(one.holds(each.package) for one in things_of(value) if isinstance(one, Package)):
            run.remark("large", "Package", "a package that holds itself")
        if each.package.write(each.at, value):
            run.machine.touch(each.package)
    elif isinstance(each, Byte):
        place = arithmetic("Multiply", each.at, 8, run.mask)
        if each.buffer.write(place, 8, arithmetic("And", run.number(value), 0xFF, run.mask)):
            run.machine.touch(each.buffer)
    elif isinstance(each, Place):
        run.add(each.cell, value)


def convert(run: "Run", each: Thing, depth: int) -> Value:
    """An object as a number (19.3.5.5, 19.3.5.7): a string's hexadecimal digits, a buffer's first eight bytes."""
    if isinstance(each, Text):
        text = spelled(run, each)
        return unknown(run.mask.bit_length()) if text is None else hexadecimal(text) & run.mask
    if isinstance(each, Buffer):
        run.watch(each)
        return each.read(0, run.mask.bit_length())
    if isinstance(each, Package):
        return NOTHING
    if depth >= _MAX_CHAIN:
        return ANY
    behind = dereference(run, each)
    if isinstance(behind, int):
        return behind
    lo, hi = bounds(behind)
    value: Value = behind._replace(things=frozenset(), open=False) if lo <= hi else NOTHING
    for inner in behind.things:
        if inner != each:
            value = join(value, convert(run, inner, depth + 1))
    return join(value, unknown(64)) if behind.open else value


def spelled(run: "Run", each: Text) -> str | None:
    """What the string says; None where characters of it are stored to."""
    cell = run.machine.letters.setdefault(each.text, Cell())
    run.watch(cell)
    return each.text if cell.value is NOTHING else None


def respell(run: "Run", each: Text) -> None:
    """Characters of the string may be stored to from now on, through an Index of it."""
    run.add(run.machine.letters.setdefault(each.text, Cell()), ANY)


def hexadecimal(text: str) -> int:
    """The number that a string's leading hexadecimal digits write."""
    digits = text[:_MAX_TEXT].strip().lower().removeprefix("0x")
    count = 0
    while count < len(digits) and digits[count] in "0123456789abcdef":
        count += 1
    return int(digits[:count], 16) if 0 < count <= WORD else 0
