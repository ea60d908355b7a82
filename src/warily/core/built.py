"""The files of a built image: one folder, fixed names, so that every part of warily finds them."""

from typing import Final

KERNEL: Final = "vmlinuz"
INITRD: Final = "initrd.zst"
ROOT: Final = "root.erofs"
ROOT_HASHES: Final = "root.verity"
COMMAND_LINE: Final = "cmdline"
MANIFEST: Final = "manifest.json"
SIGNED_MANIFEST: Final = "manifest.dsse.json"
LOCK: Final = "warily.lock"
SBOM: Final = "sbom.cdx.json"
KERNEL_CONFIG: Final = "kernel.config"
REPORT: Final = "report.json"
FIRMWARE_REHEARSAL: Final = "firmware-rehearsal.bin"
FIRMWARE_SNP: Final = "firmware-snp.fd"
FIRMWARE_TDX: Final = "firmware-tdx.fd"
