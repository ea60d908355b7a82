"""Tables that AML makes or picks itself, by Load and LoadTable, as far as their bytes are known.

Source: ACPI 6.5, 19.6.78 Load, 19.6.79 LoadTable.
"""

from collections.abc import Iterator, Sequence

from warily.acpi.bytecode.machine import Machine
from warily.acpi.bytecode.things import Buffer
from warily.acpi.bytecode.values import Value, things_of
from warily.errors import FormatError
from warily.formats.acpi_table import HEADER_SIZE, LENGTH_OFFSET, MAX_TABLES, AcpiTable
from warily.formats.aml import BYTECODE


def loaded_tables(machine: Machine, tables: Sequence[AcpiTable]) -> list[AcpiTable]:
    """Every table that some method loads: each once, in the order of the code."""
    found: dict[bytes, AcpiTable] = {}
    wanted = {
        event.detail: None
        for context in machine.all_contexts()
        for event in context.events.values()
        if event.kind == "loadtable"
    }
    hidden = [table for table in tables if table.signature not in BYTECODE]
    for names in list(wanted)[:MAX_TABLES]:
        for table in hidden:
            if _matches(table, names.split("\0")):
                found.setdefault(table.raw, table)
    for value in machine.loads.values():
        for each in sorted(_buffers(value), key=lambda one: one.serial):
            for table in _table(each.data):
                found.setdefault(table.raw, table)
    return list(found.values())


def _matches(table: AcpiTable, wanted: Sequence[str]) -> bool:
    """Whether signature, OEM and table identifier are those; one that is not known or empty matches all."""
    present = (table.signature, table.oem_id, table.oem_table_id)
    return all(want.rstrip() in ("", "?", have) for want, have in zip(wanted, present, strict=False))


def _buffers(value: Value) -> list[Buffer]:
    return [each for each in things_of(value) if isinstance(each, Buffer)]


def _table(data: bytes) -> Iterator[AcpiTable]:
    """The table in a buffer, as it is before anything is stored to it."""
    length = int.from_bytes(data[LENGTH_OFFSET : LENGTH_OFFSET + 4], "little")
    if HEADER_SIZE <= length <= len(data):
        try:
            yield AcpiTable.parse(data[:length])
        except FormatError:
            return
