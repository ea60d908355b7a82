"""Packets that were recorded from an Ethernet network, in the classic file format.

Source: draft-ietf-opsawg-pcap, 4 (file header) and 5 (packet record).
"""

from collections.abc import Iterator
from typing import Final

from warily.errors import FormatError

HEADER: Final = 24
RECORD: Final = 16
MAGICS: Final[dict[bytes, str]] = {b"\xd4\xc3\xb2\xa1": "little", b"\xa1\xb2\xc3\xd4": "big"}
ETHERNET: Final = 1
FRAME: Final = 14
SNAPLEN: Final = 1 << 18


def frames(data: bytes) -> Iterator[bytes]:
    """Every whole Ethernet frame, in order; a last record that is cut off, as in a file being written, is left out.

    Raises `FormatError` for what is no recording of Ethernet.
    """
    order = MAGICS.get(data[:4])
    if order is None or len(data) < HEADER:
        raise FormatError("pcap: not a recording of packets")
    little = order == "little"
    kind = int.from_bytes(data[20:24], "little" if little else "big") & 0xFFFF
    if kind != ETHERNET:
        msg = f"pcap: link type {kind}, not Ethernet"
        raise FormatError(msg)
    at = HEADER
    while at + RECORD <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little" if little else "big")
        if size > SNAPLEN:
            msg = f"pcap: a packet of {size} bytes at {at}"
            raise FormatError(msg)
        frame = data[at + RECORD : at + RECORD + size]
        if len(frame) < size:
            return
        if size >= FRAME:
            yield frame
        at += RECORD + size
