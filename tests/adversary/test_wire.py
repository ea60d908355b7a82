"""Packets that a guest sent are told apart, and the forged advertisement is what RFC 4861 asks for."""

import socket

import pytest

from warily.adversary.attacks.wire import CARD, EVERYBODY, ROUTER, advertisement, checksum, kind_of


def frame(kind: int, packet: bytes) -> bytes:
    return bytes(6) + CARD + kind.to_bytes(2, "big") + packet


def ipv4(protocol: int, port: int = 0, options: int = 0) -> bytes:
    header = bytes([0x45 + options]) + bytes(8) + bytes([protocol]) + bytes(10 + 4 * options)
    return header + bytes(2) + port.to_bytes(2, "big") + bytes(8)


@pytest.mark.parametrize(
    ("kind", "packet", "word"),
    [
        (0x0806, bytes(28), "ARP"),
        (0x0800, ipv4(17, 67), "DHCP"),
        (0x0800, ipv4(17, 53, options=2), "DNS"),
        (0x0800, ipv4(17, 123), "NTP"),
        (0x0800, ipv4(17, 4444), "UDP over IPv4"),
        (0x0800, ipv4(6, 443), "TCP over IPv4"),
        (0x0800, ipv4(1), "IPv4 protocol 1"),
        (0x0800, b"", "IPv4 protocol 0"),
        (0x86DD, bytes(6) + b"\x3a" + bytes(40), "IPv6 protocol 58"),
        (0x86DD, bytes(6) + b"\x11" + bytes(33) + bytes(2) + (547).to_bytes(2, "big"), "DHCPv6"),
        (0x88CC, b"", "type 0x88cc"),
    ],
)
def test_each_frame_has_its_word(kind: int, packet: bytes, word: str) -> None:
    assert kind_of(frame(kind, packet)) == word


def test_the_advertisement_is_one_that_a_kernel_believes() -> None:
    packet = advertisement()[14:]
    source, target, message = packet[8:24], packet[24:40], packet[40:]
    assert int.from_bytes(packet[4:6], "big") == len(message)
    assert (packet[6], packet[7]) == (58, 255), "ICMPv6 from this very link"
    assert socket.inet_ntop(socket.AF_INET6, source) == ROUTER
    assert socket.inet_ntop(socket.AF_INET6, target) == EVERYBODY
    assert checksum(source + target + len(message).to_bytes(4, "big") + bytes([0, 0, 0, 58]) + message) == 0
    assert message[0] == 134
    options, at = [], 16
    while at < len(message):
        options.append(message[at])
        at += 8 * message[at + 1]
    assert (options, at) == ([3, 25], len(message))
