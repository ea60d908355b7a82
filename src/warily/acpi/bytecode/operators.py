"""Operators on numbers and conversions between types.

Source: ACPI 6.5, 19.6 ASL Operator Reference. A result that is a string or a buffer and is not known stays unknown.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.names import spelled
from warily.acpi.bytecode.store import store_result
from warily.acpi.bytecode.things import Buffer, Package, Text, Thing, Watched
from warily.acpi.bytecode.values import (
    ANY,
    NOTHING,
    WORD,
    Value,
    arithmetic,
    between,
    bounds,
    compare,
    join,
    things_of,
    truth,
    unknown,
)
from warily.formats.aml import Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Operation, Run

_MAX_BCD: Final = 0xFFFF_FFFF
_MAX_DIGITS: Final = 64
_HEX: Final = 16
_MAX_TEXT: Final = 1024
_MAX_SIZE: Final = 0xFF_FFFF


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
                text = spelled(run, each)
                result = join(result, unknown(WORD) if text is None else _parsed(text) & run.mask)
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
        if isinstance(each, Watched):
            run.watch(each)
        result = join(result, _size(each))
    if isinstance(value, int) or value.open or result == NOTHING:
        result = join(result, between(0, _MAX_SIZE))
    return result


def _size(each: Thing) -> Value:
    if isinstance(each, Text):
        return len(each.text)
    if isinstance(each, Buffer):
        return each.size
    if isinstance(each, Package):
        return each.size
    return between(0, _MAX_SIZE)


def object_type(run: "Run", term: Term) -> Value:
    """ObjectType: a small number. A name is not evaluated."""
    if isinstance(term.args[0], Term):
        run.value(term.args[0])
    return between(0, 16)


def revision(_run: "Run", _term: Term) -> Value:
    """Revision of the interpreter."""
    return unknown(32)


def timer(run: "Run", _term: Term) -> Value:
    """Timer: any number."""
    return unknown(run.mask.bit_length())


OPERATORS: "Final[dict[str, Operation]]" = {
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Mod", "And", "Or", "XOr", "NAnd", "NOr"), binary),
    **dict.fromkeys(("ShiftLeft", "ShiftRight"), binary),
    **dict.fromkeys(("Increment", "Decrement"), count_up),
    **dict.fromkeys(("LEqual", "LLess", "LGreater", "LNotEqual", "LLessEqual", "LGreaterEqual"), compared),
    **dict.fromkeys(("LAnd", "LOr"), both),
    **dict.fromkeys(("FindSetLeftBit", "FindSetRightBit"), find_bit),
    **dict.fromkeys(("FromBCD", "ToBCD"), decimal),
    "LNot": negate,
    "Not": invert,
    "Divide": divide,
    "ToInteger": to_integer,
    "Match": match,
    "SizeOf": size_of,
    "ObjectType": object_type,
    "Revision": revision,
    "Timer": timer,
}
