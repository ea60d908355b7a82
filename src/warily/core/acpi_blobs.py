"""The ACPI tables as QEMU hands them to firmware, before any loader has run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AcpiBlobs:
    """The fw_cfg files `etc/table-loader`, `etc/acpi/rsdp` and `etc/acpi/tables`; `tpm_log` is None without a TPM.

    Firmware measures them as raw bytes in the order loader, rsdp, tpm_log, tables (edk2 OvmfPkg AcpiPlatformDxe).
    """

    loader: bytes
    rsdp: bytes
    tables: bytes
    tpm_log: bytes | None = None
