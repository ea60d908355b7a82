"""Which devices are bound, in a /sys whose kernel does as it is told."""

from pathlib import Path

import pytest

from warily.formats.guest_config import CHIPSET, declared
from warily.formats.guest_state import Device
from warily.guest import devices
from warily.guest.refusal import Refused

DECLARED = declared(1, rehearsal=True)
RNG = "1af4:1005:00ff00"


@pytest.fixture
def buses(tmp_path: Path) -> Path:
    """Three buses that bind by themselves, the chipset, and the declared devices without drivers."""
    buses = tmp_path / "bus"
    for name in ("pci", "virtio", "platform"):
        (buses / name / "devices").mkdir(parents=True)
        (buses / name / devices.AUTOPROBE).write_text("1\n")
        (buses / name / "drivers_probe").write_text("")
    for at, identity in CHIPSET:
        plug(buses, at.removeprefix("pci/"), identity)
    for number, entry in enumerate(DECLARED):
        plug(buses, entry.address, entry.identity, kind=entry.kind, number=number)
    return buses


def plug(buses: Path, address: str, identity: str, *, kind: str = "", number: int = 0, driver: str = "") -> None:
    """A PCI function, a virtio device behind it where `kind` is given, and the function's driver."""
    function = buses.parent / "devices" / address
    write(function, identity, ("vendor", "device", "class"))
    (buses / "pci" / "devices" / address).symlink_to(function)
    if kind:
        write(function / f"virtio{number}", kind, ("vendor", "device"))
        (buses / "virtio" / "devices" / f"virtio{number}").symlink_to(function / f"virtio{number}")
    if driver:
        (buses / "pci" / "drivers" / driver).mkdir(parents=True, exist_ok=True)
        (function / "driver").symlink_to(buses / "pci" / "drivers" / driver)


def write(device: Path, identity: str, names: tuple[str, ...]) -> None:
    device.mkdir(parents=True)
    for name, value in zip(names, identity.split(":"), strict=True):
        (device / name).write_text(f"0x{value}\n")


def test_the_bus_of_the_kernels_own_devices_is_stopped_last(buses: Path) -> None:
    assert devices.still_binding(buses) == ("pci", "platform", "virtio")
    devices.stop_binding(own=False, buses=buses)
    assert devices.still_binding(buses) == ("platform",)
    devices.stop_binding(own=True, buses=buses)
    assert devices.still_binding(buses) == ()


def test_devices_are_listed_by_their_slot_with_what_they_are(buses: Path) -> None:
    plug(buses, "0000:00:03.0", RNG, kind="1af4:0004", number=9, driver="virtio-pci")
    found = devices.present(buses)
    assert len(found) == len(CHIPSET) + 2 * len(DECLARED) + 2
    assert Device(at="pci/0000:00:03.0", identity=RNG, driver="virtio-pci") in found
    assert Device(at="virtio/0000:00:03.0", identity="1af4:0004") in found


def test_only_what_is_declared_and_is_what_it_should_be_is_bound(tmp_path: Path) -> None:
    buses = tmp_path / "bus"
    for name in ("pci", "virtio"):
        (buses / name / "devices").mkdir(parents=True)
        (buses / name / "drivers_probe").write_text("")
    root = next(entry for entry in DECLARED if entry.driver == "virtio_blk")
    plug(buses, root.address, root.identity, kind=root.kind, number=4)
    devices.bind(declared(0, rehearsal=False), buses)
    assert (buses / "pci" / "drivers_probe").read_text() == root.address
    assert (buses / "virtio" / "drivers_probe").read_text() == "virtio4"


@pytest.mark.parametrize(
    ("identity", "kind"), [("8086:100e:020000", ""), ("1af4:1042:020000", "1af4:0002"), (RNG, "1af4:0004")]
)
def test_another_device_in_a_declared_slot_is_not_bound(tmp_path: Path, identity: str, kind: str) -> None:
    buses = tmp_path / "bus"
    for name in ("pci", "virtio"):
        (buses / name / "devices").mkdir(parents=True)
        (buses / name / "drivers_probe").write_text("")
    plug(buses, "0000:00:10.0", identity, kind=kind)
    devices.bind(declared(0, rehearsal=False), buses)
    assert [(buses / name / "drivers_probe").read_text() for name in ("pci", "virtio")] == ["", ""]


def test_a_stranger_is_taken_from_its_driver_and_a_machine_that_cannot_is_refused(buses: Path) -> None:
    plug(buses, "0000:00:03.0", RNG, driver="virtio-pci")
    with pytest.raises(Refused, match=r"0000:00:03\.0") as caught:  # here nobody obeys
        devices.release_strangers(DECLARED, buses)
    assert caught.value.check == "devices.bound"
    assert (buses / "pci" / "drivers" / "virtio-pci" / "unbind").read_text() == "0000:00:03.0"


def test_declared_devices_are_left_with_their_driver(tmp_path: Path) -> None:
    buses = tmp_path / "bus"
    (buses / "pci" / "devices").mkdir(parents=True)
    for entry in DECLARED:
        plug(buses, entry.address, entry.identity, driver="virtio-pci")
    assert devices.release_strangers(DECLARED, buses) == ()
    with pytest.raises(Refused, match=r"0000:00:08\.0"):
        devices.release_strangers(declared(1, rehearsal=False), buses)
