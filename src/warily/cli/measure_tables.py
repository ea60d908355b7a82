"""Arguments that say which ACPI and SMBIOS tables the host hands over: files, or the launch to ask QEMU with."""

import argparse
import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from warily.cli.measure_common import read
from warily.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warily.core.acpi_blobs import AcpiBlobs
    from warily.core.boot_devices import BootDevices
    from warily.formats.smbios import SmbiosTables

MAX_BLOB: Final = 16 << 20
MAX_LOADER: Final = 64 << 20
SMBIOS: Final = "etc/smbios/smbios-tables"
WITH_OLD_SETUP: Final = ("ovmf-2022.11",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the host hands over; None where it is not given."""

    acpi: "AcpiBlobs | None" = None
    smbios: "SmbiosTables | None" = None
    devices: "BootDevices | None" = None
    items: "Mapping[str, bytes] | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What firmware measures of the disk's partition table, and whether a file system is in its place."""

    partitions: bytes | None = None
    file_system: bool | None = None


def declare_tables(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Declare --acpi, --smbios and --launch."""
    parser.add_argument("--acpi", metavar="DIR", help="what QEMU hands over: etc_table-loader, etc_acpi_rsdp, …")
    parser.add_argument("--smbios", metavar="FILE", help="QEMU's etc/smbios/smbios-tables, or a guest's DMI table")
    parser.add_argument(
        "--launch", metavar="STRING", help="QEMU's arguments: the installed QEMU is asked for that machine's tables"
    )


def declare_disk(parser: argparse.ArgumentParser) -> None:
    """Declare --disk, --partitions and --loader."""
    parser.add_argument(
        "--disk",
        nargs="?",
        const="",
        metavar="FILE",
        help="firmware finds the program on a disk, not from QEMU's -kernel; FILE is that disk, raw",
    )
    parser.add_argument("--partitions", metavar="FILE", help="UEFI_GPT_DATA of the disk; an empty file for none")
    parser.add_argument("--loader", metavar="FILE", help="systemd-boot on the disk, which starts the image")


def disk_of(options: argparse.Namespace) -> Disk:
    """What the disk decides. Raises `UsageError` and `FormatError`."""
    from warily.formats.gpt import HEAD, PartitionTable, is_fat  # noqa: PLC0415  # --help answers without it

    partitions = read(options.partitions, MAX_BLOB) if options.partitions else None
    if not options.disk:
        return Disk(partitions=partitions, file_system=False if partitions else None)
    try:
        with open(options.disk, "rb") as file:  # noqa: PTH123  # no pathlib here, for speed
            head = file.read(HEAD)
    except OSError as error:
        msg = f"cannot read {options.disk}: {error.strerror}"
        raise UsageError(msg) from None
    table = PartitionTable.parse(head)
    found = b"" if table is None else table.measured()
    return Disk(partitions=found if partitions is None else partitions, file_system=table is None and is_fat(head))


def host_tables(options: argparse.Namespace, firmware: bytes | None = None) -> Host:
    """What files say, and before that what QEMU says. Raises `UsageError`, `FormatError`, `HostError`."""
    acpi = acpi_folder(options.acpi) if options.acpi else None
    smbios = _smbios(options)
    if options.launch is None:
        return Host(acpi=acpi, smbios=smbios)
    asked = _asked(options.launch, firmware)
    return replace(asked, acpi=acpi or asked.acpi, smbios=smbios or asked.smbios)


def _smbios(options: argparse.Namespace) -> "SmbiosTables | None":
    from warily.formats.smbios import SmbiosTables  # noqa: PLC0415  # --help answers without it

    if options.smbios:
        return SmbiosTables.decode(read(options.smbios, MAX_BLOB))
    if options.acpi and _has(options.acpi, SMBIOS):
        return SmbiosTables.decode(_blob(options.acpi, SMBIOS))
    return None


def _asked(launch: str, firmware: bytes | None) -> Host:
    from warily.formats.smbios import SmbiosTables  # noqa: PLC0415  # --help answers without it
    from warily.host.qtest import OVMF, OVMF_2022, read_tables  # noqa: PLC0415  # only where QEMU is asked

    try:
        words = shlex.split(launch)
    except ValueError as error:
        msg = f"--launch: {error}"
        raise UsageError(msg) from None
    setup = OVMF
    if firmware is not None:
        old, smm = _kind(firmware)
        setup = replace(OVMF_2022 if old else OVMF, smm=smm)
    found = read_tables([word for word in words if not word.startswith("qemu-system-")], setup=setup)
    smbios = None if found.smbios is None else SmbiosTables.decode(found.smbios)
    return Host(acpi=found.acpi, smbios=smbios, devices=found.devices, items=found.items)


def _kind(firmware: bytes) -> tuple[bool, bool]:
    """Whether it programs the machine as that of 2022, and whether it runs SMM."""
    from warily.errors import FormatError  # noqa: PLC0415  # --help answers without it
    from warily.measure.boot import facts_of  # noqa: PLC0415  # likewise

    try:
        facts = facts_of(firmware, layout=None)
    except FormatError:
        return False, False
    return any(layout.name in WITH_OLD_SETUP for layout in facts.layouts), facts.runs_smm


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
