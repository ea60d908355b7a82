"""Operators on numbers and conversions between types.

Source: ACPI 6.5, 19.6 ASL Operator Reference. A result that is a string or a buffer and is not known stays unknown.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.store import store_result
from warily.acpi.bytecode.things import Buffer, Package, Text, Thing
from warily.acpi.bytecode.values import (
    ANY,
    NOTHING,
    Value,
    arithmetic,
    between,
    bounds,
    compare,
    join,
    points_of,
    thing,
    things_of,
    truth,
    unknown,
)
from warily.formats.aml import Operand, Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Operation, Run

_MAX_BCD: Final = 0xFFFF_FFFF
_MAX_DIGITS: Final = 64
_HEX: Final = 16
_MAX_TEXT: Final = 1024


def binary(run: "Run", term: Term) -> Value:
    """Add, Subtract, And and the like: the result goes to the third operand as well."""
    left, right = run.numeric(term.args[0]), run.numeric(term.args[1])
    return store_result(run, term.args[2], arithmetic(term.op.name, left, right, run.mask))


def divide(run: "Run", term: Term) -> Value:
    """Divide: remainder to the third operand, quotient to the fourth."""
    left, right = run.numeric(term.args[0]), run.numeric(term.args[1])
    store_result(run, term.args[2], arithmetic("Mod", left, right, run.mask))
    return store_result(run, term.args[3], arithmetic("Divide", left, right, run.mask))


def count_up(run: "Run", term: Term) -> Value:
    """Increment and Decrement."""
    old = run.numeric(term.args[0])
    new = arithmetic("Add" if term.op.name == "Increment" else "Subtract", old, 1, run.mask)
    return store_result(run, term.args[0], new)


def invert(run: "Run", term: Term) -> Value:
    """Not: every bit inverted."""
    value = run.numeric(term.args[0])
    lo, hi = bounds(value)
    if lo > hi:
        return store_result(run, term.args[1], NOTHING)
    return store_result(run, term.args[1], arithmetic("Subtract", run.mask, value, run.mask))


def find_bit(run: "Run", term: Term) -> Value:
    """FindSetLeftBit and FindSetRightBit: 0 for none, else counted from 1."""
    value = run.numeric(term.args[0])
    if not isinstance(value, int):
        return store_result(run, term.args[1], between(0, run.mask.bit_length()))
    lowest = (value & -value).bit_length()
    return store_result(run, term.args[1], value.bit_length() if term.op.name == "FindSetLeftBit" else lowest)


def decimal(run: "Run", term: Term) -> Value:
    """FromBCD and ToBCD."""
    value = run.numeric(term.args[0])
    result: Value = unknown(run.mask.bit_length())
    if isinstance(value, int) and value <= _MAX_BCD:
        if term.op.name == "ToBCD":
            result = int(str(value), 16)
        elif f"{value:x}".isdigit():
            result = int(f"{value:x}")
    return store_result(run, term.args[1], result)


def _boolean(run: "Run", holds: bool | None) -> Value:  # noqa: FBT001 - the value that the operator yields
    if holds is None:
        return join(0, run.mask)
    return run.mask if holds else 0


def _is_reached(*values: Value) -> bool:
    return NOTHING not in values


def compared(run: "Run", term: Term) -> Value:
    """LEqual, LLess, LGreater and their negations. Strings and buffers may compare either way."""
    name = term.op.name
    first, second = run.value(term.args[0]), run.value(term.args[1])
    if not _is_reached(first, second):
        return NOTHING
    if things_of(first) or things_of(second):
        run.number(first)
        run.number(second)
        return _boolean(run, None)
    left, right = run.number(first), run.number(second)
    negated = {"LNotEqual": "LEqual", "LLessEqual": "LGreater", "LGreaterEqual": "LLess"}.get(name)
    holds = compare(negated or name, left, right)
    return _boolean(run, holds if negated is None or holds is None else not holds)


def both(run: "Run", term: Term) -> Value:
    """LAnd and LOr. Both sides are evaluated: an interpreter does, too."""
    values = run.numeric(term.args[0]), run.numeric(term.args[1])
    if not _is_reached(*values):
        return NOTHING
    left, right = map(truth, values)
    if term.op.name == "LAnd":
        return _boolean(run, False if left is False or right is False else True if left and right else None)
    return _boolean(run, True if left or right else False if left is False and right is False else None)


def negate(run: "Run", term: Term) -> Value:
    """LNot."""
    value = run.numeric(term.args[0])
    if not _is_reached(value):
        return NOTHING
    holds = truth(value)
    return _boolean(run, None if holds is None else not holds)


def to_integer(run: "Run", term: Term) -> Value:
    """ToInteger: strings are decimal, or hexadecimal after 0x."""
    value = run.value(term.args[0])
    result: Value = run.number(value) if not any(isinstance(each, Text) for each in things_of(value)) else NOTHING
    if result == NOTHING and not isinstance(value, int):
        result = run.number(value._replace(things=frozenset(e for e in value.things if not isinstance(e, Text))))
        for each in value.things:
            if isinstance(each, Text):
                result = join(result, _parsed(each.text) & run.mask)
    return store_result(run, term.args[1], result)


def _parsed(text: str) -> int:
    text = text[:_MAX_TEXT].strip().lower()
    base = _HEX if text.startswith("0x") else 10
    digits = text.removeprefix("0x") if base == _HEX else text
    allowed = "0123456789abcdef"[:base]
    count = 0
    while count < len(digits) and digits[count] in allowed:
        count += 1
    return int(digits[:count], base) if 0 < count <= _MAX_DIGITS else 0


def to_text(run: "Run", term: Term) -> Value:
    """ToHexString, ToDecimalString, ToString."""
    value = run.value(term.args[0])
    for operand in term.args[1:-1]:
        run.value(operand)
    result: Value = ANY
    texts = things_of(value)
    if isinstance(value, int):
        result = thing(Text(f"0x{value:X}" if term.op.name == "ToHexString" else str(value)))
    elif len(texts) == 1 and points_of(value) == frozenset() and isinstance(next(iter(texts)), Text):
        result = value
    return store_result(run, term.args[-1], result)


def to_buffer(run: "Run", term: Term) -> Value:
    """ToBuffer: a buffer stays the same one, so that what is written to the copy counts for both."""
    value = run.value(term.args[0])
    result: Value = ANY
    things = things_of(value)
    if isinstance(value, int):
        width = run.mask.bit_length() // 8
        result = _made(run, term, value.to_bytes(width, "little"))
    elif things and not value.open and value.lo > value.hi and all(isinstance(e, Buffer | Text) for e in things):
        result = _as_buffers(run, term, value)
    return store_result(run, term.args[1], result)


def _as_buffers(run: "Run", term: Term, value: Value) -> Value:
    result: Value = NOTHING
    for each in things_of(value):
        if isinstance(each, Buffer):
            result = join(result, thing(each))
        elif isinstance(each, Text):
            result = join(result, _made(run, term, each.text.encode("latin-1", "replace") + b"\0"))
    return result


def _made(run: "Run", term: Term, data: bytes) -> Value:
    """The buffer that this term makes of the same content every time."""
    key = id(term), data
    kept = run.machine.conversions.get(key)
    if kept is None:
        kept = run.machine.conversions[key] = Buffer(data, len(data))
    return thing(kept)


def concatenate(run: "Run", term: Term) -> Value:
    """Concatenate: known where both sides are known strings."""
    first, second = run.value(term.args[0]), run.value(term.args[1])
    result: Value = ANY
    left, right = _only_text(first), _only_text(second)
    if left is not None:
        tail = right if right is not None else f"{second:X}" if isinstance(second, int) else None
        if tail is not None and len(left) + len(tail) <= _MAX_TEXT:
            result = thing(Text(left + tail))
    return store_result(run, term.args[2], result)


def _only_text(value: Value) -> str | None:
    things = things_of(value)
    if len(things) != 1 or points_of(value) != frozenset():
        return None
    (each,) = things
    return each.text if isinstance(each, Text) else None


def middle(run: "Run", term: Term) -> Value:
    """Mid: known where the string, index and length are."""
    text = _only_text(run.value(term.args[0]))
    start, count = run.numeric(term.args[1]), run.numeric(term.args[2])
    result: Value = ANY
    if text is not None and isinstance(start, int) and isinstance(count, int):
        result = thing(Text(text[start : start + count]))
    return store_result(run, term.args[3], result)


def opaque(run: "Run", term: Term) -> Value:
    """A term whose operands matter for what evaluating them does, and whose result is not followed."""
    for operand in term.args:
        if not isinstance(operand, tuple) or isinstance(operand, Term):
            run.value(operand)
    return ANY


def match(run: "Run", term: Term) -> Value:
    """Match: an index into the package, or Ones."""
    for index in (0, 2, 4, 5):
        run.value(term.args[index])
    return ANY._replace(things=frozenset(), open=False)


def size_of(run: "Run", term: Term) -> Value:
    """SizeOf: bytes or elements; an object that is not known is at most as long as memory."""
    value = run.value(term.args[0])
    result: Value = NOTHING
    for each in things_of(value):
        result = join(result, _size(each))
    if isinstance(value, int) or value.open or result == NOTHING:
        result = join(result, between(0, 0xFF_FFFF))
    return result


def _size(each: Thing) -> Value:
    if isinstance(each, Text):
        return len(each.text)
    if isinstance(each, Buffer):
        return each.size if each.size is not None else between(0, 0xFF_FFFF)
    if isinstance(each, Package):
        return len(each.elements)
    return between(0, 0xFF_FFFF)


def object_type(_run: "Run", _term: Term) -> Value:
    """ObjectType: a small number."""
    return between(0, 16)


def revision(_run: "Run", _term: Term) -> Value:
    """Revision of the interpreter."""
    return unknown(32)


def timer(run: "Run", _term: Term) -> Value:
    """Timer: any number."""
    return unknown(run.mask.bit_length())


def _target_last(term: Term) -> Operand:
    return term.args[-1]


def concatenate_templates(run: "Run", term: Term) -> Value:
    """ConcatenateResTemplate: a buffer that is not followed."""
    run.value(term.args[0])
    run.value(term.args[1])
    return store_result(run, _target_last(term), ANY)


OPERATORS: "Final[dict[str, Operation]]" = {
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Mod", "And", "Or", "XOr", "NAnd", "NOr"), binary),
    **dict.fromkeys(("ShiftLeft", "ShiftRight"), binary),
    **dict.fromkeys(("Increment", "Decrement"), count_up),
    **dict.fromkeys(("LEqual", "LLess", "LGreater", "LNotEqual", "LLessEqual", "LGreaterEqual"), compared),
    **dict.fromkeys(("LAnd", "LOr"), both),
    **dict.fromkeys(("FindSetLeftBit", "FindSetRightBit"), find_bit),
    **dict.fromkeys(("FromBCD", "ToBCD"), decimal),
    **dict.fromkeys(("ToHexString", "ToDecimalString", "ToString"), to_text),
    "LNot": negate,
    "Not": invert,
    "Divide": divide,
    "ToInteger": to_integer,
    "ToBuffer": to_buffer,
    "Concatenate": concatenate,
    "ConcatenateResTemplate": concatenate_templates,
    "Mid": middle,
    "Match": match,
    "SizeOf": size_of,
    "ObjectType": object_type,
    "Revision": revision,
    "Timer": timer,
}
