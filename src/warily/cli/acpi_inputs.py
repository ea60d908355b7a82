"""What the actions of `warily acpi` read alike: files and folders of tables, and the memory map."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from warily.acpi import memory_map
from warily.acpi.reading import Reading, read_tables
from warily.core.ranges import Range
from warily.errors import FormatError, UsageError, WarilyError

SYSTEM_TABLES: Final = Path("/sys/firmware/acpi/tables")
IOMEM: Final = Path("/proc/iomem")
LIMIT: Final = 64 << 20
MAX_FILES: Final = 1024
LOADER: Final = "etc/table-loader"
TABLES: Final = "etc/acpi/tables"
RSDP: Final = "etc/acpi/rsdp"
SMBIOS: Final = "etc/smbios/smbios-tables"
_FW_CFG: Final = {
    "etc_table-loader": LOADER,
    "etc_acpi_tables": TABLES,
    "etc_acpi_rsdp": RSDP,
    "etc_tpm_log": "etc/tpm/log",
    "etc_e820": "etc/e820",
    "etc_smbios_smbios-tables": SMBIOS,
}
_NO_ACPI: Final = frozenset(("etc/tpm/log", SMBIOS))
_NOT_TABLES: Final = frozenset((".asl", ".dsl", ".tsv", ".json", ".md", ".txt", ".toml", ".log"))


@dataclass(slots=True)
class Given:
    """Everything that the files of one command hold. `ram` is None where no file says which addresses are memory."""

    reading: Reading = field(default_factory=Reading)
    loader: bytes | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    ram: tuple[Range, ...] | None = None


def read_bytes(path: Path) -> bytes:
    """The content of a file of at most 64 MiB. Raises `UsageError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        hint = "these files are for root alone; run it as root" if isinstance(error, PermissionError) else None
        raise UsageError(msg, hint=hint) from None
    if len(data) > LIMIT:
        msg = f"{path}: over {LIMIT} bytes"
        raise FormatError(msg)
    return data


def read_given(paths: Sequence[Path]) -> Given:
    """All tables of the files and folders, the DSDT first. Raises `FormatError`, naming the file."""
    given = Given()
    for path in paths:
        for file in _files(path):
            _take(given, file)
        if path.resolve() == SYSTEM_TABLES and given.ram is None:
            given.ram = _running_memory()
    if not given.reading.tables and not given.reading.findings and given.loader is None:
        raise FormatError("there is no ACPI table in what was given")
    given.reading.tables.sort(key=lambda table: table.signature != "DSDT")
    return given


def _take(given: Given, file: Path) -> None:
    data = read_bytes(file)
    name = _FW_CFG.get(file.name.removesuffix(".bin"))
    try:
        if name is not None:
            given.files[name] = data
        if name == LOADER:
            given.loader = data
        elif name == "etc/e820":
            given.ram = memory_map.from_e820(data)
        elif name not in _NO_ACPI:
            one = read_tables(data)
            given.reading.tables.extend(one.tables)
            given.reading.findings.extend(one.findings)
    except WarilyError as error:
        message = f"{file}: {error}"
        raise type(error)(message, hint=error.hint) from None


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or what of a folder may be tables: sources and notes beside them are passed over."""
    if not path.is_dir():
        yield path
        return
    folders = [path, path / "dynamic"] if (path / "dynamic").is_dir() else [path]
    found = [entry for folder in folders for entry in folder.iterdir() if entry.is_file()]
    if len(found) > MAX_FILES:
        msg = f"{path} holds over {MAX_FILES} files"
        raise UsageError(msg)
    for entry in sorted(found, key=_natural):
        if entry.suffix in _NOT_TABLES:
            print(f"warily: {entry} is passed over", file=sys.stderr)
        else:
            yield entry


def _natural(path: Path) -> list[tuple[int, str]]:
    """SSDT2 before SSDT10, as the kernel loaded them."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _running_memory() -> tuple[Range, ...] | None:
    """The memory of the machine that this runs on; None where only root may know."""
    try:
        return memory_map.from_iomem(IOMEM.read_text(encoding="ascii")) or None
    except (OSError, FormatError):
        return None


def read_ram(texts: Sequence[str], given: Given) -> tuple[tuple[Range, ...], bool]:
    """The memory map to judge by, and whether it is known: --ram, else what a file says, else an assumption."""
    if texts:
        return tuple(_range(text) for text in texts), True
    if given.ram:
        return given.ram, True
    return memory_map.ASSUMED, False


def _range(text: str) -> Range:
    try:
        return Range.parse(text)
    except FormatError as error:
        message = f"--ram: {error}"
        raise UsageError(message) from None
