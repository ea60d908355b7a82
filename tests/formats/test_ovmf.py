"""OVMF images: what is read, and that nothing is guessed."""

import hashlib
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ovmf_images import HASH_TABLE, METADATA_OFFSET, RESET_BLOCK, SEV_METADATA, entry, image, metadata, usual
from warily.errors import FormatError
from warily.formats._guid import guid, text_of
from warily.formats.ovmf import Area, Ovmf, SectionType

POINTER = entry(SEV_METADATA, struct.pack("<I", METADATA_OFFSET))
SECTIONS = [(0x800000, 0x9000, 1), (0x80D000, 0x1000, 2), (0x811000, 0x2000, 1), (0x810000, 0x1000, 0x10)]


def test_guids_print_as_the_specification_does() -> None:
    stored = bytes.fromhex("de82b596b21ff745baeaa366c55a082d")
    assert guid("96b582de-1fb2-45f7-baea-a366c55a082d") == stored
    assert text_of(stored) == "96b582de-1fb2-45f7-baea-a366c55a082d"


@pytest.mark.parametrize(
    ("name", "count", "table", "size"),
    [
        ("OVMF.amdsev.fd", 7, Area(gpa=0x810C00, size=0x400), 4 << 20),
        ("OVMF.generic.fd", 7, Area(gpa=0x810C00, size=0x400), 4 << 20),
        ("OVMF_CODE_4M.fd", 7, Area(gpa=0x810C00, size=0x400), 3653632),
        ("OVMF.inteltdx.ms.fd", 4, None, 4 << 20),
        ("OVMF.bookworm.fd", 5, None, 2 << 20),
    ],
)
def test_debian_firmware(vectors: Path, name: str, count: int, table: Area | None, size: int) -> None:
    firmware = Ovmf.parse((vectors / "measure/firmware" / name).read_bytes())
    assert (len(firmware.sections), firmware.hash_table, firmware.reset_eip) == (count, table, 0x80B004)
    assert (firmware.size, firmware.gpa) == (size, (4 << 30) - size)
    assert hashlib.sha256(b"".join(firmware.table)).digest()  # every entry is named by 16 bytes
    assert {len(name) for name in firmware.table} == {16}


def test_sections_keep_the_order_of_the_file_and_lose_the_empty_ones() -> None:
    firmware = Ovmf.parse(usual([(0, 0, 4), *SECTIONS, (0, 0, 1)]))
    assert [(section.gpa, section.size, section.type) for section in firmware.sections] == SECTIONS
    assert firmware.sections[-1].type is SectionType.KERNEL_HASHES


def test_an_absent_feature_is_none() -> None:
    firmware = Ovmf.parse(image(entry(HASH_TABLE, bytes(8)) + entry(RESET_BLOCK, bytes(4))))
    assert (firmware.hash_table, firmware.reset_eip, firmware.sections) == (None, None, ())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "whole 4 KiB pages"),
        (bytes(4097), "whole 4 KiB pages"),
        (bytes(4096), "no OVMF table"),
        (usual([(0x800000, 0x1000, 5)]), "invalid value 0x5"),
        (usual([(0x800000, 0x1000, 0)]), "invalid value 0x0"),
        (usual([(0x800001, 0x1000, 1)]), "not whole pages"),
        (usual([(0x800000, 0x1001, 1)]), "not whole pages"),
        (usual([(0xFFFFF000, 0x2000, 1)]), "not whole pages below 4 GiB"),
        (usual([(0x800000, 0x2000, 2)]), "exactly one page"),
        (usual([(0x800000, 0x2000, 3)]), "exactly one page"),
        (usual([(0x800000, 0x2000, 0x10)]), "exactly one page"),
        (usual([(0, 0x4001000, 1)]), "over the limit"),
        (usual([(0, 0, 1)] * 65), "at most 64"),
        (image(POINTER, about=metadata([], version=2)), "version 2"),
        (image(POINTER, about=b"ASEW" + metadata([])[4:]), "ASEW"),
        (image(POINTER, about=struct.pack("<4sIII", b"ASEV", 28, 1, 2) + bytes(24)), "2 sections in 28 bytes"),
        (image(POINTER, about=struct.pack("<4sIII", b"ASEV", 16, 1, 0xFFFFFFFF)), "sections in 16 bytes"),
        (image(entry(SEV_METADATA, struct.pack("<I", 0xFFFFFFFF))), "before the start"),
        (image(entry(SEV_METADATA, struct.pack("<I", 8))), "8 remain"),
        (image(entry(SEV_METADATA, b"123")), "3 bytes where 4"),
        (image(entry(RESET_BLOCK, bytes(8))), "8 bytes where 4"),
        (image(entry(HASH_TABLE, bytes(4))), "4 bytes where 8"),
        (image(entry(RESET_BLOCK, bytes(4)) * 2), "there twice"),
        (image(b"x" + entry(RESET_BLOCK, bytes(4))), "belong to no entry"),
        (image(entry(RESET_BLOCK, bytes(4)).replace(b"\x16\0", b"\x17\0", 1)), "does not fit"),
        (image(entry(RESET_BLOCK, bytes(4)).replace(b"\x16\0", b"\x00\0", 1)), "does not fit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        Ovmf.parse(data)


def test_firmware_over_16_mib_is_refused() -> None:
    with pytest.raises(FormatError, match="at most 16 MiB"):
        Ovmf.parse(bytes((16 << 20) + 4096))


@settings(max_examples=200)
@given(noise=st.binary(max_size=1500), at=st.integers(0, 4095), base=st.sampled_from([usual(SECTIONS), image(POINTER)]))
def test_arbitrary_bytes_are_refused_or_read_in_bounded_time(noise: bytes, at: int, base: bytes) -> None:
    start = len(base) - 4096 + at
    data = base[:start] + noise + base[start + len(noise) :]
    began = time.process_time()
    try:
        firmware = Ovmf.parse(data[: len(base)])
    except FormatError:
        firmware = None
    assert time.process_time() - began < 0.5
    if firmware is not None:
        assert sum(section.size for section in firmware.sections) <= 64 << 20


@given(st.binary(max_size=300).map(lambda noise: (noise * 4096)[:4096]) | st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Ovmf.parse(data)
