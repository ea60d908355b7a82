"""Records behave as the frozen dataclasses they stand for."""

import copy
import dataclasses
import pickle
from typing import ClassVar

import pytest

from warily.errors import UsageError
from warily.formats._record import record


@record
class Pair:
    first: int
    second: str = "two"
    KIND: ClassVar[str] = "pair"

    def __post_init__(self) -> None:
        if self.first < 0:
            raise UsageError("negative")

    @property
    def both(self) -> str:
        return f"{self.first}{self.second}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    first: int
    second: str = "two"


def test_values_compare_hash_and_show_as_dataclasses_do() -> None:
    assert Pair(first=1) == Pair(first=1, second="two") != Pair(first=2)
    assert Pair(first=1) != Twin(first=1)  # type: ignore[comparison-overlap]  # that is the point
    assert len({Pair(first=1), Pair(first=1), Pair(first=2)}) == 2
    assert repr(Pair(first=1)) == repr(Twin(first=1)).replace("Twin", "Pair")
    assert (Pair(first=1).both, Pair.KIND) == ("1two", "pair")


def test_they_are_frozen_and_slotted() -> None:
    made = Pair(first=1)
    for name in ("first", "new"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del made.first
    assert not hasattr(made, "__dict__")


@pytest.mark.parametrize("given", [{}, {"second": "x"}, {"first": 1, "third": 3}, {"first": 1, "second": "x", "a": 1}])
def test_wrong_fields_are_type_errors(given: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"is missing|is no field"):
        Pair(**given)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(TypeError):
        Twin(**given)  # type: ignore[arg-type]  # likewise


def test_the_check_runs() -> None:
    with pytest.raises(UsageError, match="negative"):
        Pair(first=-1)
    with pytest.raises(UsageError, match="negative"):
        dataclasses.replace(Pair(first=1), first=-1)


def test_dataclass_functions_take_them() -> None:
    made = Pair(first=1)
    assert dataclasses.is_dataclass(made)
    assert [entry.name for entry in dataclasses.fields(made)] == ["first", "second"]
    assert dataclasses.asdict(made) == {"first": 1, "second": "two"}
    assert copy.deepcopy(made) == copy.copy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  # our own
