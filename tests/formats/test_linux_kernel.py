"""The setup header of a Linux kernel."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.linux_kernel import SetupHeader


def kernel(*, protocol: int = 0x20F, version: bytes = b"6.12.30-cloud (x)\0") -> bytes:
    data = bytearray(0x1000)
    data[0x202:0x206] = b"HdrS"
    data[0x206:0x208] = struct.pack("<H", protocol)
    data[0x20E:0x210] = struct.pack("<H", 0x300)
    data[0x500 : 0x500 + len(version)] = version
    data[0x211] = 1
    data[0x22C:0x230] = struct.pack("<I", 0x7FFFFFFF)
    return bytes(data)


def test_what_it_says() -> None:
    found = SetupHeader.parse(kernel())
    assert (found.protocol, found.load_flags, found.version) == (0x20F, 1, (6, 12))
    assert SetupHeader.parse(kernel(version=b"custom\0")).version is None
    assert SetupHeader.parse(bytes(0x400)).protocol == 0


@given(st.binary(max_size=0x700))
def test_arbitrary_bytes(data: bytes) -> None:
    if len(data) < 0x400:
        with pytest.raises(FormatError):
            SetupHeader.parse(data)
    else:
        assert SetupHeader.parse(data).protocol < 1 << 16
