"""While: a few rounds one by one, then one state that covers all rounds; and how often it may go round.

Source: ACPI 6.5, 19.6.152 While.
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.branches import TARGETS, comparison, mirrored, only_looks, refine
from warily.acpi.bytecode.context import Loop, State
from warily.acpi.bytecode.values import NOTHING, Value, bounds, truth, widen
from warily.formats.aml import NamePath, Operand, Register, Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Run

_ROUNDS: Final = 24
_NESTED_ROUNDS: Final = 3
_SETTLE: Final = 8
_MAX_CONDITIONS: Final = 16
"""So many conditions that end a loop are looked at: for each, the body is read once."""
_FRAMES: Final = 2
_BINARY: Final = 3
"""Operands of an operator with a target."""
_MAX_COUNT: Final = 1 << 32


def while_loop(run: "Run", term: Term) -> Value:
    """The state after it covers every number of rounds."""
    loop = run.context.loops.get(term.offset)
    if loop is None:
        loop = run.context.loops[term.offset] = Loop(term.offset, run.loop)
    run.machine.enter(_FRAMES)
    outer, breaks, continues = run.loop, run.breaks, run.continues
    run.loop, run.breaks, run.continues = loop, [], []
    rounds = _ROUNDS if outer is None else _NESTED_ROUNDS
    first = run.state.copy() if run.state is not None else None
    if not _unroll(run, term, loop, rounds) and first is not None:
        # The rounds that were run are covered again, so that the count begins where the loop does.
        _cover(run, term, loop, first)
    for state in run.breaks:
        run.merge(state)
    run.loop, run.breaks, run.continues = outer, breaks, continues
    run.machine.leave(_FRAMES)
    return 0


def _condition(run: "Run", term: Term) -> bool | None:
    run.place = term.offset
    return truth(run.number(run.value(term.args[0])))


def _body(run: "Run", term: Term) -> None:
    """One round, from the condition on; the state after it is that in which the next begins."""
    refine(run, term.args[0], holds=True)
    run.block(term.body)
    for state in run.continues:
        run.merge(state)
    run.continues = []


def _unroll(run: "Run", term: Term, loop: Loop, rounds: int) -> bool:
    """Whether the loop is known to end within so many rounds; then it has been run."""
    for count in range(rounds):
        holds = _condition(run, term)
        if not run.arrives:
            return True
        if holds is None:
            return False
        if holds:
            _body(run, term)
        if not holds or not run.arrives:
            loop.count = None if loop.count is None else max(loop.count, count + holds)
            return True
    return False


def _cover(run: "Run", term: Term, loop: Loop, head: State) -> None:
    """Make `head` hold at the beginning of every round, and leave with what the condition's end says."""
    entry = head.copy()
    returned = run.returned
    run.perhaps += 1
    for attempt in range(_SETTLE):
        run.state = head.copy()
        if _condition(run, term) is False:
            break
        _body(run, term)
        if not _grown(run, head, hard=attempt > 0):
            break
    else:
        head.give_up()
    run.perhaps -= 1
    run.state = head.copy()
    holds = _condition(run, term)
    _count(run, term, loop, entry)
    leaves = bool(run.breaks) or run.returned != returned
    if holds is True and not leaves:
        loop.forever, loop.count = True, None
    if holds is not True:
        refine(run, term.args[0], holds=False)
    elif leaves:
        run.state = None
    # After an endless loop execution goes on: interpreters give up on it after some time.


def _grown(run: "Run", head: State, *, hard: bool) -> bool:
    after = run.state
    return after is not None and _grow(head, after, hard=hard)


def _grow(head: State, after: State, *, hard: bool) -> bool:
    """`head` covers `after` as well; whether it did not before."""
    before = (head.locals, head.args, head.strong, head.regions)
    if hard:
        head.locals = [widen(old, new) for old, new in zip(head.locals, after.locals, strict=True)]
        head.args = [widen(old, new) for old, new in zip(head.args, after.args, strict=True)]
        head.strong = {slot: value for slot, value in head.strong.items() if after.strong.get(slot) == value}
        head.regions = {slot: each for slot, each in head.regions.items() if after.regions.get(slot) == each}
    else:
        head.join(after)
    return before != (head.locals, head.args, head.strong, head.regions)


def _count(run: "Run", term: Term, loop: Loop, entry: State) -> None:
    """How often it goes round at most, from a variable that every round moves towards a bound."""
    best: int | None = None
    exact = False
    waiting = [(each, True, 0) for each in _conjuncts(term.args[0])]
    waiting += [(condition, holds, 1) for condition, holds in _ways_on(term.body)]
    if not only_looks(term.args[0]):
        waiting.clear()
    for condition, holds, more in waiting[:_MAX_CONDITIONS]:
        found = _bounded(run, term, condition, entry, holds=holds)
        if found is not None and (best is None or found[0] + more < best):
            best, exact = found[0] + more, found[1]
    if best is None or best >= _MAX_COUNT:
        loop.count = None
        loop.exact = False
    elif loop.count is not None:
        loop.count = max(loop.count, best)
        loop.exact = loop.exact and exact


