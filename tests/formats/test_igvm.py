"""IGVM files are read strictly: what a loader could take in two ways is refused."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import igvm_files as files
from warily.errors import FormatError
from warily.formats.igvm import Igvm
from warily.formats.igvm_headers import PageData, PlatformType, VpContext

HEADERS = [files.platform(1, files.SNP), files.policy(1), files.page(0x1000, files.DATA)]
GOOD = files.igvm(HEADERS, bytes(4096))


def test_headers_are_read_in_order() -> None:
    found = Igvm.parse(GOOD)
    assert [header.name for header in found.headers] == ["supported-platform", "guest-policy", "page-data"]
    assert [entry.platform for entry in found.platforms()] == [PlatformType.SEV_SNP]
    data = found.headers[2].value
    assert isinstance(data, PageData)
    assert (data.gpa, data.size, data.unmeasured, data.shared) == (0x1000, 4096, False, False)


def test_version_2_says_architecture_and_page_size() -> None:
    found = Igvm.parse(files.igvm(HEADERS, bytes(4096), version=2))
    assert (found.version, found.architecture, found.page_size) == (2, 0, 4096)


def test_a_processor_may_lack_the_last_reserved_bytes() -> None:
    kind, content = files.processor(0x7000, files.DATA, index=3)
    found = Igvm.parse(files.igvm([*HEADERS, (kind, content[:20])], bytes(4096)))
    state = found.headers[-1].value
    assert isinstance(state, VpContext)
    assert state.vp_index == 3


def test_what_may_be_ignored_is_kept_as_bytes() -> None:
    found = Igvm.parse(files.igvm([*HEADERS, (0x8000_03FF, b"later")], bytes(4096)))
    assert (found.headers[-1].name, found.headers[-1].value) == ("type 0x800003ff", b"later")


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ([*HEADERS, (0x3FF, b"")], "unknown header type 0x3ff"),
        ([files.policy(1), files.platform(1, files.SNP)], "comes after a later section"),
        ([files.platform(3, files.SNP)], "not exactly one bit"),
        ([files.page(0x1001, 0)], "not aligned"),
        ([files.page(0x1000, 0, flags=1)], "not aligned"),
        ([files.page(0x1000, 0, flags=8)], "flags 0x8"),
        ([files.page(0x1000, 0, kind=4)], "data_type: invalid value"),
        ([files.page(0x1000, 8)], "not within the file data"),
        ([files.page(0x1000, files.DATA + 4096)], "not within the file data"),
        ([files.area(0, 100)], "whole pages"),
        ([files.area(0, 1 << 40)], "whole pages"),
        ([files.insert(0x10, 0)], "not aligned"),
        ([(0x303, bytes(8))], "8 bytes where 16"),
    ],
)
def test_headers_that_are_refused(headers: list[tuple[int, bytes]], says: str) -> None:
    with pytest.raises(FormatError, match=says):
        Igvm.parse(files.igvm(headers, bytes(4096)))


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (0, b"XGVM", "signature"),
        (4, struct.pack("<I", 3), "version 3"),
        (8, struct.pack("<I", 16), "do not fit"),
        (12, struct.pack("<I", 1 << 30), "do not fit"),
        (16, struct.pack("<I", 5), "where the header says 5"),
        (20, bytes(4), "checksum"),
        (40, b"\xff", "checksum"),
    ],
)
def test_fixed_headers_that_are_refused(at: int, value: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        Igvm.parse(GOOD[:at] + value + GOOD[at + len(value) :])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(noise: bytes) -> None:
    with pytest.raises(FormatError):
        Igvm.parse(noise)


@given(st.integers(24, 127), st.integers(0, 255))
def test_any_changed_header_is_read_or_refused(at: int, value: int) -> None:
    """With a checksum that fits, so that more than the checksum is asked."""
    bent = bytearray(GOOD)
    bent[at] = value
    size = int.from_bytes(bent[12:16], "little")
    bent[20:24] = struct.pack("<I", zlib.crc32(bytes(bent[:20]) + bytes(4) + bytes(bent[24 : 24 + size])))
    try:
        found = Igvm.parse(bytes(bent))
    except FormatError:
        return
    assert found.headers


def test_every_file_of_the_vectors_is_read(vectors: Path) -> None:
    for path in sorted((vectors / "measure/igvm").glob("*.igvm")):
        assert Igvm.parse(path.read_bytes()).platforms()
