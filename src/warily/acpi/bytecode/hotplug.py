"""Ports and registers of QEMU's own devices that its tables use, and where a table reaches further than it looks.

Writing to the first tells the host something that it already decides. Whatever is not listed here is reported.
Dated data: QEMU 7.2 to 10.0, docs/specs (acpi_cpu_hotplug, acpi_mem_hotplug, acpi_pci_hotplug, acpi_nvdimm, pvpanic),
hw/i386/acpi-build.c, hw/isa/lpc_ich9.c; read November 2026.
"""

from typing import Final, NamedTuple

from warily.core.ranges import Range, RangeSet

HOTPLUG_PORTS: Final = RangeSet.of(
    [
        Range(0x0A00, 0x0A18),  # memory
        Range(0x0CC0, 0x0CE4),  # PCI and CPU, q35
        Range(0xAE00, 0xAE18),  # PCI, pc
        Range(0xAF00, 0xAF20),  # CPU, pc
    ]
)
"""Ports whose protocols ask again and again, until the device has no more to say."""
KNOWN_PORTS: Final = RangeSet.of(
    [
        *HOTPLUG_PORTS.ranges,
        Range(0x0402, 0x0403),  # debug console
        Range(0x0505, 0x0506),  # pvpanic
        Range(0x0A18, 0x0A1C),  # NVDIMM
    ]
)
CONFIGURATION_PORTS: Final = Range(0x0CF8, 0x0D00)
FWCFG_DMA_PORTS: Final = Range(0x0514, 0x051C)
CMOS_PORTS: Final = Range(0x0070, 0x0078)
ECAM: Final = (Range(0xB0000000, 0xC0000000), Range(0xE0000000, 0xF0000000))
"""Where q35 has its configuration window when no MCFG says otherwise."""
INTERRUPT_CONTROLLERS: Final = RangeSet.of([Range(0xFEC00000, 0xFEC01000), Range(0xFEE00000, 0xFEF00000)])


class ConfigRegisters(NamedTuple):
    """Registers of a PCI function, by its `_ADR`, that route interrupts and nothing else."""

    address: int
    registers: Range


KNOWN_REGISTERS: Final = (
    ConfigRegisters(0x001F0000, Range(0x60, 0x64)),  # ICH9 PIRQA to PIRQD
    ConfigRegisters(0x001F0000, Range(0x68, 0x6C)),  # ICH9 PIRQE to PIRQH
    ConfigRegisters(0x00010000, Range(0x60, 0x64)),  # PIIX PIRQRCA to PIRQRCD
)

IN_THE_DSDT: Final = {
    "LNRO0005": "a virtio device",
    "PNP0C80": "memory",
    "QEMU0002": "firmware configuration",
}
"""Devices that QEMU declares in its DSDT alone: in another table, somebody else has added one."""
OF_OTHER_HYPERVISORS: Final = ("MSFT", "VMW", "VMBUS", "XEN")
OF_QEMU: Final = frozenset(("MSFT0101",))
"""A TPM, which is QEMU's under Microsoft's name."""
SYSTEM_BOARD: Final = frozenset(("PNP0C01", "PNP0C02"))
BRIDGES: Final = frozenset(("ACPI0004", "ACPI0016", "PNP0A03", "PNP0A05", "PNP0A06", "PNP0A08"))
DRIVERS_FED_BY_THE_HOST: Final = {
    "PNP0C09": "embedded controller: queries run _Qxx methods whenever the host likes",
    "PNP0C14": "WMI: methods and events of the table's choice",
    "PNP0C33": "hardware errors: addresses to look at come from the host",
    "ACPI0001": "SMBus controller",
    "ACPI0005": "SMBus controller",
    "ACPI0008": "ambient light sensor",
    "ACPI000A": "smart battery",
    "ACPI0002": "smart battery subsystem",
    "ACPI0003": "AC adapter",
    "ACPI0011": "generic buttons",
    "PNP0CA0": "USB Type-C: messages of the host's",
    "PRP0001": "whatever driver the host names in _DSD",
    "ACPI000C": "processor aggregator: idles processors",
    "ACPI000D": "power meter",
    "PNP0C0A": "battery",
}
"""Devices that make a kernel driver listen to the host, by identifier. QEMU's tables have none of them."""
