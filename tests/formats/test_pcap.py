"""Recordings of packets."""

import struct

import pytest

from warily.errors import FormatError
from warily.formats import pcap

FRAMES = [bytes([n]) * 14 + b"payload" for n in range(3)]


def recording(order: str = "<", link: int = 1, frames: list[bytes] = FRAMES) -> bytes:
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, link)
    return head + b"".join(struct.pack(f"{order}IIII", 0, 0, len(f), len(f)) + f for f in frames)


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_frame_in_either_order_of_bytes(order: str) -> None:
    assert list(pcap.frames(recording(order))) == FRAMES


def test_a_record_that_is_being_written_is_left_out() -> None:
    whole = recording()
    for size in range(len(recording(frames=FRAMES[:2])), len(whole)):
        assert list(pcap.frames(whole[:size])) == FRAMES[:2]


def test_what_is_shorter_than_a_frame_is_passed_over() -> None:
    assert list(pcap.frames(recording(frames=[b"short", *FRAMES]))) == FRAMES


@pytest.mark.parametrize("data", [b"", b"\xd4\xc3\xb2\xa1", recording(link=101), recording()[:24] + b"\xff" * 40])
def test_anything_else_is_malformed(data: bytes) -> None:
    with pytest.raises(FormatError):
        list(pcap.frames(data))