def _conjuncts(condition: Operand) -> list[Operand]:
    if isinstance(condition, Term) and condition.op.name == "LAnd":
        return _conjuncts(condition.args[0]) + _conjuncts(condition.args[1])
    return [condition]


def _ways_on(body: tuple[Operand, ...]) -> list[tuple[Operand, bool]]:
    """What must hold, or not hold, at an If of the body for the round to go on after it: the other way leaves."""
    found = []
    for index, each in enumerate(body):
        if not isinstance(each, Term) or each.op.name != "If":
            continue
        after = body[index + 1] if index + 1 < len(body) else None
        if _leaves(each):
            found.append((each.args[0], False))
        elif isinstance(after, Term) and after.op.name == "Else" and _leaves(after):
            found.append((each.args[0], True))
    return found


def _leaves(branch: Term) -> bool:
    last = branch.body[-1] if branch.body else None
    return isinstance(last, Term) and last.op.name in ("Break", "Return")


def _bounded(
    run: "Run", term: Term, condition: Operand, entry: State, *, holds: bool = True
) -> tuple[int, bool] | None:
    """Rounds that one condition allows while it holds, or does not, and whether constants say so."""
    while isinstance(condition, Term) and condition.op.name == "LNot":
        condition, holds = condition.args[0], not holds
    if isinstance(condition, Register | NamePath):
        return _from(run, term, condition, "LEqual", 0, entry, holds=not holds)
    plain = comparison(condition, holds=holds) if isinstance(condition, Term) else None
    if plain is None or not isinstance(condition, Term):
        return None
    name, holds = plain
    left, right = condition.args
    return _from(run, term, left, name, right, entry, holds=holds) or _from(
        run, term, right, mirrored(name), left, entry, holds=holds
    )


def _from(
    run: "Run", term: Term, variable: Operand, name: str, bound: Operand, entry: State, *, holds: bool
) -> tuple[int, bool] | None:
    """Rounds while `variable name bound` holds, or does not."""
    if not isinstance(variable, Register | NamePath):
        return None
    if isinstance(variable, Register) and (variable.kind, variable.number) in run.context.cells:
        return None
    step = _step(term.body, variable)
    if step is None or (name == "LEqual" and (holds or abs(step) != 1)):
        return None
    end = run.numeric(bound)
    saved, run.state = run.state, entry.copy()
    start = run.numeric(variable)
    run.state = saved
    if NOTHING in {start, end}:
        return None
    rising = (name == "LLess") == holds if name != "LEqual" else step > 0
    if rising != (step > 0):
        return None
    distance = bounds(end)[1] - bounds(start)[0] if rising else bounds(start)[1] - bounds(end)[0]
    exact = isinstance(start, int) and isinstance(end, int)
    if name == "LEqual" and (distance < 0 or not exact):
        return None
    if isinstance(variable, NamePath) and run.loop is not None:
        run.loop.relies.update(dict.fromkeys(run.resolve(variable)))
    return max(0, -(-distance // abs(step)) + (name != "LEqual" and not holds)), exact


def _step(body: tuple[Operand, ...], variable: Operand) -> int | None:
    """By how much each round moves the variable; None where a round may not, or may set it to something else."""
    total = 0
    for operand in body:
        moved = _moved(operand, variable)
        if moved is not None:
            total += moved
        elif _disturbs(operand, variable):
            return None
    return total or None


def _moved(operand: Operand, variable: Operand) -> int | None:
    """What a statement adds to the variable, a known amount."""
    if not isinstance(operand, Term):
        return None
    name, args = operand.op.name, operand.args
    if name in ("Increment", "Decrement") and args[0] == variable:
        return 1 if name == "Increment" else -1
    if name == "Store" and args[1] == variable and isinstance(args[0], Term) and len(args[0].args) == _BINARY:
        name, args = args[0].op.name, (*args[0].args[:2], variable)
    if name not in ("Add", "Subtract") or args[2] != variable:
        return None
    left, right = args[0], args[1]
    if left == variable and isinstance(right, int) and right > 0:
        return right if name == "Add" else -right
    return left if name == "Add" and right == variable and isinstance(left, int) and left > 0 else None


def _disturbs(operand: Operand, variable: Operand) -> bool:
    """Whether something within a statement may store to the variable, or skip the rest of the round."""
    waiting = [operand]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Term):
            if each.op.name == "Continue":
                return True
            at = TARGETS.get(each.op.name)
            if at is not None and any(each.args[place] == variable for place in at):
                return True
            waiting.extend(one for one in (*each.args, *each.body) if isinstance(one, Term))
    return False
