"""Boot options of machines with a disk, against a genuine boot and rule by rule."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.measure.boot.test_layout import AFTER, BEFORE, ITEMS, firmware
from warily.core.boot_devices import BootDevices, PciFunction
from warily.formats.tcg_log import EventLog, EventType
from warily.formats.uefi_varstore import GLOBAL, Variable, VariableStore
from warily.measure.boot import BootLayout, FirmwareFacts, events_of, examine, layout_named
from warily.measure.boot.options import SHELL, disk_options, disk_variables

HOST = PciFunction(device=0, function=0, vendor=0x8086, product=0x29C0, kind=0x060000)
DISK = PciFunction(device=1, function=0, vendor=0x1AF4, product=0x1042, kind=0x010000)
AHCI = PciFunction(device=31, function=2, vendor=0x8086, product=0x2922, kind=0x010601)
MACHINE = BootDevices(pci=(HOST, DISK, AHCI), order=b"", ata=False)
NEW = examine(firmware(BEFORE, ITEMS, drivers=(SHELL,)))
LAYOUT = NEW.layouts[0]


def test_a_genuine_boot_from_a_disk(vectors: Path) -> None:
    log = EventLog.decode((vectors / "measure/pcr/boot/uki-esp/binary_bios_measurements").read_bytes())
    logged = [event for event in events_of(log) if event.type == EventType.EFI_VARIABLE_BOOT]
    image = (vectors / "measure/firmware/OVMF.generic.fd").read_bytes()
    facts, store = examine(image), VariableStore.parse(image)
    found = disk_variables(facts, facts.layouts[0], store, MACHINE, file_system=True)
    for algorithm in ("sha1", "sha256", "sha384"):
        assert [event.digest(algorithm) for event in found] == [event.digest(algorithm) for event in logged]


def names(
    facts: FirmwareFacts = NEW, layout: BootLayout = LAYOUT, machine: BootDevices = MACHINE, *, system: bool = False
) -> list[str] | str:
    found = disk_options(facts, layout, machine, file_system=system)
    if isinstance(found, str):
        return found
    order, options = found
    return [options[number].description for number in order]


MENU, SETUP, MISC, INTERNAL = "BootManagerMenuApp", "EFI Firmware Setup", "UEFI Misc Device", "EFI Internal Shell"


def test_the_order_of_firmware() -> None:
    assert names() == [MENU, SETUP, MISC, INTERNAL]
    assert names(system=True) == [MENU, SETUP, "UEFI Non-Block Boot Device", INTERNAL]
    assert names(replace(NEW, drivers=frozenset())) == [MENU, SETUP, MISC]
    old = examine(firmware(AFTER, drivers=(SHELL,)))
    assert names(old, old.layouts[0]) == ["UiApp", MISC, INTERNAL]


@pytest.mark.parametrize("line", [b"/pci@i0cf8/scsi@1/disk@0,0", b"/pci@i0cf8/scsi@1,0/disk@0,0"])
def test_the_order_of_qemu(line: bytes) -> None:
    assert names(machine=replace(MACHINE, order=line + b"\0")) == [MISC, MENU, SETUP, INTERNAL]


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(MACHINE, ata=True), "ATA drives"),
        (replace(MACHINE, pci=(HOST, AHCI)), "this one has 0"),
        (replace(MACHINE, pci=(HOST, DISK, replace(DISK, device=2))), "this one has 2"),
        (replace(MACHINE, pci=(DISK, replace(DISK, device=2, product=0x1048))), "not virtio-blk"),
        (replace(MACHINE, pci=(DISK, replace(DISK, device=2, product=0x10, kind=0x010802))), "not virtio-blk"),
        (replace(MACHINE, pci=(DISK, replace(DISK, device=2, product=0x1000, kind=0x020000))), "a network card"),
        (replace(MACHINE, pci=(DISK, replace(HOST, device=2, kind=0x060400))), "behind a bridge"),
        (replace(MACHINE, pci=(DISK, replace(HOST, device=2, kind=0x0C0330))), "USB devices"),
        (replace(MACHINE, order=b"/pci@i0cf8/scsi@2/disk@0,0\0"), "something else than the disk"),
        (replace(MACHINE, order=b"/rom@genroms/x.bin\0"), "something else than the disk"),
        (replace(MACHINE, order=b"/pci@i0cf8/scsi@1/disk@0,0\nHALT\0"), "something else than the disk"),
    ],
)
def test_what_is_not_modelled_is_said(machine: BootDevices, words: str) -> None:
    found = names(machine=machine)
    assert isinstance(found, str)
    assert words in found


def test_a_shell_whose_attributes_nobody_saw() -> None:
    layout = layout_named("ovmf-2025.05")
    assert "shell" in names(layout=layout)
    assert names(replace(NEW, drivers=frozenset()), layout) == [MENU, SETUP, MISC]


def test_what_is_missing_is_said() -> None:
    empty = VariableStore(variables=())
    ordered = VariableStore(variables=(Variable(vendor=GLOBAL, name="BootOrder", attributes=7, value=bytes(2)),))
    for store, machine, system, words in (
        (None, MACHINE, False, "no variable store"),
        (ordered, MACHINE, False, "boot options already"),
        (empty, None, False, "devices are not given"),
        (empty, MACHINE, None, "content, which is not given"),
    ):
        (event,) = disk_variables(NEW, LAYOUT, store, machine, file_system=system)
        assert words in event.because
    assert len(disk_variables(NEW, LAYOUT, empty, MACHINE, file_system=False)) == 5
