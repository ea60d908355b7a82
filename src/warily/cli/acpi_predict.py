"""`warily acpi predict` and `warily acpi pin`: what the installed QEMU hands to firmware."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from warily.acpi.pin import measured, reference
from warily.errors import UsageError
from warily.formats.acpi_pin import AcpiPin
from warily.host import qtest


def predict(options: argparse.Namespace) -> int:
    """Print the digests, raw and normalised; with --into also write the files."""
    tables, found = _read(options)
    if options.into is not None:
        _write(options.into, tables)
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
        return 0
    for line in _lines(found):
        print(line)
    return 0


def pin(options: argparse.Namespace) -> int:
    """Write the pin."""
    _, found = _read(options)
    try:
        options.output.write_bytes(found.encode())
    except OSError as error:
        msg = f"cannot write {options.output}: {error.strerror}"
        raise UsageError(msg) from None
    if options.json:
        print(json.dumps(_as_json(found), indent=2))
    else:
        names = " ".join(each.signature for each in found.tables)
        print(f"{options.output}: {len(found.tables)} tables ({names}) of QEMU {found.qemu}")
    return 0


def _read(options: argparse.Namespace) -> tuple[qtest.HostTables, AcpiPin]:
    words: Sequence[str] = options.arguments or (
        *("-nodefaults", "-machine", options.machine, "-smp", options.cpus, "-m", options.memory),
    )
    setup = _setup(options, words)
    tables = qtest.read_tables(words, qemu=options.qemu, setup=setup)
    return tables, reference(tables.acpi, qemu=qtest.qemu_version(options.qemu), arguments=words)


def _setup(options: argparse.Namespace, words: Sequence[str]) -> qtest.Setup:
    made = qtest.SETUPS[options.firmware] if options.firmware else qtest.setup_for(words)
    if options.ecam is not None:
        made = replace(made, ecam=_number("--ecam", options.ecam))
    if options.window is not None:
        made = replace(made, window=None if options.window == "none" else _number("--window", options.window))
    return made


def _number(option: str, text: str) -> int:
    try:
        found = int(text, 0)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << 52 or found % (1 << 20):
        msg = f"{option} {text}: an address in whole MiB is wanted, such as 0xe0000000"
        raise UsageError(msg)
    return found


NAMES: Final = {
    "etc/table-loader": "etc_table-loader.bin",
    "etc/acpi/rsdp": "etc_acpi_rsdp.bin",
    "etc/acpi/tables": "etc_acpi_tables.bin",
    "etc/tpm/log": "etc_tpm_log.bin",
    qtest.SMBIOS: "etc_smbios_smbios-tables.bin",
}


def _write(folder: Path, tables: qtest.HostTables) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        smbios = [] if tables.smbios is None else [(qtest.SMBIOS, tables.smbios)]
        for name, data in [*measured(tables.acpi), *smbios]:
            (folder / NAMES[name]).write_bytes(data)
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}"
        raise UsageError(msg) from None
    print(f"warily: written to {folder}", file=sys.stderr)


def _as_json(found: AcpiPin) -> dict[str, object]:
    """The pin without the content of its tables."""
    return {
        "qemu": found.qemu,
        "arguments": list(found.arguments),
        "measured": [
            {"name": each.name, "size": each.size, "sha256": each.sha256, "sha384": each.sha384} for each in found.blobs
        ],
        "tables": [
            {"signature": each.signature, "zeroed": each.zeroed, "sha256": each.sha256, "sha384": each.sha384}
            for each in found.tables
        ],
    }


def _lines(found: AcpiPin) -> Iterator[str]:
    yield f"QEMU {found.qemu}: {' '.join(found.arguments)}"
    yield "\nmeasured by firmware, in this order (RTMR0 with SHA-384; PCR 1 of a TPM):"
    for blob in found.blobs:
        yield f"  {blob.name:<18} {blob.size:>7} bytes  sha384 {blob.sha384}"
        yield f"  {'':<18} {'':>13}  sha256 {blob.sha256}"
    yield "\ntables, with what firmware writes into them set to zero:"
    for each in found.tables:
        yield f"  {each.signature}  {len(each.content):>6} bytes  sha256 {each.sha256}"
