"""The TD hand-off block list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.td_hob import SYSTEM_MEMORY, UNACCEPTED, TdHob, hand_off, resource

NUMBER = st.integers(0, 1 << 50)
LIST = TdHob(
    hand_off=hand_off(0x809000 + 160),
    resources=(resource(UNACCEPTED, 0, 0x800000), resource(SYSTEM_MEMORY, 0x800000, 0x806000)),
)


def test_the_end_marker_is_not_measured() -> None:
    data = LIST.encode()
    assert len(data) == 56 + 2 * 48 + 8
    assert data == LIST.measured + bytes.fromhex("ffff080000000000")
    assert TdHob.decode(data) == LIST


@pytest.mark.parametrize("cut", [0, 1, 55, 56, 63, 100, 159])
def test_a_list_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(FormatError):
        TdHob.decode(LIST.encode()[:cut])


@pytest.mark.parametrize("at", [0, 2, 4, 56, 58, 60, 152, 154])
def test_other_blocks_are_refused(at: int) -> None:
    data = bytearray(LIST.encode())
    data[at] ^= 0x40
    with pytest.raises(FormatError):
        TdHob.decode(bytes(data))


@given(st.binary(max_size=300), NUMBER, st.lists(st.tuples(st.sampled_from([0, 7]), NUMBER, NUMBER), max_size=4))
def test_round_trip(data: bytes, end: int, parts: list[tuple[int, int, int]]) -> None:
    made = TdHob(
        hand_off=hand_off(end), resources=tuple(resource(kind, start, start + size) for kind, start, size in parts)
    )
    assert TdHob.decode(made.encode()) == made
    try:
        assert TdHob.decode(data).encode() == data
    except FormatError:
        return
