"""Operators on strings and buffers. What is known byte by byte stays so; a string that is not known may name anything.

Source: ACPI 6.5, 19.6.12 Concatenate, 19.6.82 Mid, 19.6.138 to 19.6.143 ToBuffer to ToString; 19.3.5.7 conversions.
"""

from typing import TYPE_CHECKING, Final, TypeAlias

from warily.acpi.bytecode.names import spelled
from warily.acpi.bytecode.store import store_result
from warily.acpi.bytecode.things import MAX_CONTENT, Buffer, Text
from warily.acpi.bytecode.values import ANY, LOST, NOTHING, Value, bounds, join, thing, things_of
from warily.formats.aml import Term

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Operation, Run

_Content: TypeAlias = int | str | bytes | None
_STEP: Final = 64
"""Bytes that cost as much work as one operation."""


def content(run: "Run", value: Value) -> _Content:
    """The operand itself, where it is one number, string or buffer for certain; else None."""
    if isinstance(value, int):
        return value
    if value.open or value.lo <= value.hi or len(value.things) != 1:
        return None
    (each,) = value.things
    if isinstance(each, Text):
        return spelled(run, each)
    if not isinstance(each, Buffer):
        return None
    run.watch(each)
    return each.content()


def to_text(run: "Run", term: Term) -> Value:
    """ToHexString and ToDecimalString: digits, which name no object."""
    value = run.value(term.args[0])
    result: Value = ANY
    known = content(run, value)
    if isinstance(known, int):
        result = thing(Text(f"0x{known:X}" if term.op.name == "ToHexString" else str(known)))
    elif isinstance(known, str):
        result = value
    return store_result(run, term.args[1], result)


def to_string(run: "Run", term: Term) -> Value:
    """ToString: the characters of a buffer up to a zero byte, or so many."""
    value, count = run.value(term.args[0]), run.numeric(term.args[1])
    known = content(run, value)
    result: Value = LOST
    if isinstance(known, bytes) and isinstance(count, int):
        result = thing(Text(known[:count].split(b"\0")[0].decode("latin-1")))
    elif isinstance(known, str):
        result = value
    return store_result(run, term.args[2], result)


def to_buffer(run: "Run", term: Term) -> Value:
    """ToBuffer: a buffer stays the same one, so that what is written to the copy counts for both."""
    value = run.value(term.args[0])
    result: Value = ANY
    things = things_of(value)
    if isinstance(value, int):
        result = _made(run, term, _number(run, value))
    elif things and not value.open and value.lo > value.hi and all(isinstance(e, Buffer | Text) for e in things):
        result = NOTHING
        for each in things:
            result = join(result, _made(run, term, _terminated(each.text)) if isinstance(each, Text) else thing(each))
    return store_result(run, term.args[1], result)


def _number(run: "Run", value: int) -> bytes:
    return value.to_bytes(run.mask.bit_length() // 8, "little")


def _terminated(text: str) -> bytes:
    return text.encode("latin-1", "replace") + b"\0"


def _made(run: "Run", term: Term, data: bytes) -> Value:
    """The buffer that this term makes of the same content every time."""
    run.machine.step(len(data) // _STEP)
    key = id(term), data
    kept = run.machine.conversions.get(key)
    if kept is None:
        kept = run.machine.conversions[key] = Buffer(data, len(data))
    return thing(kept)


def concatenate(run: "Run", term: Term) -> Value:
    """Concatenate: the first operand says whether the result is a string or a buffer."""
    first, second = run.value(term.args[0]), run.value(term.args[1])
    left, right = content(run, first), content(run, second)
    result: Value = LOST
    if isinstance(left, str):
        # Some interpreters write all digits of a number.
        width = run.mask.bit_length() // 4
        tails = [right] if isinstance(right, str) else []
        if isinstance(right, int):
            tails = [f"{right:X}", f"{right:0{width}X}"]
        for tail in tails:
            made = _text(run, left + tail)
            result = made if result == LOST else join(result, made)
    elif left is not None:
        result = ANY
        head = _number(run, left) if isinstance(left, int) else left
        if isinstance(right, int) or (right is not None and isinstance(left, bytes)):
            tail_bytes = _number(run, right) if isinstance(right, int) else right
            data = head + (_terminated(tail_bytes) if isinstance(tail_bytes, str) else tail_bytes)
            if not _is_too_long(run, len(data)):
                result = _made(run, term, data)
    return store_result(run, term.args[2], result)


def _text(run: "Run", text: str) -> Value:
    run.machine.step(len(text) // _STEP)
    return LOST if _is_too_long(run, len(text)) else thing(Text(text))


def _is_too_long(run: "Run", length: int) -> bool:
    """Whether a string or buffer is longer than any table needs: made of itself again and again, it fills memory."""
    if length <= MAX_CONTENT:
        return False
    run.remark("large", "Concatenate", f"a string or buffer of over {MAX_CONTENT} bytes is put together")
    return True


def middle(run: "Run", term: Term) -> Value:
    """Mid: a part of a string or buffer."""
    known = content(run, run.value(term.args[0]))
    start, count = run.numeric(term.args[1]), run.numeric(term.args[2])
    result: Value = LOST
    if isinstance(start, int) and isinstance(count, int):
        if isinstance(known, str):
            result = thing(Text(known[start : start + count]))
        elif isinstance(known, bytes):
            result = _made(run, term, known[start : start + count])
    elif bounds(start)[0] > bounds(start)[1] or bounds(count)[0] > bounds(count)[1]:
        result = NOTHING
    return store_result(run, term.args[3], result)


def concatenate_templates(run: "Run", term: Term) -> Value:
    """ConcatenateResTemplate: a buffer that is not followed."""
    run.value(term.args[0])
    run.value(term.args[1])
    return store_result(run, term.args[2], ANY)


TEXTS: "Final[dict[str, Operation]]" = {
    **dict.fromkeys(("ToHexString", "ToDecimalString"), to_text),
    "ToString": to_string,
    "ToBuffer": to_buffer,
    "Concatenate": concatenate,
    "ConcatenateResTemplate": concatenate_templates,
    "Mid": middle,
}
