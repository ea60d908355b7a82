"""AML as text that reads like ASL, one line a term, each with its offset in the table."""

from collections.abc import Iterator
from typing import Final

from warily.acpi.bytecode.devices import eisa_name
from warily.formats.acpi._parts import SPACES
from warily.formats.acpi_table import AcpiTable
from warily.formats.aml import ONES, AmlSet, FieldUnit, NamePath, Operand, Register, Term

MAX_INLINE: Final = 24
"""How deep operands are written out inside one another; deeper ones are `…`."""
_INDENT: Final = "    "
_SHOWN_BYTES: Final = 16


def list_bytecode(table: AcpiTable, decoded: AmlSet) -> Iterator[str]:
    """The lines of one table of a set that was decoded as a whole, so that the names of the others are known.

    What cannot be decoded ends the listing with the reason.
    """
    for each in decoded.tables:
        if each.table is not table:
            continue
        for term in each.terms:
            yield from _lines(term)
        for problem in (each.error, each.doubt):
            if problem is not None:
                yield f"{problem.offset:#10x}    MALFORMED_{problem.fault}: {problem}"


def _lines(top: Operand) -> Iterator[str]:
    """The term and what its braces hold, by a stack: nesting costs no Python frames."""
    left: list[tuple[int, Operand | str]] = [(0, top)]
    while left:
        depth, each = left.pop()
        if isinstance(each, str) and each == "}":
            yield f"{'':>10}    {_INDENT * depth}}}"
        elif isinstance(each, Term):
            braces = " {" if each.body else ""
            yield f"{each.offset:#10x}    {_INDENT * depth}{_head(each)}{braces}"
            if each.body:
                left.append((depth, "}"))
                left.extend((depth + 1, inner) for inner in reversed(each.body))
        else:
            yield f"{'':>10}    {_INDENT * depth}{_text(each, 0)}"


def _head(term: Term, depth: int = 0) -> str:
    words = [_text(each, depth + 1) for each in term.args]
    if term.op.name == "OperationRegion" and isinstance(term.args[1], int):
        words[1] = SPACES.get(term.args[1], words[1])
    if term.op.name == "Name" and str(term.args[0]) in ("_HID", "_CID") and isinstance(term.args[1], int):
        words[1] = f'EisaId ("{eisa_name(term.args[1])}")'
    if term.op.name == "Else":
        return "Else"
    if term.op.name == "Call" and words:
        return f"{words[0]} ({', '.join(words[1:])})"
    return f"{term.op.name} ({', '.join(words)})"


def _text(value: Operand, depth: int) -> str:
    """One operand, inline."""
    if depth > MAX_INLINE:
        return "…"
    match value:
        case Term():
            inside = f" {{ {', '.join(_text(each, depth + 1) for each in value.body)} }}" if value.body else ""
            return _head(value, depth) + inside
        case bool() | None:
            return "" if value is None else str(value)
        case int():
            return "Ones" if value == ONES else f"{value:#x}"
        case str():
            return '"' + "".join(letter if " " <= letter <= "~" and letter != '"' else "?" for letter in value) + '"'
        case bytes():
            more = "…" if len(value) > _SHOWN_BYTES else ""
            return f"{{ {value[:_SHOWN_BYTES].hex(' ')}{more} }}"
        case Register() | NamePath():
            return str(value)
        case _:
            return "{ " + ", ".join(map(_unit, value)) + " }"


def _unit(unit: FieldUnit) -> str:
    return f"{unit.name}: {unit.bits} bits at {unit.bit_offset:#x}"
