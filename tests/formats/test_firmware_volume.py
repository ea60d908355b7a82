"""UEFI firmware volumes: genuine images, hostile ones, and limits."""

import hashlib
import lzma
import random
import struct
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import firmware_volume
from warily.formats.firmware_volume import parse_volumes

FFS = "8c8ce578-8a3d-4f1c-9935-896185c32dd3"
LZMA = "ee4e5898-3914-4259-9d6e-dc7bd79403cf"
NAME = "462caa21-7614-4503-836e-8ab6f4662331"
INNER = "eec25bdc-67f2-4d95-b1d5-f81b2039d11d"


def section(kind: int, content: bytes) -> bytes:
    whole = struct.pack("<I", len(content) + 4 | kind << 24) + content
    return whole + bytes(-len(whole) % 4)


def file(name: str, content: bytes, *, kind: int = 0x0B) -> bytes:
    size = (len(content) + 24).to_bytes(3, "little")
    whole = uuid.UUID(name).bytes_le + struct.pack("<HBB", 0, kind, 0) + size + b"\xf8" + content
    return whole + b"\xff" * (-len(whole) % 8)


def volume(files: bytes) -> bytes:
    size = 72 + len(files) + 64
    head = bytes(16) + uuid.UUID(FFS).bytes_le + struct.pack("<Q4sIHHHBB", size, b"_FVH", 0, 72, 0, 0, 0, 2)
    return (head.ljust(72, b"\0") + files).ljust(size, b"\xff")


def packed(content: bytes) -> bytes:
    data = lzma.compress(content, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}])
    return section(2, uuid.UUID(LZMA).bytes_le + struct.pack("<HH", 24, 1) + data)


def nested(depth: int) -> bytes:
    found = volume(file(INNER, b"", kind=1))
    for _ in range(depth):
        found = volume(file(NAME, packed(section(0x17, found))))
    return found


IMAGE = bytes(100) + volume(file(NAME, packed(section(0x19, b"raw") + section(0x17, volume(file(INNER, b"", kind=1))))))


def test_volumes_inside_compressed_sections_are_found() -> None:
    found = parse_volumes(IMAGE)
    assert [(one.offset, one.depth, one.files) for one in found.volumes] == [(100, 0, (NAME,)), (4, 2, (INNER,))]
    assert found.files == {NAME, INNER}
    assert len(found.expanded) == 1


def test_genuine_volumes_are_those_that_a_tpm_was_told(vectors: Path) -> None:
    found = parse_volumes((vectors / "measure/firmware/OVMF.generic.fd").read_bytes())
    digests = [hashlib.sha256(one.data).hexdigest()[:16] for one in found.volumes]
    assert digests[2:4] == ["10e48f005bc9f468", "7aad15bf592e8ebe"]  # events 2 and 3 of the boots in pcr/boot


@pytest.mark.parametrize("data", [b"", bytes(4096), b"_FVH", IMAGE[:-200], IMAGE[:150]])
def test_no_volume_or_half_a_volume_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_volumes(data)


def test_depth_size_and_number_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(parse_volumes(nested(3)).volumes) == 4
    with pytest.raises(FormatError, match="inside each other"):
        parse_volumes(nested(12))
    monkeypatch.setattr(firmware_volume, "MAX_EXPANDED", 1 << 20)
    with pytest.raises(FormatError, match="expands"):
        parse_volumes(volume(file(NAME, packed(bytes(2 << 20)))))
    monkeypatch.setattr(firmware_volume, "MAX_PIECES", 50)
    with pytest.raises(FormatError, match="over 50"):
        parse_volumes(volume(file(INNER, b"", kind=1) * 60))


@settings(max_examples=150)
@given(st.binary(max_size=300), st.randoms(use_true_random=False))
def test_arbitrary_bytes(data: bytes, chance: random.Random) -> None:
    base = bytearray(IMAGE)
    for _ in range(chance.randrange(6)):
        base[chance.randrange(len(base))] = chance.randrange(256)
    for candidate in (data, bytes(base), volume(data)):
        try:
            found = parse_volumes(candidate)
        except FormatError:
            continue
        assert all(bytes(one.data) in candidate or one.depth for one in found.volumes)
