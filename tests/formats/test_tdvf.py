"""TDVF metadata: both ways to find it, and nothing that could be read in two ways."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tdx_images import BFV, CFV, MR_EXTEND, PERM_MEM, TD_HOB, TEMP_MEM, USUAL, legacy, metadata, tdvf
from warily.errors import FormatError
from warily.formats.tdvf import SectionType, Tdvf

BOOT = USUAL[0]


@pytest.mark.parametrize("make", [tdvf, legacy])
def test_both_ways_to_find_the_metadata(make: Callable[[], bytes]) -> None:
    found = Tdvf.parse(make())
    assert [section.type for section in found.sections] == [
        SectionType.BFV,
        SectionType.CFV,
        SectionType.TEMP_MEM,
        SectionType.TD_HOB,
    ]
    assert [section.extended for section in found.sections] == [True, False, False, False]


@pytest.mark.parametrize(
    "sections",
    [
        (),
        ((0, 0, 0x800000, 0x1000, TEMP_MEM, 0),),
        ((0x1000, 0x1000, 0xFFFFF000, 0x1000, BFV, 4),),
        ((0x1000, 0x1000, 0xFFFFF000, 0x1000, BFV, 3),),
        ((0x1000, 0x1000, 0xFFFFF000, 0x1000, 8, MR_EXTEND),),
        ((0x1000, 0x1000, 0xFFFFF800, 0x1000, BFV, MR_EXTEND),),
        ((0x1000, 0x1000, 0xFFFFF000, 0x800, BFV, MR_EXTEND),),
        ((0x1000, 0x2000, 0xFFFFF000, 0x1000, BFV, MR_EXTEND),),
        ((0x1000, 0, 0xFFFFF000, 0x1000, BFV, MR_EXTEND),),
        (BOOT, (0, 0x1000, 0x800000, 0x1000, TD_HOB, 0)),
        (BOOT, (0, 0, 0x800000, 0x1000, TD_HOB, 0), (0, 0, 0x900000, 0x1000, TD_HOB, 0)),
        (BOOT, (0, 0, 0xFFFFE000, 0x2000, TEMP_MEM, 0)),
        (BOOT, (0, 0, 0x800000, 1 << 30, PERM_MEM, 0)),
        (BOOT, (0, 0, (1 << 64) - 0x1000, 0x1000, TEMP_MEM, 0)),
        (BOOT,) * 65,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(sections: tuple[tuple[int, int, int, int, int, int], ...]) -> None:
    with pytest.raises(FormatError):
        Tdvf.parse(tdvf(sections))


def test_memory_that_is_added_later_may_be_large() -> None:
    found = Tdvf.parse(tdvf((BOOT, (0, 0, 0x100000000, 1 << 40, PERM_MEM, 2))))
    assert not found.sections[1].added


@pytest.mark.parametrize("offset", [0, 1, 1 << 31, (1 << 32) - 1])
def test_an_offset_out_of_the_image_is_refused(offset: int) -> None:
    data = bytearray(legacy())
    data[-32:-28] = struct.pack("<I", offset)
    with pytest.raises(FormatError):
        Tdvf.parse(bytes(data))


@pytest.mark.parametrize("about", [metadata(USUAL, signature=b"TDVX"), metadata(USUAL, version=2), b"TDVF"])
def test_another_descriptor_is_refused(about: bytes) -> None:
    data = bytearray(legacy())
    data[0x40 : 0x40 + len(about)] = about
    if about == b"TDVF":
        data[0x44:0x48] = struct.pack("<I", 16)
    with pytest.raises(FormatError):
        Tdvf.parse(bytes(data))


def test_content_is_padded_with_zeros_and_must_be_in_the_image() -> None:
    data = tdvf(((0x1000, 0x800, 0xFFFFF000, 0x1000, BFV, MR_EXTEND), (0x3000, 0x1000, 0x900000, 0x1000, CFV, 0)))
    found = Tdvf.parse(data)
    boot = found.content(found.sections[0], data)
    assert boot == data[0x1000:0x1800] + bytes(0x800)
    with pytest.raises(FormatError, match="not in the image"):
        found.content(found.sections[1], data)


@settings(max_examples=150)
@given(st.binary(max_size=200), st.randoms(use_true_random=False))
def test_arbitrary_bytes(data: bytes, chance: random.Random) -> None:
    base = bytearray(legacy() if chance.random() < 0.5 else tdvf())
    for _ in range(chance.randrange(6)):
        base[chance.randrange(len(base))] = chance.randrange(256)
    for candidate in (data, data.rjust(4096, b"\0"), bytes(base)):
        try:
            found = Tdvf.parse(candidate)
        except FormatError:
            continue
        assert (
            metadata(
                [(s.data_offset, s.raw_size, s.gpa, s.memory_size, int(s.type), s.attributes) for s in found.sections]
            )
            in candidate
        )


def test_genuine_firmware(vectors: Path) -> None:
    data = (vectors / "measure/firmware/OVMF.inteltdx.ms.fd").read_bytes()
    found = Tdvf.parse(data)
    boot = found.only(SectionType.BFV)
    assert boot is not None
    assert (boot.data_offset, boot.raw_size, boot.gpa) == (0x84000, 0x37C000, 0xFFC84000)
    with pytest.raises(FormatError, match="sections of type TEMP_MEM"):
        found.only(SectionType.TEMP_MEM)
