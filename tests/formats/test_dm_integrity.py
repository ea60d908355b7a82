"""Where dm-integrity keeps tags: numbers of a volume that a kernel formatted, and geometry that is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.dm_integrity import MAGIC, Superblock, tag_runs

MADE = Superblock(
    magic=MAGIC,
    version=5,
    log2_interleave_sectors=15,
    tag_size=32,
    journal_sections=3,
    provided_sectors=127200,
    flags=0x19,
    log2_sectors_per_block=3,
    log2_blocks_per_bitmap_bit=12,
    salt=bytes(16),
    mac=bytes(32),
)
"""Of a 64 MiB volume, as Linux 6.12 made it."""


def test_a_volume_of_64_mib() -> None:
    assert tag_runs(MADE) == [(8, 3 * 264 + 256), (33824, 256), (66848, 256), (99872, 256)]


@given(st.integers(1, 1 << 24), st.integers(1, 64), st.integers(0, 1000))
def test_runs_do_not_overlap_and_each_block_has_a_tag(sectors: int, tag: int, sections: int) -> None:
    runs = tag_runs(replace(MADE, provided_sectors=sectors, tag_size=tag, journal_sections=sections))
    ends = [start + length for start, length in runs]
    assert all(start - end == 1 << 15 for end, (start, _) in zip(ends, runs[1:], strict=False))
    assert len(runs) << 15 >= sectors > (len(runs) - 1) << 15
    assert runs[-1][1] * 512 >= (1 << 12) * tag or len(runs) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"log2_sectors_per_block": 0},
        {"log2_interleave_sectors": 2},
        {"log2_interleave_sectors": 60},
        {"provided_sectors": 0},
        {"provided_sectors": (1 << 64) - 1},
    ],
)
def test_another_geometry_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(FormatError, match="dm-integrity"):
        tag_runs(replace(MADE, **change))  # type: ignore[arg-type]  # one number each
