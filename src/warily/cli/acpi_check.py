"""`warily acpi check`: tables against a pin, and what such a comparison is worth."""

import argparse
import json
from typing import Final

from warily.acpi.pin import check_digests
from warily.cli.acpi_inputs import SYSTEM_TABLES, read_bytes, read_given
from warily.core.appraisal import Rejected
from warily.errors import FormatError, UsageError
from warily.formats.acpi_pin import AcpiPin

LEAVES_OPEN: Final = (
    "a machine that compares its own tables does so after their bytecode has run with the kernel's rights, and "
    "bytecode that ran can show the comparison whatever it likes; it proves something only where a kernel without "
    "that bytecode, or a register that firmware wrote before, stands behind it"
)


def check(options: argparse.Namespace) -> int:
    """Print each table that differs; 0 when none does, else 10."""
    if options.running == bool(options.files):
        raise UsageError("name the tables to compare, or say --running")
    paths = [SYSTEM_TABLES] if options.running else options.files
    pin = AcpiPin.parse(read_bytes(options.pin))
    check_digests(pin)
    reading = read_given(paths).reading
    broken = [each for each in reading.findings if each.id == "MALFORMED_LENGTH"]
    if broken:
        msg = f"{broken[0].where}: {broken[0].evidence}"
        raise FormatError(msg)
    found = pin.differences(reading.tables)
    if options.json:
        rows = [{"table": each.table, "kind": each.kind, "ranges": each.ranges} for each in found]
        print(json.dumps({"equal": not found, "differences": rows, "leaves_open": LEAVES_OPEN}, indent=2))
    else:
        for each in found:
            print(each)
        if not found:
            print(f"{len(pin.tables)} tables are those of the pin (QEMU {pin.qemu})")
        print(f"\nwhat this leaves open: {LEAVES_OPEN}")
    return Rejected.exit_status if found else 0
