"""Which signatures are read, and how: the table of tables."""

from collections.abc import Mapping
from typing import Final

from warily.formats.acpi import (
    channels,
    error_records,
    fadt,
    firmware,
    iommu,
    madt,
    memory,
    monitors,
    pci,
    processors,
    roots,
    serial,
    storage,
    timers,
    trust,
)
from warily.formats.acpi._parts import Reader

READERS: Final[Mapping[str, Reader]] = {
    "AEST": monitors.aest,
    "APIC": madt.madt,
    "APMT": monitors.apmt,
    "BDAT": firmware.bdat,
    "BERT": error_records.bert,
    "BGRT": firmware.bgrt,
    "CCEL": trust.ccel,
    "CEDT": storage.cedt,
    "CPEP": memory.cpep,
    "CSRT": firmware.csrt,
    "DBG2": serial.dbg2,
    "DBGP": serial.dbgp,
    "DMAR": iommu.dmar,
    "DRTM": trust.drtm,
    "ECDT": firmware.ecdt,
    "EINJ": error_records.einj,
    "ERDT": monitors.erdt,
    "ERST": error_records.erst,
    "FACP": fadt.fadt,
    "FACS": fadt.facs,
    "FPDT": firmware.fpdt,
    "GTDT": timers.gtdt,
    "HEST": error_records.hest,
    "HMAT": memory.hmat,
    "HPET": timers.hpet,
    "IORT": iommu.iort,
    "IOVT": iommu.iovt,
    "IVRS": iommu.ivrs,
    "KEYP": iommu.keyp,
    "LPIT": firmware.lpit,
    "MCFG": pci.mcfg,
    "MCHI": firmware.mchi,
    "MPAM": monitors.mpam,
    "MRRM": memory.mrrm,
    "NFIT": storage.nfit,
    "PCCT": channels.pcct,
    "PPTT": processors.pptt,
    "PRMT": firmware.prmt,
    "RSDT": roots.rsdt,
    "SLIT": memory.slit,
    "SPCR": serial.spcr,
    "SPMI": firmware.spmi,
    "SRAT": memory.srat,
    "SVKL": trust.svkl,
    "TCPA": trust.tcpa,
    "TDEL": trust.ccel,
    "TPM2": trust.tpm2,
    "UEFI": firmware.uefi,
    "VIOT": iommu.viot,
    "WAET": timers.waet,
    "WDAT": timers.wdat,
    "WDDT": timers.wddt,
    "WDRT": timers.wdrt,
    "WPBT": firmware.wpbt,
    "XENV": firmware.xenv,
    "XSDT": roots.xsdt,
} | dict.fromkeys(
    # In these, nothing is an address that a kernel uses.
    (
        *("AGDI", "BOOT", "MSCT", "MSDM", "PDTT", "PHAT", "PMTT", "RAS2", "RASF", "RGRT", "RHCT"),
        *("SBST", "SDEI", "SDEV", "SLIC", "STAO", "WSMT"),
    ),
    firmware.plain,
)
"""What is in none of these is known by its header alone."""

BYTECODE: Final = frozenset(("DSDT", "SSDT", "PSDT", "OSDT"))
"""Tables whose body is AML."""
