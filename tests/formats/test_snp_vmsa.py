"""The VMSA layout against another implementation's, name by name."""

import pytest
from sevsnpmeasure.vmsa import SevEsSaveArea  # type: ignore[import-untyped]  # an oracle without types

from warily.formats.snp_vmsa import Segment, Vmsa


def test_the_page_is_4_kib() -> None:
    assert Vmsa.SIZE == 4096
    assert Segment.SIZE == 16


@pytest.mark.parametrize("name", [field[0] for field in SevEsSaveArea._fields_ if field[0] in Vmsa.PLACES])
def test_offset_and_width_agree_with_sev_snp_measure(name: str) -> None:
    place, _ = Vmsa.PLACES[name]
    theirs = getattr(SevEsSaveArea, name)
    assert (place.offset, place.width) == (theirs.offset, theirs.size)


def test_most_fields_were_compared() -> None:
    assert sum(field[0] in Vmsa.PLACES for field in SevEsSaveArea._fields_) > 50
