"""The guest's devices: which may be bound, what is there all the same, and each by its PCI slot.

The kernel is told to bind nothing by itself. A declared device that is what it should be gets its driver; whatever
else a driver of the kernel has taken before is taken away from it, and stays listed, unbound.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from warily.formats.guest_config import Declared
from warily.formats.guest_state import Device
from warily.guest.refusal import Refused

BUSES: Final = Path("/sys/bus")
LISTED: Final = ("pci", "virtio")  # the buses on which a host's devices appear
# The kernel makes the devices of this one, its interface to the processor among them, and drivers for them are loaded.
OWN: Final = "platform"
AUTOPROBE: Final = "drivers_autoprobe"
# What a driver of the kernel had taken before, for the evidence; in memory, where only root writes.
RELEASED: Final = Path("/run/warily/released")
SECTOR: Final = 512


def stop_binding(*, own: bool, buses: Path = BUSES) -> None:
    """The kernel binds no driver by itself any more; with `own`, not on the bus of its own devices either."""
    for switch in buses.glob(f"*/{AUTOPROBE}"):
        if own or switch.parent.name != OWN:
            switch.write_text("0\n")


def still_binding(buses: Path = BUSES) -> tuple[str, ...]:
    """The buses on which the kernel binds by itself what appears, sorted."""
    return tuple(sorted(switch.parent.name for switch in buses.glob(f"*/{AUTOPROBE}") if switch.read_text()[0] != "0"))


def present(buses: Path = BUSES) -> tuple[Device, ...]:
    """Every PCI and virtio device, bound or not, sorted."""
    return tuple(sorted((device for _, device in _present(buses)), key=str))


def release_strangers(declared: Iterable[Declared], buses: Path = BUSES) -> tuple[Device, ...]:
    """Those PCI functions that a driver had taken and that are not declared: none has a driver any more.

    With a virtio function goes the virtio device behind it. Raises `Refused` for one that its driver keeps.
    """
    expected = {(f"pci/{entry.address}", entry.identity) for entry in declared}
    found = [(path, device) for path, device in _present(buses, ("pci",)) if device.driver]
    strangers = [(path, device) for path, device in found if (device.at, device.identity) not in expected]
    for path, device in strangers:
        (path / "driver" / "unbind").write_text(path.name)
        if (path / "driver").exists():
            raise Refused("devices.bound", f"{device} is not declared, and stays bound")
    return tuple(device for _, device in strangers)


def bind(declared: Iterable[Declared], buses: Path = BUSES) -> None:
    """Each declared device that is there, and is what it should be, has its driver; others have none from this."""
    for entry in declared:
        function = buses / "pci" / "devices" / entry.address
        if not function.exists() or _pci_identity(function) != entry.identity:
            continue
        _probe(function, buses / "pci")
        for path in function.glob("virtio*"):
            if _virtio_identity(path) == entry.kind:
                _probe(path, buses / "virtio")


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
    """The one device of that kind behind the slot's virtio function."""
    found = list((BUSES / "pci" / "devices").glob(f"0000:00:{slot:02x}.0/virtio*/{kind}/*"))
    if not found:
        check = f"{what}.absent"
        raise Refused(check, f"there is no {kind} device in PCI slot {slot:#04x}")
    if len(found) != 1:
        check = f"{what}.ambiguous"
        raise Refused(check, f"there are {len(found)} {kind} devices in PCI slot {slot:#04x}")
    return found[0]


def _probe(device: Path, bus: Path) -> None:
    if not (device / "driver").exists():
        (bus / "drivers_probe").write_text(device.name)


def _present(buses: Path, names: Iterable[str] = LISTED) -> Iterator[tuple[Path, Device]]:
    for bus in names:
        for path in (buses / bus / "devices").glob("*"):
            virtio = bus == "virtio"
            address = path.resolve().parent.name if virtio else path.name
            identity = _virtio_identity(path) if virtio else _pci_identity(path)
            driver = path / "driver"
            bound = driver.readlink().name if driver.is_symlink() else ""
            yield path, Device(at=f"{bus}/{address}", identity=identity, driver=bound)


def _pci_identity(function: Path) -> str:
    return ":".join(_number(function / name) for name in ("vendor", "device", "class"))


def _virtio_identity(device: Path) -> str:
    return ":".join(_number(device / name) for name in ("vendor", "device"))


def _number(file: Path) -> str:
    """The digits of a hexadecimal number in /sys."""
    return file.read_text().strip().removeprefix("0x")
