"""Frozen values like those of `@dataclass(frozen=True, slots=True, kw_only=True)`, at a tenth of the cost to declare.

    @record
    class Pair:
        first: int
        second: int = 0

`dataclasses` writes source code for each class and compiles it while a program starts, which takes longer than
what several verbs then do. A record shares its methods with all others instead. It is a dataclass to whoever
asks: `dataclasses.replace`, `fields` and `asdict` work. Use it where a short command declares many.
"""

from collections.abc import Collection
from operator import attrgetter
from typing import Any, ClassVar, NoReturn, TypeVar, dataclass_transform, get_origin

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[_T]) -> type[_T]:
    """Make the class a frozen, slotted value whose annotated names are its keyword-only fields, in that order."""
    kinds = {name: kind for name, kind in cls.__annotations__.items() if not _of_class(kind)}
    body = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__", *kinds)}
    body |= _SHARED | {"__slots__": tuple(kinds), "__match_args__": (), "_DEFAULTS": _defaults(cls, kinds)}
    kind: Any = type(cls)
    made = kind(cls.__name__, cls.__bases__, body)
    made._PUT = {name: vars(made)[name].__set__ for name in kinds}  # noqa: SLF001  # the class that this declares
    made._ALL = attrgetter(*kinds) if kinds else (lambda _: ())  # noqa: SLF001  # likewise
    made._CHECK = vars(made).get("__post_init__")  # noqa: SLF001  # likewise
    found: type[_T] = made
    return found


def _of_class(kind: object) -> bool:
    return kind is ClassVar or get_origin(kind) is ClassVar


def _defaults(cls: type, kinds: dict[str, object]) -> dict[str, object]:
    return {name: vars(cls)[name] for name in kinds if name in vars(cls)}


def _init(self: Any, /, **values: object) -> None:  # noqa: ANN401  # any record
    cls = type(self)
    put = cls._PUT
    if len(values) < len(put):
        values = cls._DEFAULTS | values
    if len(values) != len(put):
        _refuse_fields(cls.__name__, put, values)
    for name, value in values.items():
        if name not in put:
            _refuse_fields(cls.__name__, put, values)
        put[name](self, value)
    if cls._CHECK:
        cls._CHECK(self)


def _refuse_fields(name: str, fields: Collection[str], values: Collection[str]) -> NoReturn:
    wrong = [f"{field} is missing" for field in fields if field not in values]
    wrong += [f"{field} is no field" for field in values if field not in fields]
    msg = f"{name}: {', '.join(wrong)}"
    raise TypeError(msg)


def _equal(self: Any, other: object) -> Any:  # noqa: ANN401  # any record; a truth value, or NotImplemented
    alike = type(other) is type(self)
    if not alike:
        return NotImplemented
    return self._ALL(self) == self._ALL(other)


def _hash(self: Any) -> int:  # noqa: ANN401  # any record
    return hash(self._ALL(self))


def _text(self: Any) -> str:  # noqa: ANN401  # any record
    parts = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._PUT)
    return f"{type(self).__qualname__}({parts})"


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415  # costs more than all records of a short command

    msg = f"cannot assign to or delete field {name!r} of {type(self).__name__}"
    raise FrozenInstanceError(msg)


def _reduce(self: Any) -> tuple[object, ...]:  # noqa: ANN401  # any record
    return _again, (type(self), {name: getattr(self, name) for name in self._PUT})


def _again(kind: type[_T], values: dict[str, object]) -> _T:
    return kind(**values)


class _Fields:
    """What makes `dataclasses` take a record for one of its own, made when it asks."""

    def __get__(self, _: object, owner: Any) -> dict[str, Any]:  # noqa: ANN401  # any record
        import dataclasses  # noqa: PLC0415  # costs more than all records of a short command

        kinds, defaults = owner.__annotations__, owner._DEFAULTS  # noqa: SLF001  # a record's own
        made: Any = dataclasses.make_dataclass(
            owner.__name__,
            [
                (name, kinds[name], dataclasses.field(default=defaults.get(name, dataclasses.MISSING)))
                for name in owner._PUT  # noqa: SLF001  # a record's own
            ],
            kw_only=True,
        )
        found: dict[str, Any] = made.__dataclass_fields__
        return found


_SHARED: dict[str, object] = {
    "__init__": _init,
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _text,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__reduce__": _reduce,
    "__dataclass_fields__": _Fields(),
}
