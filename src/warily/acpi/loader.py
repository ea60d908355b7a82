"""The table loader's script, checked and carried out as firmware does."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from warily.acpi.finding import AcpiFinding
from warily.errors import FormatError
from warily.formats.table_loader import AddChecksum, AddPointer, Allocate, Command, WritePointer, commands

_T = TypeVar("_T")

TABLES: Final = "etc/acpi/tables"
RSDP: Final = "etc/acpi/rsdp"
ASSUMED_SIZES: Final[Mapping[str, int]] = {
    TABLES: 0x20000,
    RSDP: 36,
    "etc/tpm/log": 0x10000,
    "etc/vmgenid_guid": 4096,
    "etc/acpi/nvdimm-mem": 4096,
    "etc/hardware_errors": 0x10000,
}
"""What QEMU's tables consist of, and how large each file is where its content is not given."""
TOLD_TO_HOST: Final = frozenset(
    (
        ("etc/vmgenid_addr", "etc/vmgenid_guid"),
        ("etc/hardware_errors_addr", "etc/hardware_errors"),
        ("etc/acpi_table_hest_addr", TABLES),
    )
)
"""Addresses that QEMU itself asks for: the generation counter's page, the error log's, the HEST's."""
MAX_ALIGN: Final = 4096


def inspect_loader(script: bytes, files: Mapping[str, bytes]) -> list[AcpiFinding]:
    """What is wrong with a script, given the content of the files that are known.

    For other files QEMU's usual sizes are assumed. Every command is checked; one that cannot be read ends it.
    """
    try:
        found = commands(script)
    except FormatError as error:
        return [AcpiFinding(id="LOADER_MALFORMED", where="etc/table-loader", reach="firmware", evidence=str(error))]
    placed: set[str] = set()
    return [
        AcpiFinding(id=kind, where=f"etc/table-loader command {number}", reach="firmware", evidence=evidence)
        for number, command in enumerate(found)
        for kind, evidence in _check(command, placed, files)
    ]


def _check(command: Command, placed: set[str], files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    match command:
        case Allocate():
            yield from _allocate(command, placed)
        case AddPointer():
            yield from _pointer(command, placed, files)
        case AddChecksum():
            yield from _placed(command.file, placed)
            size = _size(command.file, files)
            if command.start + command.length > size or command.offset >= size:
                yield "LOADER_OOB", f"a checksum over {command.length:#x} bytes at {command.start:#x} of {size:#x}"
        case WritePointer():
            yield from _told(command, placed, files)


def _allocate(command: Allocate, placed: set[str]) -> Iterator[tuple[str, str]]:
    if command.file in placed:
        yield "LOADER_ORDER", f"{command.file} is placed twice"
    placed.add(command.file)
    if command.file not in ASSUMED_SIZES:
        yield "LOADER_UNKNOWN_FILE", f"{command.file} is no file that ACPI tables consist of"
    if not 1 <= command.align <= MAX_ALIGN or command.align & (command.align - 1):
        yield "LOADER_MALFORMED", f"{command.file} is to be aligned to {command.align}"


def _placed(file: str, placed: set[str]) -> Iterator[tuple[str, str]]:
    if file not in placed:
        yield "LOADER_ORDER", f"{file} is used before it is placed"


def _pointer(command: AddPointer, placed: set[str], files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    yield from _placed(command.file, placed)
    if command.target != command.file:
        yield from _placed(command.target, placed)
    size = _size(command.file, files)
    if command.offset + command.size > size:
        yield "LOADER_OOB", f"a pointer at {command.offset:#x} of {command.file}, which has {size:#x} bytes"
    elif command.file in files:
        value = int.from_bytes(files[command.file][command.offset : command.offset + command.size], "little")
        if value >= _size(command.target, files):
            yield "LOADER_OOB", f"{command.file}+{command.offset:#x} points {value:#x} into {command.target}"


def _told(command: WritePointer, placed: set[str], files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    yield from _placed(command.target, placed)
    if (command.file, command.target) not in TOLD_TO_HOST:
        evidence = f"the host is told in {command.file} where {command.target} lies"
        yield "LOADER_WRITE_POINTER", evidence
    size = _size(command.target, files)
    if command.target_offset >= size:
        yield "LOADER_OOB", f"an address {command.target_offset:#x} into {command.target}, which has {size:#x} bytes"


def _size(file: str, files: Mapping[str, bytes]) -> int:
    return len(files[file]) if file in files else ASSUMED_SIZES.get(file, MAX_ALIGN)


def carry_out(script: bytes, files: Mapping[str, bytes], places: Mapping[str, int]) -> dict[str, bytes]:
    """The files as firmware leaves them in memory at `places`. Raises `FormatError` where the script has a finding.

    Pointers to the host (WRITE_POINTER) are not followed: there is no host here.
    """
    wrong = [each for each in inspect_loader(script, files) if each.id != "LOADER_WRITE_POINTER"]
    if wrong:
        msg = f"{wrong[0].where}: {wrong[0].evidence}"
        raise FormatError(msg)
    memory = {name: bytearray(data) for name, data in files.items()}
    for command in commands(script):
        match command:
            case AddPointer():
                _add(_known(memory, command.file), command, _known(places, command.target))
            case AddChecksum():
                data = _known(memory, command.file)
                total = sum(data[command.start : command.start + command.length])
                data[command.offset] = (data[command.offset] - total) % 256
            case _:
                pass
    return {name: bytes(data) for name, data in memory.items()}


def _add(data: bytearray, command: AddPointer, base: int) -> None:
    end = command.offset + command.size
    value = int.from_bytes(data[command.offset : end], "little") + base
    if value >= 1 << (8 * command.size):
        msg = f"{command.file}+{command.offset:#x}: {value:#x} does not fit into {command.size} bytes"
        raise FormatError(msg)
    data[command.offset : end] = value.to_bytes(command.size, "little")


def _known(found: Mapping[str, _T], name: str) -> _T:
    if name not in found:
        msg = f"table loader: {name} is not given"
        raise FormatError(msg)
    return found[name]
