"""Arguments that say which ACPI and SMBIOS tables the host hands over: files, or the launch to ask QEMU with."""

import argparse
import os
import shlex
from typing import TYPE_CHECKING, Final

from warily.cli.measure_common import read
from warily.errors import UsageError

if TYPE_CHECKING:
    from warily.core.acpi_blobs import AcpiBlobs
    from warily.formats.smbios import SmbiosTables

MAX_BLOB: Final = 16 << 20
SMBIOS: Final = "etc/smbios/smbios-tables"
WITH_OLD_SETUP: Final = ("ovmf-2022.11",)


def declare_tables(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Declare --acpi, --smbios and --launch."""
    parser.add_argument("--acpi", metavar="DIR", help="what QEMU hands over: etc_table-loader, etc_acpi_rsdp, …")
    parser.add_argument("--smbios", metavar="FILE", help="QEMU's etc/smbios/smbios-tables, or a guest's DMI table")
    parser.add_argument(
        "--launch", metavar="STRING", help="QEMU's arguments: the installed QEMU is asked for that machine's tables"
    )


def host_tables(
    options: argparse.Namespace, firmware: bytes | None = None
) -> "tuple[AcpiBlobs | None, SmbiosTables | None]":
    """The tables, None where they are not given. What files say counts before what QEMU says.

    Raises `UsageError`, `FormatError`, and `HostError` where QEMU cannot be asked.
    """
    acpi = acpi_folder(options.acpi) if options.acpi else None
    smbios = _smbios(options)
    if options.launch is None:
        return acpi, smbios
    asked, asked_smbios = _asked(options.launch, firmware)
    return acpi or asked, smbios or asked_smbios


def _smbios(options: argparse.Namespace) -> "SmbiosTables | None":
    from warily.formats.smbios import SmbiosTables  # noqa: PLC0415  # --help answers without it

    if options.smbios:
        return SmbiosTables.decode(read(options.smbios, MAX_BLOB))
    if options.acpi and _has(options.acpi, SMBIOS):
        return SmbiosTables.decode(_blob(options.acpi, SMBIOS))
    return None


def _asked(launch: str, firmware: bytes | None) -> "tuple[AcpiBlobs, SmbiosTables | None]":
    from warily.formats.smbios import SmbiosTables  # noqa: PLC0415  # --help answers without it
    from warily.host.qtest import OVMF, OVMF_2022, read_tables  # noqa: PLC0415  # only where QEMU is asked

    try:
        words = shlex.split(launch)
    except ValueError as error:
        msg = f"--launch: {error}"
        raise UsageError(msg) from None
    setup = OVMF_2022 if firmware is not None and _is_old(firmware) else OVMF
    found = read_tables([word for word in words if not word.startswith("qemu-system-")], setup=setup)
    return found.acpi, None if found.smbios is None else SmbiosTables.decode(found.smbios)


def _is_old(firmware: bytes) -> bool:
    from warily.errors import FormatError  # noqa: PLC0415  # --help answers without it
    from warily.measure.boot import facts_of  # noqa: PLC0415  # likewise

    try:
        return any(layout.name in WITH_OLD_SETUP for layout in facts_of(firmware, layout=None).layouts)
    except FormatError:
        return False


def acpi_folder(folder: str) -> "AcpiBlobs":
    """The blobs in the folder. Raises `UsageError`."""
    from warily.core.acpi_blobs import AcpiBlobs  # noqa: PLC0415  # --help answers without it

    return AcpiBlobs(
        loader=_blob(folder, "etc/table-loader"),
        rsdp=_blob(folder, "etc/acpi/rsdp"),
        tables=_blob(folder, "etc/acpi/tables"),
        tpm_log=_blob(folder, "etc/tpm/log") if _has(folder, "etc/tpm/log") else None,
    )


def _blob(folder: str, name: str) -> bytes:
    """The blob under any of its names."""
    names = _names(folder, name)
    return read(next((path for path in names if os.access(path, os.R_OK)), names[0]), MAX_BLOB)


def _has(folder: str, name: str) -> bool:
    return any(os.access(path, os.R_OK) for path in _names(folder, name))


def _names(folder: str, name: str) -> tuple[str, ...]:
    """With underscores, as `warily acpi predict --into` writes it, or as a path below the folder."""
    flat = f"{folder}/{name.replace('/', '_')}"
    return flat, f"{flat}.bin", f"{folder}/{name}"
