"""What the guest sees of its own kernel, sampled once: the `state` record of its evidence."""

import re
import socket
from pathlib import Path
from typing import Final

from warily.formats.guest_state import Device, GuestState
from warily.guest import devices
from warily.guest.dm import DeviceMapper

LISTEN: Final = "0A"  # TCP_LISTEN, include/net/tcp_states.h
ROOT_DEVICE: Final = "warily-root"
_LOCKDOWN: Final = re.compile(r"\[(\w+)\]")


def sample() -> GuestState:
    """The state at this instant."""
    return GuestState(
        kernel=_text("/proc/sys/kernel/osrelease"),
        command_line=_text("/proc/cmdline"),
        lockdown=lockdown(_text("/sys/kernel/security/lockdown")),
        modules_disabled=_text("/proc/sys/kernel/modules_disabled") == "1",
        kexec_disabled=_text("/proc/sys/kernel/kexec_load_disabled") == "1",
        hibernation="[disabled]" not in _text("/sys/power/disk", absent="[disabled]"),
        swaps=max(len(_text("/proc/swaps").splitlines()) - 1, 0),
        root_is_verity=root_is_verity(),
        devices=devices.present(),
        released=tuple(map(Device.parse, _text(str(devices.RELEASED)).splitlines())),
        autoprobe=devices.still_binding(),
        listening=tuple(sorted({*listeners(_text("/proc/net/tcp")), *listeners(_text("/proc/net/tcp6", absent=""))})),
        modules=tuple(sorted(line.split()[0] for line in _text("/proc/modules").splitlines())),
    )


def lockdown(text: str) -> str:
    """The mode in brackets of /sys/kernel/security/lockdown; `none` where there is no such file."""
    found = _LOCKDOWN.search(text)
    return found[1] if found else "none"


def listeners(table: str) -> set[str]:
    """`address:port` of the listening sockets in /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp.rst)."""
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == LISTEN:  # noqa: PLR2004  # sl, local_address, rem_address, st
            address, _, port = fields[1].partition(":")
            words = bytes.fromhex(address)
            raw = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
            family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6  # noqa: PLR2004  # bytes of IPv4
            host = socket.inet_ntop(family, raw)
            found.add(f"[{host}]:{int(port, 16)}" if ":" in host else f"{host}:{int(port, 16)}")
    return found


def root_is_verity() -> bool:
    """Whether `/` is the dm-verity device that the first program made, and it has met no corruption."""
    device = Path("/").stat().st_dev
    for name in Path("/sys/class/block").glob("dm-*"):
        if (name / "dm" / "name").read_text().strip() != ROOT_DEVICE:
            continue
        major, _, minor = (name / "dev").read_text().strip().partition(":")
        if device != (int(major) << 8 | int(minor)):
            return False
        with DeviceMapper() as mapper:
            table = mapper.table(ROOT_DEVICE)
        return [(target.kind, bytes(target.params)) for target in table] == [("verity", b"V")]
    return False


def _text(path: str, *, absent: str | None = "") -> str:
    """The file's text without the final newline, or `absent` where the kernel has no such file."""
    try:
        return Path(path).read_text().strip()
    except FileNotFoundError:
        if absent is None:
            raise
        return absent
