"""Abstract numbers cover every concrete one, and are not wider than leading bits say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.acpi.bytecode.values import MAX, Values, arithmetic, bounds

BYTES = st.integers(0, 255)
CONCRETE = {"And": int.__and__, "Or": int.__or__, "XOr": int.__xor__}


@pytest.mark.parametrize("name", list(CONCRETE))
@given(st.tuples(BYTES, BYTES), st.tuples(BYTES, BYTES), st.data())
def test_a_result_lies_within_the_bounds(
    name: str, left: tuple[int, int], right: tuple[int, int], data: st.DataObject
) -> None:
    one = data.draw(st.integers(min(left), max(left)))
    other = data.draw(st.integers(min(right), max(right)))
    lo, hi = bounds(arithmetic(name, Values(min(left), max(left)), Values(min(right), max(right)), MAX))
    assert lo <= CONCRETE[name](one, other) <= hi


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("Or", 0xFED00000, Values(0, 0xFFF), (0xFED00000, 0xFED00FFF)),
        ("And", Values(0xFED40000, 0xFED40FFF), 0xFFFFFFFC, (0xFED40000, 0xFED40FFF)),
        ("XOr", 0xFED40000, Values(0, 0xF0), (0xFED40000, 0xFED400F0)),
        ("And", Values(0, MAX), 0xFFF, (0, 0xFFF)),
    ],
)
def test_leading_bits_are_kept(name: str, left: Values, right: Values, expected: tuple[int, int]) -> None:
    assert bounds(arithmetic(name, left, right, MAX)) == expected
