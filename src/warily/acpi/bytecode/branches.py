"""What a condition says about locals and arguments in the branch that it leads to.

Source: ACPI 6.5, 19.6 LAnd, LOr, LNot, LEqual, LLess, LGreater and their negations.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.values import NOTHING, narrow
from warily.formats.aml import NamePath, Operand, Register, Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Run

_NEGATED: Final = {"LNotEqual": "LEqual", "LLessEqual": "LGreater", "LGreaterEqual": "LLess"}
TARGETS: Final = {
    "Store": (1,),
    "CopyObject": (1,),
    "Increment": (0,),
    "Decrement": (0,),
    "Not": (1,),
    "Divide": (2, 3),
    "Mid": (3,),
    "CondRefOf": (1,),
    "RefOf": (0,),
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Mod", "And", "Or", "XOr", "NAnd", "NOr"), (2,)),
    **dict.fromkeys(("ShiftLeft", "ShiftRight", "Concatenate", "ConcatenateResTemplate", "Index", "ToString"), (2,)),
    **dict.fromkeys(("ToBuffer", "ToInteger", "ToHexString", "ToDecimalString", "FromBCD", "ToBCD"), (1,)),
    **dict.fromkeys(("FindSetLeftBit", "FindSetRightBit"), (1,)),
}
"""Which operands of a term are stored to."""
_MIRRORED: Final = {"LEqual": "LEqual", "LLess": "LGreater", "LGreater": "LLess"}


def comparison(term: Term, *, holds: bool) -> tuple[str, bool] | None:
    """A comparison as LEqual, LLess or LGreater, and whether that holds; None for other terms."""
    name = term.op.name
    if name in _NEGATED:
        return _NEGATED[name], not holds
    return (name, holds) if name in _MIRRORED else None


def mirrored(name: str) -> str:
    """The comparison with its sides exchanged."""
    return _MIRRORED[name]


def only_looks(condition: Operand) -> bool:
    """Whether evaluating the condition stores to nothing, apart from what methods do that it calls."""
    waiting = [condition]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Term):
            if any(each.args[place] is not None for place in TARGETS.get(each.op.name, ()) if place < len(each.args)):
                return False
            waiting.extend(each.args)
    return True


def refine(run: "Run", condition: Operand, *, holds: bool) -> None:
    """The state where `condition` holds, or does not; None where that cannot be.

    A condition that changes what it looks at says nothing.
    """
    if isinstance(condition, Term) and only_looks(condition):
        _refine(run, condition, holds=holds)
    elif isinstance(condition, Register):
        _apply(run, condition, "LEqual", 0, holds=not holds)


def _refine(run: "Run", condition: Operand, *, holds: bool) -> None:
    while isinstance(condition, Term) and condition.op.name == "LNot":
        condition, holds = condition.args[0], not holds
    if isinstance(condition, Register):
        _apply(run, condition, "LEqual", 0, holds=not holds)
        return
    if not isinstance(condition, Term):
        return
    name = condition.op.name
    if name == ("LAnd" if holds else "LOr"):
        _refine(run, condition.args[0], holds=holds)
        _refine(run, condition.args[1], holds=holds)
        return
    as_plain = comparison(condition, holds=holds)
    if as_plain is not None:
        name, holds = as_plain
        left, right = condition.args
        _apply(run, left, name, right, holds=holds)
        _apply(run, right, _MIRRORED[name], left, holds=holds)


def _apply(run: "Run", operand: Operand, name: str, other: Operand, *, holds: bool) -> None:
    """Narrow what a register, or a name just stored to, may hold."""
    state = run.state
    if state is None or not isinstance(other, int | Register | NamePath):
        return
    bound = _certain(run, other) if isinstance(other, NamePath) else run.number(run.value(other))
    if bound is None:
        return
    if isinstance(operand, Register):
        if (operand.kind, operand.number) in run.context.cells:
            return
        narrowed = narrow(run.register(operand), name, bound, holds=holds)
        run.set_register(operand, narrowed)
    elif isinstance(operand, NamePath):
        slots = run.resolve(operand)
        if len(slots) != 1 or slots[0] not in state.strong:
            return
        narrowed = state.strong[slots[0]] = narrow(state.strong[slots[0]], name, bound, holds=holds)
    else:
        return
    if narrowed == NOTHING:
        run.state = None


def _certain(run: "Run", name: NamePath) -> int | None:
    """The number behind a name that nothing else is ever stored to, or that was just stored."""
    slots = run.resolve(name)
    if len(slots) != 1 or run.state is None or not slots[0].holds_data:
        return None
    run.watch(slots[0])
    value = run.state.strong.get(slots[0], slots[0].value)
    return value if isinstance(value, int) else None
