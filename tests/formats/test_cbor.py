"""CBOR: what others encode is read alike, and arbitrary bytes raise FormatError or make sense."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import cbor
from warily.formats.cbor import Tag

KEYS = st.one_of(st.integers(-(1 << 64), (1 << 64) - 1), st.text(max_size=8), st.binary(max_size=8))
LEAVES = st.one_of(st.none(), st.booleans(), KEYS)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def read(data: bytes) -> Any:  # noqa: ANN401  # any value
    return cbor.decode(data, what="test", limit=1 << 16)


@given(VALUES)
def test_values_go_round_and_another_library_agrees(value: object) -> None:
    data = cbor.encode(value)
    assert read(data) == value
    assert cbor2.loads(data) == value
    assert cbor2.dumps(value) == data


@given(st.binary(max_size=256))
def test_arbitrary_bytes_are_refused_or_understood_as_another_library_does(data: bytes) -> None:
    try:
        value = read(data)
    except FormatError:
        return
    if "Tag(" not in repr(value):
        assert cbor2.loads(data) == value


@pytest.mark.parametrize(
    ("hexadecimal", "value"),
    [
        ("bf616101ff", {"a": 1}),
        ("9f0102ff", [1, 2]),
        ("d28401", None),
        ("d20a", Tag(18, 10)),
        ("1bffffffffffffffff", (1 << 64) - 1),
        ("3bffffffffffffffff", -(1 << 64)),
        ("bfff", {}),
    ],
)
def test_what_is_read(hexadecimal: str, value: object) -> None:
    data = bytes.fromhex(hexadecimal)
    if value is None:
        with pytest.raises(FormatError):
            read(data)
        return
    assert read(data) == value


@pytest.mark.parametrize(
    ("hexadecimal", "says"),
    [
        ("", "1 bytes wanted"),
        ("0000", "unexpected bytes"),
        ("1800", "not minimal"),
        ("190001", "not minimal"),
        ("1a0000ffff", "not minimal"),
        ("1b00000000ffffffff", "not minimal"),
        ("1c", "reserved head"),
        ("5f4101ff", "in pieces"),
        ("7f6101ff", "in pieces"),
        ("1f", "indefinite"),
        ("ff", "simple value"),
        ("f7", "simple value"),
        ("f93c00", "floating point"),
        ("fb3ff0000000000000", "floating point"),
        ("61ff", "not UTF-8"),
        ("a2010102", "1 bytes wanted"),
        ("a201010102", "twice"),
        ("a1f501", "neither integer nor string"),
        ("a18001", "neither integer nor string"),
        ("9b7fffffffffffffff", "items in"),
        ("bb7fffffffffffffff", "items in"),
        ("5b7fffffffffffffff", "remain"),
        ("9f", "1 bytes wanted"),
        ("bf01", "1 bytes wanted"),
        ("81" * 20 + "00", "deep"),
        ("d2" * 20 + "00", "deep"),
        ("9f" * 5000, "deep"),
    ],
)
def test_what_is_refused(hexadecimal: str, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        read(bytes.fromhex(hexadecimal))


def test_the_limit_comes_first() -> None:
    with pytest.raises(FormatError, match="limit of 4"):
        cbor.decode(bytes(5), what="test", limit=4)


def test_what_cbor_cannot_say_is_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError):
        cbor.encode(1.5)
    with pytest.raises(TypeError):
        cbor.encode(1 << 64)
