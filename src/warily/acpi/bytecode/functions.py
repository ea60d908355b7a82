"""Which PCI function a region in configuration space belongs to, where the tables leave no doubt.

Source: ACPI 6.5, 6.1.1 _ADR, 6.5.5 _BBN, 6.5.6 _SEG; 19.6.100 OperationRegion, PCI_Config.
"""

from collections.abc import Mapping
from typing import Final

from warily.acpi.bytecode.things import Region, Slot
from warily.formats.aml import Namespace, Node


class Functions:
    """Looks functions up in the finished machine: a name counts only for what it may ever hold."""

    def __init__(self, names: Namespace, slots: Mapping[Node, Slot]) -> None:
        self._names: Final = names
        self._slots: Final = slots

    def address(self, region: Region | None) -> int | None:
        """`_ADR` of the device around it, device in the upper half; None unless that is on the first bus for sure."""
        device = _device(region.node if region is not None else None)
        bridge = _device(device.parent if device is not None else None)
        if device is None or bridge is None or _device(bridge.parent) is not None:
            return None
        on_first_bus = all(self._number(bridge, name, otherwise=0) == 0 for name in ("_ADR", "_BBN", "_SEG"))
        return self._number(device, "_ADR", otherwise=None) if on_first_bus else None

    def describe(self, region: Region | None) -> str:
        """For people."""
        address = self.address(region)
        return "a device that is not known" if address is None else f"device {address >> 16:#x}.{address & 0xFFFF:x}"

    def _number(self, device: Node, name: str, *, otherwise: int | None) -> int | None:
        """The only number that this name of the device may ever stand for; `otherwise` where there is no such name."""
        node = device.children.get(name)
        if node is None:
            return otherwise
        slot = self._slots.get(self._names.target(node))
        return slot.value if slot is not None and slot.holds_data and isinstance(slot.value, int) else None


def _device(node: Node | None) -> Node | None:
    """The device that `node` is, or is in."""
    while node is not None and node.kind not in ("Device", "Processor"):
        node = node.parent
    return node
