"""The guest's devices by their PCI slot, never by what the host calls them."""

import time
from pathlib import Path
from typing import Final

from warily.guest.refusal import Refused

PCI: Final = Path("/sys/bus/pci/devices")
SECTOR: Final = 512
PATIENCE: Final = 10.0  # seconds until a device that the kernel still probes is called missing
PAUSE: Final = 0.01


def block_device(slot: int, what: str, *, at_least: int) -> Path:
    """The node of the virtio disk in `slot`, which holds `at_least` bytes. Raises `Refused`."""
    sysfs = _only(slot, "block", what)
    size = int((sysfs / "size").read_text()) * SECTOR
    if size < at_least:
        check = f"{what}.size"
        raise Refused(check, f"the disk in slot {slot:#04x} has {size} bytes, {at_least} are needed")
    return Path("/dev") / sysfs.name


def network_interface(slot: int) -> str:
    """The name of the network interface in `slot`. Raises `Refused`."""
    return _only(slot, "net", "network").name


def _only(slot: int, kind: str, what: str) -> Path:
    """The one device of that kind behind the slot's virtio function, once the kernel has probed it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := list(PCI.glob(f"0000:00:{slot:02x}.0/virtio*/{kind}/*"))):
        if time.monotonic() > deadline:
            check = f"{what}.absent"
            raise Refused(check, f"there is no {kind} device in PCI slot {slot:#04x}")
        time.sleep(PAUSE)
    if len(found) != 1:
        check = f"{what}.ambiguous"
        raise Refused(check, f"there are {len(found)} {kind} devices in PCI slot {slot:#04x}")
    return found[0]
