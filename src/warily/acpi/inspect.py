"""Everything that is found in a set of tables: frames, static tables, bytecode, and the loader's script."""

from collections.abc import Mapping, Sequence

from warily.acpi.finding import AcpiFinding
from warily.acpi.loader import inspect_loader
from warily.acpi.reading import Reading
from warily.acpi.static import inspect_static
from warily.core.ranges import Range
from warily.formats.acpi.known import BYTECODE
from warily.formats.acpi_table import AcpiTable


def inspect_set(
    reading: Reading,
    *,
    ram: Sequence[Range],
    known_map: bool,
    loader: bytes | None = None,
    files: Mapping[str, bytes] | None = None,
) -> list[AcpiFinding]:
    """The findings about all tables of one machine, each once, in the order: frame, static, bytecode, loader."""
    found = list(reading.findings)
    found += inspect_static(reading.tables, ram=ram, known_map=known_map)
    found += _bytecode(reading.tables, ram)
    if loader is not None:
        found += inspect_loader(loader, files or {})
    return list(dict.fromkeys(found))


def _bytecode(tables: Sequence[AcpiTable], ram: Sequence[Range]) -> list[AcpiFinding]:
    """The findings about AML, which names of other tables may be needed for."""
    if not any(each.signature in BYTECODE for each in tables):
        return []
    from warily.acpi.bytecode import inspect_bytecode  # noqa: PLC0415  # static tables need no interpreter

    return list(inspect_bytecode(tables, ram=ram))
