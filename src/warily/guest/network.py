"""The guest's one network, set by ioctl from constants: nothing is asked of the host, no DHCP, no default route."""

import fcntl
import socket
import struct
from pathlib import Path
from typing import Final

from warily.formats.guest_config import GUEST_ADDRESS, NETMASK, NETWORK_SLOT
from warily.guest.devices import network_interface

IPV6: Final = Path("/proc/sys/net/ipv6/conf")
LOOPBACK: Final = "lo"
_GET_FLAGS: Final = 0x8913
_SET_FLAGS: Final = 0x8914
_SET_ADDRESS: Final = 0x8916
_SET_NETMASK: Final = 0x891C
_UP: Final = 0x1
_NAME_SIZE: Final = 15


def configure() -> None:
    """The loopback and the one network interface are up, the latter with its fixed IPv4 address; IPv6 is off."""
    if IPV6.exists():
        (IPV6 / "all" / "disable_ipv6").write_text("1\n")
        (IPV6 / "default" / "disable_ipv6").write_text("1\n")
    name = network_interface(NETWORK_SLOT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _up(control, LOOPBACK)
        fcntl.ioctl(control, _SET_ADDRESS, address_request(name, GUEST_ADDRESS))
        fcntl.ioctl(control, _SET_NETMASK, address_request(name, NETMASK))
        _up(control, name)


def address_request(name: str, address: str) -> bytes:
    """A `struct ifreq` with an IPv4 address (netdevice(7))."""
    return struct.pack("=16sH2x4s16x", _name(name), socket.AF_INET, socket.inet_aton(address))


def _up(control: socket.socket, name: str) -> None:
    answer = fcntl.ioctl(control, _GET_FLAGS, struct.pack("=16sh22x", _name(name), 0))
    flags = struct.unpack("=16sh22x", answer)[1]
    fcntl.ioctl(control, _SET_FLAGS, struct.pack("=16sh22x", _name(name), flags | _UP))


def _name(name: str) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) <= _NAME_SIZE:
        msg = f"{name!r} is no interface name"
        raise ValueError(msg)
    return raw
