"""The geometry of verity trees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.verity import FANOUT, MOST_BLOCKS, tree


@given(st.integers(1, MOST_BLOCKS))
def test_levels_cover_what_is_below_and_fill_the_device_from_the_top(blocks: int) -> None:
    shape = tree(blocks)
    below = blocks
    for level in shape.levels:
        assert (level.blocks - 1) * FANOUT < below <= level.blocks * FANOUT
        below = level.blocks
    assert below == 1
    at = 0
    for level in reversed(shape.levels):
        assert level.start == at
        at += level.blocks
    assert at == shape.hash_blocks


@pytest.mark.parametrize(("blocks", "hashes"), [(1, 0), (2, 1), (128, 1), (129, 3), (16384, 129), (16385, 132)])
def test_sizes_are_those_of_the_kernel_documentation(blocks: int, hashes: int) -> None:
    assert tree(blocks).hash_blocks == hashes


@pytest.mark.parametrize("blocks", [0, -1, MOST_BLOCKS + 1])
def test_impossible_sizes_are_refused(blocks: int) -> None:
    with pytest.raises(FormatError):
        tree(blocks)
