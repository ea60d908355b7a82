"""Devices that nobody asked for, there at boot: each would give the host a driver to talk to.

A virtio device tells its host how far a driver has taken it (Virtual I/O Device 1.2, 2.1); of the others the control's
/sys and the guest's attested list of devices tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from warily.adversary.attack import Attack, Seen, Together, detected, refused, succeeded
from warily.adversary.targets import ControlTarget, ImageTarget, Target, settle

DRIVEN: Final = "VIRTIO_CONFIG_S_DRIVER_OK"
BIND_WITHIN: Final = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device: QEMU's name for it, its id and slot, and what else QEMU must be told."""

    name: str
    kind: str
    slot: int
    virtio: bool = True
    backend: tuple[str, ...] = ()
    settings: str = ""

    def arguments(self, folder: Path) -> Sequence[str]:
        """The device in its slot."""
        del folder
        legacy = ",disable-legacy=on" if self.virtio else ""
        where = f"id={self.name},bus=pcie.0,addr={self.slot:#x}"
        return (*self.backend, "-device", f"{self.kind},{where}{legacy}{self.settings}")


def driven(target: Target, device: str, within: float = 0.0) -> tuple[bool, str]:
    """Whether a driver of the guest drives the virtio device, and what its status says."""
    for _ in range(max(1, round(within))):
        status = target.driver_status(device)
        if DRIVEN in status:
            break
        settle(1.0 if within else 0.0)
    else:
        status = target.driver_status(device)
    words = ", ".join(word.removeprefix("VIRTIO_CONFIG_S_") for word in status)
    return DRIVEN in status, f"the device's status: {words or 'no driver has touched it'}"


def on_control(target: ControlTarget, *, device: Device) -> Seen:
    """Whether Debian gave it a driver."""
    if device.virtio:
        bound, evidence = driven(target, device.name, BIND_WITHIN)
        return succeeded(evidence) if bound else refused(evidence)
    link = target.run(f"readlink /sys/bus/pci/devices/0000:00:{device.slot:02x}.0/driver")
    name = link.rpartition("/")[2]
    return succeeded(f"driver {name} took the device") if name else refused("no driver took the device")


def on_image(target: ImageTarget, *, device: Device) -> Seen:
    """Whether the image did, and kept it."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone")
    said = target.device(device.slot)
    if device.virtio:
        bound, evidence = driven(target, device.name)
        said = f"{evidence}; {said}"
    else:
        bound = bool(target.driver(device.slot))
    if bound:
        return succeeded(said)
    if target.released(device.slot):
        return detected(f"{said}; {target.fate}")
    return target.nothing_happened(said)


DEVICES: Final[dict[Device, tuple[str, tuple[str, ...]]]] = {
    Device(name="entropy", kind="virtio-rng-pci", slot=0x18): (
        "An entropy source that nobody asked for feeds the kernel the host's numbers",
        ("E05", "F02"),
    ),
    Device(name="balloon", kind="virtio-balloon-pci", slot=0x19): (
        "A memory balloon that nobody asked for has the guest hand back pages",
        ("F09",),
    ),
    Device(
        name="nvme",
        kind="nvme",
        slot=0x1A,
        virtio=False,
        backend=("-blockdev", "driver=null-co,node-name=nothing,read-zeroes=on,size=16777216"),
        settings=",drive=nothing,serial=host",
    ): ("An NVMe controller that nobody asked for gets a driver that trusts it", ("F02",)),
    Device(
        name="serial",
        kind="pci-serial",
        slot=0x0A,
        virtio=False,
        backend=("-chardev", "null,id=line"),
        settings=",chardev=line",
    ): ("A second serial port that nobody asked for gets a driver", ("F02", "F12")),
    Device(name="panic", kind="pvpanic-pci", slot=0x0B, virtio=False): (
        "A device that nobody asked for is told when the kernel panics",
        ("F02",),
    ),
    Device(
        name="network",
        kind="virtio-net-pci",
        slot=0x0D,
        backend=("-netdev", "user,id=other,restrict=on"),
        settings=",netdev=other,romfile=",
    ): ("A second network card that nobody asked for leads to another network of the host's", ("F02",)),
}

ATTACKS: Final[tuple[Attack, ...]] = (
    *(
        Attack(
            id=f"devices.{device.name}",
            title=title,
            component="devices",
            catalogue=catalogue,
            how=Together(
                arguments=device.arguments,
                control=partial(on_control, device=device),
                image=partial(on_image, device=device),
            ),
        )
        for device, (title, catalogue) in DEVICES.items()
    ),
)
