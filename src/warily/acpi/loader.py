"""The table loader's script, checked and carried out as firmware does."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from warily.acpi.finding import AcpiFinding
from warily.errors import FormatError
from warily.formats.table_loader import AddChecksum, AddPointer, Allocate, Command, WritePointer, Zone, commands

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
TOLD_SIZE: Final = 8
"""Bytes of a file in which QEMU is told an address."""
ADDRESS_SIZES: Final = (4, 8)


def inspect_loader(script: bytes, files: Mapping[str, bytes]) -> list[AcpiFinding]:
    """What is wrong with a script, given the content of the files that are known.

    For other files QEMU's usual sizes are assumed. Every command is checked; one that cannot be read ends it.
    """
    try:
        found = commands(script)
    except FormatError as error:
        return [AcpiFinding(id="LOADER_MALFORMED", where="etc/table-loader", reach="firmware", evidence=str(error))]
    so_far = _SoFar(files)
    return [
        AcpiFinding(id=kind, where=f"etc/table-loader command {number}", reach="firmware", evidence=evidence)
        for number, command in enumerate(found)
        for kind, evidence in so_far.check(command)
    ]


class _SoFar:
    """What the commands before have placed, and which bytes they have changed."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files: Final = files
        self._placed: Final[set[str]] = set()
        self._pointers: Final[dict[str, _Spans]] = {}
        self._sums: Final[dict[str, _Spans]] = {}

    def check(self, command: Command) -> Iterator[tuple[str, str]]:
        """What is wrong with the next command."""
        placed, files = self._placed, self._files
        match command:
            case Allocate():
                yield from _allocate(command, placed)
            case AddPointer():
                yield from _pointer(command, placed, files)
                yield from self._overwrites(command)
            case AddChecksum():
                yield from _checksum(command, placed, files)
                self._sums.setdefault(command.file, _Spans()).add(command.start, command.start + command.length)
            case WritePointer():
                yield from _told(command, placed, files)

    def _overwrites(self, command: AddPointer) -> Iterator[tuple[str, str]]:
        """A pointer over another, or within bytes that were added up before."""
        start, end = command.offset, command.offset + command.size
        what = f"the pointer at {start:#x} of {command.file}"
        pointers = self._pointers.setdefault(command.file, _Spans())
        if pointers.overlaps(start, end):
            yield "LOADER_MALFORMED", f"{what} lies over another"
        pointers.add(start, end)
        if self._sums.setdefault(command.file, _Spans()).overlaps(start, end):
            yield "LOADER_ORDER", f"{what} is added after the checksum over it"


class _Spans:
    """Bytes of a file, as spans that do not touch, in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """These bytes are among them."""
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def overlaps(self, start: int, end: int) -> bool:
        """Whether any of these bytes is among them."""
        at = bisect_right(self._ends, start)
        return at < len(self._starts) and self._starts[at] < end


def _allocate(command: Allocate, placed: set[str]) -> Iterator[tuple[str, str]]:
    if command.file in placed:
        yield "LOADER_ORDER", f"{command.file} is placed twice"
    placed.add(command.file)
    if command.file not in ASSUMED_SIZES:
        yield "LOADER_UNKNOWN_FILE", f"{command.file} is no file that ACPI tables consist of"
    if not 1 <= command.align <= MAX_ALIGN or command.align & (command.align - 1):
        yield "LOADER_MALFORMED", f"{command.file} is to be aligned to {command.align}"
    if (command.zone is Zone.F_SEGMENT) != (command.file == RSDP):
        yield "LOADER_MALFORMED", f"{command.file} is to be placed in {command.zone.name}"


def _checksum(command: AddChecksum, placed: set[str], files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    yield from _placed(command.file, placed)
    size = _size(command.file, files)
    start, end = command.start, command.start + command.length
    if end > size or command.offset >= size:
        yield "LOADER_OOB", f"a checksum over {command.length:#x} bytes at {start:#x} of {size:#x}"
    elif not start <= command.offset < end:
        yield "LOADER_OOB", f"a checksum at {command.offset:#x}, outside of {start:#x} to {end:#x} that it is for"


def _placed(file: str, placed: set[str]) -> Iterator[tuple[str, str]]:
    if file not in placed:
        yield "LOADER_ORDER", f"{file} is used before it is placed"


def _pointer(command: AddPointer, placed: set[str], files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    yield from _placed(command.file, placed)
    if command.target != command.file:
        yield from _placed(command.target, placed)
    size = _size(command.file, files)
    if command.size not in ADDRESS_SIZES:
        yield "LOADER_MALFORMED", f"an address in {command.size} bytes"
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
    if command.size not in ADDRESS_SIZES:
        yield "LOADER_MALFORMED", f"an address in {command.size} bytes"
    if command.offset + command.size > TOLD_SIZE:
        yield "LOADER_OOB", f"an address at {command.offset:#x} of {command.file}, which has {TOLD_SIZE} bytes"
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
