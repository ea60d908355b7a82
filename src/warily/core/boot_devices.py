"""What a machine has that firmware could start a program from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PciFunction:
    """One function on bus 0. `kind` is its class code: class, subclass and interface, in 24 bits."""

    device: int
    function: int
    vendor: int
    product: int
    kind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootDevices:
    """The functions of bus 0 in order, QEMU's `bootorder` (empty without one), and whether an ATA drive is attached."""

    pci: tuple[PciFunction, ...]
    order: bytes
    ata: bool
