"""A card and a memory module that are plugged into a machine while it runs.

A card is announced by its PCI Express port, memory by the host's bytecode. Linux tells its host how a request to take
memory in went (ACPI 6.5, 6.3.5 _OST), so it can be seen from outside.

A processor was plugged in too: with QEMU's own tables the control's kernel finds no room for it and refuses it as the
image does, which proves nothing, so it is not in the table.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from warily.adversary.attack import Attack, Seen, Together, refused, succeeded
from warily.adversary.attacks.devices import BIND_WITHIN, driven
from warily.adversary.targets import ControlTarget, ImageTarget, Target, settle

CARD: Final = "plugged"
PORT_SLOT: Final = 0x1B
PLUG_SECONDS: Final = 10.0
TAKEN_WITHIN: Final = 20
MODULE: Final = 128 << 20
COUNT: Final = "ls -d /sys/devices/system/memory/memory* | wc -l"
ANSWERED_WITHIN: Final = 5.0


def port(folder: Path) -> Sequence[str]:
    """A PCI Express port into which something can be plugged."""
    del folder
    return ("-device", f"pcie-root-port,id=doorway,bus=pcie.0,addr={PORT_SLOT:#x},chassis=9,slot=9")


def plug_card(target: Target) -> None:
    """The host plugs a virtio entropy source into the running machine. Raises `HostError`."""
    target.machine.ask("device_add", driver="virtio-rng-pci", bus="doorway", id=CARD)


def card_on_control(target: ControlTarget) -> Seen:
    """Whether Debian gave the newcomer a driver."""
    plug_card(target)
    bound, evidence = driven(target, CARD, BIND_WITHIN)
    return succeeded(f"plugged in while it ran; {evidence}") if bound else refused(evidence)


def card_on_image(target: ImageTarget) -> Seen:
    """Whether the image did."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone")
    plug_card(target)
    bound, evidence = driven(target, CARD, PLUG_SECONDS)
    if bound:
        return succeeded(f"plugged in while it ran; {evidence}")
    return target.nothing_happened(f"plugged in while it ran, and {PLUG_SECONDS:.0f} s later {evidence}")


def room(folder: Path) -> Sequence[str]:
    """One empty slot for a memory module."""
    del folder
    return ("-m", "slots=1,maxmem=64G")


def plug_memory(target: Target) -> None:
    """The host puts a memory module into the slot. Raises `HostError`."""
    target.machine.ask("object-add", **{"qom-type": "memory-backend-ram", "id": "late-ram", "size": MODULE})
    target.machine.ask("device_add", driver="pc-dimm", memdev="late-ram", id="late-dimm")


def answers(target: Target) -> list[dict[str, Any]]:
    """What the guest's kernel answered to notifications about memory modules."""
    found: list[dict[str, Any]] = target.machine.ask("query-acpi-ospm-status")
    return [entry for entry in found if entry["slot-type"] == "DIMM" and (entry["source"] or entry["status"])]


def memory_on_control(target: ControlTarget) -> Seen:
    """Whether Debian took it in."""
    before = after = target.run(COUNT)
    plug_memory(target)
    for _ in range(TAKEN_WITHIN):
        settle(1.0)
        after = target.run(COUNT)
        if after != before:
            return succeeded(f"plugged in while it ran; it had {before} blocks of memory, and now has {after}")
    return refused(f"it still has {after} blocks of memory")


def memory_on_image(target: ImageTarget) -> Seen:
    """Whether the image answered the notification."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone")
    plug_memory(target)
    settle(ANSWERED_WITHIN)
    said = answers(target)
    if said:
        return succeeded(f"plugged in while it ran; the kernel answered: {said}")
    return target.nothing_happened(f"plugged in while it ran, and {ANSWERED_WITHIN:.0f} s later nobody had answered")


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="devices.hot-plug",
        title="A card is plugged in while the machine runs",
        component="devices",
        catalogue=("F03",),
        how=Together(arguments=port, control=card_on_control, image=card_on_image),
    ),
    Attack(
        id="devices.memory-plug",
        title="Memory is plugged in while the machine runs",
        component="devices",
        catalogue=("F03",),
        how=Together(arguments=room, control=memory_on_control, image=memory_on_image),
    ),
)
