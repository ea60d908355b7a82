"""One expression in CEL, evaluated over plain values: bounded in text, in values and in steps. No clock, no thread."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any, Final

from warily.errors import HostError

MAX_STEPS: Final = 50_000  # parts of the expression visited: far over any honest one, and under a second
MAX_VALUES: Final = 100_000
MAX_NESTING: Final = 64
_WIDE: Final = 1 << 63  # integers beyond are text, as CEL has none of them


class Unspoken(Exception):  # noqa: N818  # what it means, not that it is an error
    """The expression came to no value: it does not parse, names what is not there, or takes too long."""


class _Spent(BaseException):
    """No steps are left. The language catches every Exception on its way, so that this is none."""


def evaluate(text: str, said: Mapping[str, object]) -> object:
    """The value of the expression: True, False, or the text of any other. Raises `Unspoken`.

    Raises `HostError` where `cel-python` is not installed.
    """
    celpy, evaluation = _language()
    if max(_depths(text), default=0) > MAX_NESTING:
        msg = f"over {MAX_NESTING} brackets inside one another"
        raise Unspoken(msg)
    limit = sys.getrecursionlimit()
    try:
        environment = celpy.Environment()  # raises the limit of recursion for everybody
        tree = environment.compile(text)
        names = {name: _plain(value, [MAX_VALUES]) for name, value in said.items()}
        values = {name: celpy.json_to_cel(value) for name, value in names.items()}
        activation = environment.program(tree).new_activation()
        value = _counting(evaluation)(tree, activation, [MAX_STEPS]).evaluate(values)
    except _Spent:
        msg = f"over {MAX_STEPS} steps, or {MAX_VALUES} values"
        raise Unspoken(msg) from None
    except Exception as error:  # noqa: BLE001  # whatever a third party's interpreter raises is no value
        msg = f"{type(error).__name__}: {_first(error)}"
        raise Unspoken(msg) from None
    finally:
        sys.setrecursionlimit(limit)
    if isinstance(value, celpy.celtypes.BoolType):
        return bool(value)
    return f"{type(value).__name__} {value}"


def _language() -> tuple[Any, Any]:
    try:
        return importlib.import_module("celpy"), importlib.import_module("celpy.evaluation")
    except ImportError:
        msg = "the expectation has a last word in CEL, and the package cel-python is not installed"
        raise HostError(msg, hint="pip install 'warily[cel]'") from None


def _counting(evaluation: Any) -> Any:  # noqa: ANN401  # a module without types, and a class of it
    """The language's evaluator, which ends when the steps that it shares with those inside it are spent."""

    class Counting(evaluation.Evaluator):  # type: ignore[misc]  # a class without types
        def __init__(self, ast: Any, activation: Any, left: list[int]) -> None:  # noqa: ANN401  # as the language has it
            super().__init__(ast, activation)
            self._left = left

        def sub_evaluator(self, ast: Any) -> Any:  # noqa: ANN401  # as the language has it
            return Counting(ast, self.activation, self._left)

        def visit(self, tree: Any) -> Any:  # noqa: ANN401  # as the language has it
            _spend(self._left)
            return super().visit(tree)

        def visit_children(self, tree: Any) -> Any:  # noqa: ANN401  # as the language has it
            _spend(self._left)
            return super().visit_children(tree)

    return Counting


def _spend(left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        raise _Spent


def _plain(value: object, left: list[int]) -> Any:  # noqa: ANN401  # JSON
    """The value as JSON that the language can hold, counted as it is made."""
    _spend(left)
    match value:
        case Mapping():
            return {str(name): _plain(part, left) for name, part in value.items()}
        case list() | tuple() | frozenset():
            return [_plain(part, left) for part in value]
        case bool() | None | float():
            return value
        case int() if -_WIDE <= value < _WIDE:
            return value
        case _:
            return str(value)


def _depths(text: str) -> list[int]:
    """How deep each bracket stands; brackets in strings count too, which is only stricter."""
    depth, found = 0, []
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        found.append(depth)
    return found


def _first(error: Exception) -> str:
    """What went wrong, in a line that a terminal only prints."""
    said = str(error.args[0]) if error.args else ""
    return "".join(letter if letter.isprintable() else " " for letter in said)[:160]
