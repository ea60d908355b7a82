"""The boot options that firmware makes when it looks for a program on a disk.

Its own programs come first, then an option for each disk in the order of the bus, then the shell where the image has
one. With QEMU's boot order, disks that it names come first in the order. What else firmware could start from is not
modelled, and then nothing is said.
Source: edk2 MdeModulePkg/Library/UefiBootManagerLib, OvmfPkg/Library/PlatformBootManagerLib and QemuBootOrderLib; seen
in boots of Debian's 2022.11, 2025.02 and 2026.08.
"""

import re
from collections.abc import Iterator
from typing import Final

from warily.core.boot_devices import BootDevices, PciFunction
from warily.formats.load_option import LoadOption, firmware_file, pci_device
from warily.formats.tcg_log import EventType
from warily.formats.uefi_varstore import VariableStore
from warily.measure.boot.event import BootEvent, unknown
from warily.measure.boot.layout import BootLayout, FirmwareFacts
from warily.measure.boot.steps import boot_variable

SHELL: Final = "7c04a583-9e3e-4f1c-ad65-e05268d0b4d1"
VIRTIO: Final = 0x1AF4
VIRTIO_BLOCK: Final = (0x1001, 0x1042)
ACTIVE: Final = 0x1
MADE_BY_FIRMWARE: Final = bytes.fromhex("4eac0881119f594d850ee21a522c59b2")  # marks options of devices
PARTITIONED: Final = "UEFI Misc Device"
FILE_SYSTEM: Final = "UEFI Non-Block Boot Device"

_ATA: Final = 0x0106
# The upper half of a class code → what it could start a program from.
_OTHERS: Final = {0x0604: "devices behind a bridge", 0x0C03: "USB devices"}
_CLASSES: Final = {0x01: "a disk that is not virtio-blk", 0x02: "a network card"}
_LINE: Final = re.compile(rb"/pci@i0cf8/scsi@([0-9a-f]{1,2})(?:,([0-7]))?/disk@0,0")


def disk_options(
    facts: FirmwareFacts, layout: BootLayout, devices: BootDevices, *, file_system: bool
) -> tuple[tuple[int, ...], dict[int, LoadOption]] | str:
    """The boot order and the options by number; or why they are not known.

    `file_system` says that the one disk has no partitions, and a file system instead.
    """
    disks = [each for each in devices.pci if _is_disk(each)]
    if others := [*_unmodelled(devices)]:
        return f"firmware makes boot options of {others[0]}, which are not modelled"
    if len(disks) != 1:
        return f"boot options of a machine with one virtio-blk disk are modelled, and this one has {len(disks)}"
    if SHELL in facts.drivers and layout.shell_attributes is None:
        return "with which attributes this firmware lists its shell is not known"
    path = pci_device(disks[0].device, disks[0].function)
    name = FILE_SYSTEM if file_system else PARTITIONED
    options = [*layout.boot_options, LoadOption(attributes=ACTIVE, description=name, path=path, data=MADE_BY_FIRMWARE)]
    if SHELL in facts.drivers and layout.shell_attributes is not None:
        shell = firmware_file(layout.option_volume, SHELL)
        attributes = layout.shell_attributes
        options.append(LoadOption(attributes=attributes, description="EFI Internal Shell", path=shell))
    first = _named(devices.order, disks[0])
    if first is None:
        return "QEMU's boot order names something else than the disk"
    own = len(layout.boot_options)
    numbers = range(len(options))
    order = (own, *(number for number in numbers if number != own)) if first else tuple(numbers)
    return order, dict(enumerate(options))


def _is_disk(each: PciFunction) -> bool:
    return each.vendor == VIRTIO and each.product in VIRTIO_BLOCK


def _unmodelled(devices: BootDevices) -> Iterator[str]:
    if devices.ata:
        yield "ATA drives"
    for each in devices.pci:
        kind = each.kind >> 8
        if kind in _OTHERS:
            yield _OTHERS[kind]
        elif kind >> 8 in _CLASSES and kind != _ATA and not _is_disk(each):
            yield _CLASSES[kind >> 8]


def _named(order: bytes, disk: PciFunction) -> bool | None:
    """Whether QEMU's boot order is the disk; None where it has anything else in it."""
    lines = order.rstrip(b"\0").split(b"\n") if order else []
    found = [_LINE.fullmatch(line) for line in lines]
    places = [match and (int(match[1], 16), int(match[2] or b"0")) for match in found]
    if any(place != (disk.device, disk.function) for place in places):
        return None
    return bool(places)


def disk_variables(
    facts: FirmwareFacts,
    layout: BootLayout,
    store: VariableStore | None,
    devices: BootDevices | None,
    *,
    file_system: bool | None,
) -> tuple[BootEvent, ...]:
    """The events of the boot variables of a machine that starts from a disk; one that says why they are not known."""
    found: tuple[tuple[int, ...], dict[int, LoadOption]] | str
    if store is None:
        found = "there is no variable store to be read"
    elif store.boot_order:
        found = "the store has boot options already"
    elif devices is None:
        found = "firmware makes options of the disks it finds, and the machine's devices are not given"
    elif file_system is None:
        found = "what firmware calls a disk depends on its content, which is not given"
    else:
        found = disk_options(facts, layout, devices, file_system=file_system)
    if isinstance(found, str):
        return (unknown(1, EventType.EFI_VARIABLE_BOOT, "boot options", ingredient="disk", because=found),)
    order, options = found
    first = boot_variable("BootOrder", b"".join(number.to_bytes(2, "little") for number in order))
    return (first, *(boot_variable(f"Boot{number:04X}", options[number].encode()) for number in order))
