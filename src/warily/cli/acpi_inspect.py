"""`warily acpi inspect` and `warily acpi loader`: findings about tables and about the loader's script."""

import argparse
import json
import sys
from collections.abc import Sequence

from warily.acpi.finding import AcpiFinding
from warily.acpi.inspect import inspect_set
from warily.acpi.loader import inspect_loader
from warily.acpi.static import not_judged
from warily.cli.acpi_inputs import RSDP, TABLES, read_bytes, read_given, read_ram
from warily.core.appraisal import Rejected
from warily.errors import FormatError


def inspect(options: argparse.Namespace) -> int:
    """Print the findings; 0 without any, 3 where bytes are malformed, else 10."""
    given = read_given(options.files)
    ram, known = read_ram(options.ram, given)
    findings = inspect_set(given.reading, ram=ram, known_map=known, loader=given.loader, files=given.files)
    unknown = not_judged(given.reading.tables)
    if options.json:
        found = {"findings": [each.as_json() for each in findings], "not_judged": unknown, "ram": [*map(str, ram)]}
        print(json.dumps(found | {"ram_assumed": not known}, indent=2))
        return _status(findings)
    _print(findings)
    names = [table.signature for table in given.reading.tables]
    assumed = "" if known else " (assumed: no --ram)"
    print(f"{len(names)} tables ({' '.join(names)}), memory {', '.join(map(str, ram))}{assumed}", file=sys.stderr)
    if unknown:
        print(f"not judged, since what they hold is not known: {', '.join(unknown)}", file=sys.stderr)
    return _status(findings)


def loader(options: argparse.Namespace) -> int:
    """Print what is wrong with the script; 0 if nothing, 3 where it is malformed, else 10."""
    files = {name: read_bytes(path) for name, path in ((TABLES, options.tables), (RSDP, options.rsdp)) if path}
    findings = inspect_loader(read_bytes(options.file), files)
    if options.json:
        print(json.dumps({"findings": [each.as_json() for each in findings]}, indent=2))
    else:
        _print(findings)
    return _status(findings)


def _print(findings: Sequence[AcpiFinding]) -> None:
    for each in findings:
        print(f"{each.id:<22}  {each.reach:<16}  {each.where}\n{'':<24}{each.evidence}")
    if not findings:
        print("no findings")


def _status(findings: Sequence[AcpiFinding]) -> int:
    if any(each.is_malformed for each in findings):
        return FormatError.exit_status
    return Rejected.exit_status if findings else 0
