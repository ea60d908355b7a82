"""Store, CopyObject and the targets of other operators; references.

Source: ACPI 6.5, 19.3.5.8 Rules for Storing and Copying Objects, 19.6 RefOf, DerefOf, Index, CondRefOf.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.names import dereference, respell, spelled, write_name, write_reference
from warily.acpi.bytecode.things import Buffer, Byte, Element, Named, Package, Place, Slot, Text, Thing
from warily.acpi.bytecode.values import (
    ANY,
    NOTHING,
    Value,
    Values,
    bounds,
    join,
    number_only,
    points_of,
    thing,
    things_of,
    unknown,
)
from warily.formats.aml import NamePath, Operand, Register, Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Operation, Run

_REFERENCES: Final = (Named, Element, Byte, Place)
_MAX_HOPS: Final = 4


def store(run: "Run", term: Term) -> Value:
    """Store: the value goes to the target, and is the result."""
    return store_result(run, term.args[1], run.value(term.args[0]))


def store_result(run: "Run", target: Operand, value: Value) -> Value:
    """`value` goes to a target, which may be absent; it is given back."""
    if target is None or run.state is None or isinstance(target, int):
        return value
    if isinstance(target, Register):
        _to_register(run, target, value)
    elif isinstance(target, NamePath):
        write_name(run, target, value)
    elif isinstance(target, Term):
        if target.op.name == "Debug":
            run.remark("debug", "Debug")
        else:
            _through(run, _places(run, target), value)
    return value


def _places(run: "Run", target: Term) -> Value:
    """The references that a target term stands for."""
    if target.op.name == "DerefOf":
        return run.value(target.args[0])
    return run.value(target)


def _through(run: "Run", places: Value, value: Value) -> None:
    if isinstance(places, Values) and places.lost:
        run.remark("lost", "a store through a reference")
    if isinstance(places, Values) and places.open and run.state is not None:
        run.state.forget()
    found = things_of(places)
    certain = len(found) == 1 and isinstance(places, Values) and not places.open
    for each in found:
        if isinstance(each, Text):
            path = _path(run, each)
            if path is not None:
                write_name(run, path, value)
        else:
            write_reference(run, each, value, certain=certain)


def _to_register(run: "Run", target: Register, value: Value) -> None:
    """A local is replaced; an argument that is a reference is stored through instead."""
    if target.kind == "Arg":
        old = run.register(target)
        if isinstance(old, Values) and old.lost:
            run.remark("lost", "a store through an argument")
        if isinstance(old, Values) and old.open and run.state is not None:
            run.state.forget()
        references = [each for each in things_of(old) if isinstance(each, _REFERENCES)]
        certain = len(things_of(old)) == 1 and isinstance(old, Values) and not old.open
        for each in references:
            write_reference(run, each, value, certain=certain)
        if references:
            run.set_register(target, join(old, value))
            return
    run.set_register(target, value)


def copy_object(run: "Run", term: Term) -> Value:
    """CopyObject: the target becomes what the source is, a region or a method as well."""
    source, target = term.args
    value = _objects(run, source)
    if not isinstance(target, NamePath):
        if isinstance(target, Register):
            run.set_register(target, value)
            return value
        return store_result(run, target, value)
    for slot in run.resolve(target):
        if slot.node.kind == "Method" or slot.methods:
            run.remark("redefine", slot.node.path)
        for each in things_of(value):
            if isinstance(each, Named):
                _become(run, slot, each.slot)
        # Its type becomes the source's, so nothing is converted, and fields that it was are so no more.
        run.machine.define(slot, value)
        if run.state is not None:
            run.state.regions.pop(slot, None)
            run.state.strong.pop(slot, None)
    return value


def _objects(run: "Run", source: Operand) -> Value:
    """The source of a copy: a name of a region, a method or a field is that object."""
    if isinstance(source, NamePath):
        value: Value = NOTHING
        for slot in run.resolve(source):
            run.watch(slot)
            value = join(value, thing(Named(slot)))
        return join(value, run.value(source))
    return run.value(source)


def _become(run: "Run", slot: Slot, source: Slot) -> None:
    run.watch(source)
    before = (len(slot.regions), len(slot.methods), slot.value)
    slot.regions.update(source.regions)
    slot.methods.update(source.methods)
    if before != (len(slot.regions), len(slot.methods), slot.value):
        run.machine.touch(slot)


def reference_to(run: "Run", operand: Operand) -> Value:
    """A reference to what an operand names, not its value."""
    if isinstance(operand, Register):
        return thing(Place(run.cell_of(operand)))
    if isinstance(operand, NamePath):
        value: Value = NOTHING
        for slot in run.resolve(operand):
            run.watch(slot)
            value = join(value, thing(Named(slot)))
        return value
    return run.value(operand)


def ref_of(run: "Run", term: Term) -> Value:
    """RefOf."""
    return reference_to(run, term.args[0])


def cond_ref_of(run: "Run", term: Term) -> Value:
    """CondRefOf: whether the name is there; the reference goes to the target."""
    operand = term.args[0]
    value = reference_to(run, operand)
    store_result(run, term.args[1], value)
    if not isinstance(operand, NamePath):
        return run.mask
    slots = run.resolve(operand)
    if not slots:
        return join(0, run.mask) if run.machine.names.find(run.scope, operand) is None else run.mask
    known = any(slot.node.kind not in (None, "External") and not slot.node.dynamic for slot in slots)
    return run.mask if known else join(0, run.mask)


def deref_of(run: "Run", term: Term) -> Value:
    """DerefOf: what the reference refers to; a string is the path of an object."""
    source = term.args[0]
    reads = isinstance(source, Term) and source.op.name == "Index" and source.args[2] is None
    value = _indexed(run, source, reads=True) if isinstance(source, Term) and reads else run.value(source)
    if isinstance(value, Values) and value.lost:
        run.remark("lost", "a reference")
    result: Value = number_only(value)
    if bounds(result)[0] > bounds(result)[1]:
        result = NOTHING
    for each in things_of(value):
        if isinstance(each, Text):
            path = _path(run, each)
            result = join(result, ANY if path is None else run.value(path))
        else:
            result = join(result, _follow(run, each))
    return join(result, ANY) if not isinstance(value, int) and value.open else result


def _follow(run: "Run", each: Thing) -> Value:
    """What a reference refers to, and what is behind that where it is a name.

    An element of a package that is a name stands for what it names; one that a reference was stored to, for that.
    """
    value = dereference(run, each)
    passed: set[Thing] = set()
    for _ in range(_MAX_HOPS):
        inner = [one for one in things_of(value) if isinstance(one, Named) and one.slot.node.kind in _DATA]
        ahead = [one for one in inner if one not in passed]
        if not ahead:
            return value
        passed.update(ahead)
        for one in ahead:
            value = join(value, dereference(run, one))
    return ANY


_DATA: Final = frozenset({"Name", "FieldUnit"})


def index(run: "Run", term: Term) -> Value:
    """Index: a reference to an element of a package, or to a byte of a buffer or string."""
    return _indexed(run, term, reads=False)


def _indexed(run: "Run", term: Term, *, reads: bool) -> Value:
    """Likewise; with `reads`, nothing can be stored through the reference."""
    source, place = run.value(term.args[0]), run.numeric(term.args[1])
    result: Value = NOTHING
    if not isinstance(source, int):
        for each in _containers(run, source):
            if isinstance(each, Text) and not reads:
                respell(run, each)
            result = join(result, _within(each, place))
        if source.open:
            result = join(result, ANY)
    return store_result(run, term.args[2], result)


def _containers(run: "Run", source: Value) -> list[Thing]:
    """Packages, buffers and strings among the objects, references followed once."""
    found: list[Thing] = []
    for each in things_of(source):
        if isinstance(each, Package | Buffer | Text):
            found.append(each)
        else:
            found += [one for one in things_of(dereference(run, each)) if isinstance(one, Package | Buffer | Text)]
    return found


def _within(each: Thing, place: Value) -> Value:
    if isinstance(each, Buffer):
        return thing(Byte(each, place))
    if isinstance(each, Package):
        points = points_of(place)
        if points is None:
            return thing(Element(each, None))
        result: Value = NOTHING
        for point in points:
            result = join(result, thing(Element(each, point)))
        return result
    return unknown(8)


def _path(run: "Run", each: Text) -> NamePath | None:
    """The path that a string is, where it is known to be one."""
    text = spelled(run, each)
    if text is None:
        run.remark("lost", "a string that is changed")
        return None
    return path_of(text)


def path_of(text: str) -> NamePath:
    r"""A path as a string writes it: `\_SB.PCI0`, segments padded to four characters."""
    root = text.startswith("\\")
    rest = text[1:] if root else text
    bare = rest.lstrip("^")
    parts = tuple(part.ljust(4, "_") for part in bare.split(".") if part)
    return NamePath(parts, len(rest) - len(bare), root)


STORES: "Final[dict[str, Operation]]" = {
    "Store": store,
    "CopyObject": copy_object,
    "RefOf": ref_of,
    "CondRefOf": cond_ref_of,
    "DerefOf": deref_of,
    "Index": index,
}
