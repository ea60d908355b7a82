"""`warily acpi show`: tables as a tree with offsets, their bytecode as text like ASL."""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence

from warily.acpi.static import parts_of
from warily.cli.acpi_inputs import read_given
from warily.formats._layout import Layout
from warily.formats.acpi._parts import GenericAddress, Part
from warily.formats.acpi.known import BYTECODE, READERS
from warily.formats.acpi_table import AcpiTable, TableHeader, text_of
from warily.formats.table_loader import commands

Lister = Callable[[AcpiTable], Iterator[str]]


def show(options: argparse.Namespace) -> int:
    """Print every table; malformed ones as far as they go."""
    given = read_given(options.files)
    if options.json:
        print(json.dumps({"tables": [_as_json(each) for each in given.reading.tables]}, indent=2))
        return 0
    listed = _bytecode_lister(given.reading.tables)
    for each in given.reading.tables:
        for line in _lines(each, listed):
            print(line)
    for command in commands(given.loader) if given.loader is not None else []:
        print(command)
    for finding in given.reading.findings:
        print(f"{finding.id}: {finding.where}: {finding.evidence}")
    return 0


def _as_json(table: AcpiTable) -> dict[str, object]:
    parts, problems = parts_of(table)
    return {
        "signature": table.signature,
        "offset": table.offset,
        "length": table.length,
        "header": _fields(table.header),
        "parts": [{"offset": each.offset, "name": each.name, "fields": _fields(each.value)} for each in parts],
        "problems": [each.evidence for each in problems],
    }


def _fields(value: Layout) -> dict[str, object]:
    return {name: _plain(getattr(value, name)) for name in value.PLACES if name not in ("header", "head")}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, GenericAddress) else value


def _bytecode_lister(tables: Sequence[AcpiTable]) -> Lister:
    """What lists the bytecode of one table; the whole set is decoded once, and only where a table has bytecode."""
    if not any(table.signature in BYTECODE for table in tables):
        return lambda _: iter(())
    from warily.acpi.listing import list_bytecode  # noqa: PLC0415  # static tables need no decoder
    from warily.formats.aml import decode  # noqa: PLC0415  # likewise

    decoded = decode(tables)
    return lambda table: list_bytecode(table, decoded)


def _lines(table: AcpiTable, listed: Lister) -> Iterator[str]:
    sums = "checksum holds" if table.checksum_holds else "checksum does not hold"
    yield f"{table.offset:#08x}  {table.signature}  {table.length} bytes, {sums}"
    for name, (place, _) in TableHeader.PLACES.items():
        value = getattr(table.header, name)
        yield f"{place.offset:#10x}    {name:<20} {text_of(value) if isinstance(value, bytes) else f'{value:#x}'}"
    if table.signature in BYTECODE:
        yield from listed(table)
        return
    if table.signature not in READERS:
        yield f"{'':>10}    {table.length - 36} bytes whose meaning is not known"
        return
    parts, problems = parts_of(table)
    for part in parts:
        yield from _part(part)
    for problem in problems:
        yield f"{'':>10}    {problem.id}: {problem.evidence}"


def _part(part: Part) -> Iterator[str]:
    if part.offset:
        yield f"{part.offset:#10x}    {part.name}"
    for name, (place, _) in part.value.PLACES.items():
        if name in ("header", "head", "first"):
            continue
        yield f"{part.offset + place.offset:#10x}      {name:<18} {_text(getattr(part.value, name))}"
    if part.rest:
        at = part.offset + part.value.SIZE
        shown = part.rest[:32].hex() + ("…" if len(part.rest) > 32 else "")  # noqa: PLR2004  # one line of a terminal
        yield f"{at:#10x}      {'':<18} {shown}"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, GenericAddress):
        return str(value) if value.address or value.bit_width else "none"
    return f"{value:#x}" if isinstance(value, int) else str(value)
