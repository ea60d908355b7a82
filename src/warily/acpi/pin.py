"""From what QEMU hands to firmware to what is pinned: raw digests for registers, normalised ones for running guests."""

import hashlib
from collections.abc import Sequence
from typing import Final

from warily.core.acpi_blobs import AcpiBlobs
from warily.errors import FormatError
from warily.formats.acpi_pin import CHECKSUM, FACS_LIVES, ROOTS, AcpiPin, PinnedBlob, PinnedTable, Ranges, zero
from warily.formats.acpi_table import AcpiTable, split
from warily.formats.table_loader import AddPointer, commands

LOADER: Final = "etc/table-loader"
RSDP: Final = "etc/acpi/rsdp"
TPM_LOG: Final = "etc/tpm/log"
TABLES: Final = "etc/acpi/tables"


def measured(blobs: AcpiBlobs) -> list[tuple[str, bytes]]:
    """Name and content of each file in the order in which OVMF measures them (EV_PLATFORM_CONFIG_FLAGS, "ACPI DATA").

    Into RTMR0 of a TDX guest, into PCR 1 of a TPM (edk2 OvmfPkg AcpiPlatformDxe, InstallQemuFwCfgTables).
    """
    found = [(LOADER, blobs.loader), (RSDP, blobs.rsdp)]
    if blobs.tpm_log is not None:
        found.append((TPM_LOG, blobs.tpm_log))
    return [*found, (TABLES, blobs.tables)]


def patched(blobs: AcpiBlobs, table: AcpiTable) -> Ranges:
    """The offsets of the table that the loader's script writes to, and those that change while the machine runs."""
    if not table.has_checksum:
        return FACS_LIVES
    end = table.offset + table.length
    places = {CHECKSUM}
    for command in commands(blobs.loader):
        if isinstance(command, AddPointer) and command.file == TABLES and table.offset <= command.offset < end:
            start = command.offset - table.offset
            places.add((start, start + command.size))
    return tuple(sorted(places))


def reference(blobs: AcpiBlobs, *, qemu: tuple[int, int, int], arguments: Sequence[str]) -> AcpiPin:
    """The pin of a machine whose firmware gets these files. Raises `FormatError` where they are not tables."""
    return AcpiPin(
        qemu=".".join(map(str, qemu)),
        arguments=tuple(arguments),
        blobs=tuple(_blob(name, data) for name, data in measured(blobs)),
        tables=tuple(_table(blobs, each) for each in split(blobs.tables) if each.signature not in ROOTS),
    )


def check_digests(pin: AcpiPin) -> None:
    """Raises `FormatError` unless the digest of every table in the pin is that of its content."""
    for each in pin.tables:
        if hashlib.sha256(each.content).hexdigest() != each.sha256:
            msg = f"ACPI pin: {each.signature}: the digest is not that of the content"
            raise FormatError(msg)


def _blob(name: str, data: bytes) -> PinnedBlob:
    return PinnedBlob(
        name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest(), sha384=hashlib.sha384(data).hexdigest()
    )


def _table(blobs: AcpiBlobs, table: AcpiTable) -> PinnedTable:
    ranges = patched(blobs, table)
    content = zero(table.raw, ranges)
    return PinnedTable(
        signature=table.signature,
        zeroed=ranges,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        sha384=hashlib.sha384(content).hexdigest(),
    )
