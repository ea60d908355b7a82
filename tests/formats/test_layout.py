"""One property for every declared layout: arbitrary bytes raise `FormatError`, or survive a round trip."""

import importlib
import pkgutil
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import warily.formats
from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u16, u32be


def every_layout() -> list[type[Layout]]:
    for module in pkgutil.walk_packages(warily.formats.__path__, "warily.formats."):
        importlib.import_module(module.name)
    found = []
    pending = [Layout]
    while pending:
        for kind in pending.pop().__subclasses__():
            pending.append(kind)
            if kind.__module__.startswith("warily.") and hasattr(kind, "PLACES"):
                found.append(kind)
    return sorted(set(found), key=lambda kind: kind.__qualname__)


@pytest.mark.parametrize("kind", every_layout(), ids=lambda kind: kind.__qualname__)
def test_every_layout_round_trips_or_refuses(kind: type[Layout]) -> None:
    @settings(max_examples=25)
    @given(st.binary(min_size=1, max_size=64), st.integers(0, kind.SIZE - 1), st.booleans())
    def holds(part: bytes, at: int, everywhere: bool) -> None:  # noqa: FBT001  # drawn, not passed
        # Short draws: hypothesis refuses to draw a page whole. Either all noise, or noise among zeros.
        noise = (part * kind.SIZE if everywhere else (bytes(at) + part).ljust(kind.SIZE, b"\0"))[: kind.SIZE]
        try:
            value = kind.unpack(noise)
        except FormatError:
            return
        assert value.pack() == noise

    holds()
    with pytest.raises(FormatError):
        kind.unpack(bytes(kind.SIZE + 1))
    assert kind.SOURCE


@layout(8, source="this test")
class Sample(Layout):
    first: Annotated[int, u16(0)]
    second: Annotated[int, u32be(4)]


def test_values_are_where_they_are_declared() -> None:
    assert Sample.unpack(b"\x01\x00\x00\x00\x00\x00\x00\x02") == Sample(first=1, second=2)


def test_reserved_bytes_must_be_zero() -> None:
    with pytest.raises(FormatError, match=r"reserved bytes 0x2\.\.0x3"):
        Sample.unpack(b"\x01\x00\x00\x01\x00\x00\x00\x02")


def test_overlap_is_a_programming_error() -> None:
    with pytest.raises(TypeError):

        @layout(4, source="this test")
        class Bad(Layout):
            first: Annotated[bytes, octets(0, 3)]
            second: Annotated[int, u16(2)]
