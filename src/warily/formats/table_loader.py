"""QEMU's table loader script: commands of 128 bytes with which firmware places and joins the tables.

Source: QEMU hw/acpi/bios-linker-loader.c; edk2 OvmfPkg/AcpiPlatformDxe/QemuLoader.h.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u8, u32

COMMAND_SIZE: Final = 128
MAX_COMMANDS: Final = 1 << 16
_SOURCE: Final = "QEMU hw/acpi/bios-linker-loader.c, BiosLinkerLoaderEntry"


class Zone(IntEnum):
    """Where a file is placed: anywhere below 4 GiB, or in the last 128 KiB below 1 MiB."""

    HIGH = 1
    F_SEGMENT = 2


@layout(COMMAND_SIZE, source=_SOURCE + ".alloc")
class _Allocate(Layout):
    command: Annotated[int, u32(0)]
    file: Annotated[bytes, octets(4, 56)]
    align: Annotated[int, u32(60)]
    zone: Annotated[Zone, u8(64)]


@layout(COMMAND_SIZE, source=_SOURCE + ".pointer")
class _AddPointer(Layout):
    command: Annotated[int, u32(0)]
    file: Annotated[bytes, octets(4, 56)]
    target: Annotated[bytes, octets(60, 56)]
    offset: Annotated[int, u32(116)]
    size: Annotated[int, u8(120)]


@layout(COMMAND_SIZE, source=_SOURCE + ".cksum")
class _AddChecksum(Layout):
    command: Annotated[int, u32(0)]
    file: Annotated[bytes, octets(4, 56)]
    offset: Annotated[int, u32(60)]
    start: Annotated[int, u32(64)]
    length: Annotated[int, u32(68)]


@layout(COMMAND_SIZE, source=_SOURCE + ".wr_pointer")
class _WritePointer(Layout):
    command: Annotated[int, u32(0)]
    file: Annotated[bytes, octets(4, 56)]
    target: Annotated[bytes, octets(60, 56)]
    offset: Annotated[int, u32(116)]
    target_offset: Annotated[int, u32(120)]
    size: Annotated[int, u8(124)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocate:
    """Place `file` at a multiple of `align`."""

    file: str
    align: int
    zone: Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPointer:
    """Add the address of `target` to the `size` bytes at `offset` of `file`."""

    file: str
    target: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddChecksum:
    """Make `length` bytes from `start` of `file` add up to zero, by the byte at `offset`."""

    file: str
    offset: int
    start: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePointer:
    """Tell the host, in its file `file`, the address of `target` plus `target_offset`."""

    file: str
    target: str
    offset: int
    target_offset: int
    size: int


Command = Allocate | AddPointer | AddChecksum | WritePointer


def commands(data: bytes) -> list[Command]:
    """The commands of a script; empty ones may only follow the last. Raises `FormatError`."""
    if len(data) % COMMAND_SIZE or len(data) > COMMAND_SIZE * MAX_COMMANDS:
        msg = f"table loader: {len(data)} bytes are not commands of {COMMAND_SIZE}"
        raise FormatError(msg)
    end = len(data.rstrip(b"\0"))
    return [_command(data[at : at + COMMAND_SIZE], at) for at in range(0, end, COMMAND_SIZE)]


def _command(data: bytes, at: int) -> Command:
    match int.from_bytes(data[:4], "little"):
        case 1:
            one = _Allocate.unpack(data)
            return Allocate(file=_name(one.file, at), align=one.align, zone=one.zone)
        case 2:
            two = _AddPointer.unpack(data)
            return AddPointer(
                file=_name(two.file, at), target=_name(two.target, at), offset=two.offset, size=_width(two.size, at)
            )
        case 3:
            three = _AddChecksum.unpack(data)
            return AddChecksum(file=_name(three.file, at), offset=three.offset, start=three.start, length=three.length)
        case 4:
            four = _WritePointer.unpack(data)
            return WritePointer(
                file=_name(four.file, at),
                target=_name(four.target, at),
                offset=four.offset,
                target_offset=four.target_offset,
                size=_width(four.size, at),
            )
        case other:
            msg = f"table loader: command {other:#x} at {at:#x} does not exist"
            raise FormatError(msg)


def _name(field: bytes, at: int) -> str:
    """A file's name: printable ASCII, ended by a zero byte, nothing after that."""
    name = field.rstrip(b"\0")
    if not name or len(name) == len(field) or not all(0x21 <= byte < 0x7F for byte in name):
        msg = f"table loader: the command at {at:#x} has no proper file name"
        raise FormatError(msg)
    return name.decode("ascii")


def _width(size: int, at: int) -> int:
    if size not in (1, 2, 4, 8):
        msg = f"table loader: the command at {at:#x} writes {size} bytes"
        raise FormatError(msg)
    return size


def encode(script: list[Command]) -> bytes:
    """The bytes of a script, without padding. Raises `FormatError` for names that do not fit."""
    return b"".join(_encode(each).pack() for each in script)


def _encode(command: Command) -> Layout:
    match command:
        case Allocate():
            return _Allocate(command=1, file=_field(command.file), align=command.align, zone=command.zone)
        case AddPointer():
            return _AddPointer(
                command=2,
                file=_field(command.file),
                target=_field(command.target),
                offset=command.offset,
                size=command.size,
            )
        case AddChecksum():
            return _AddChecksum(
                command=3,
                file=_field(command.file),
                offset=command.offset,
                start=command.start,
                length=command.length,
            )
        case WritePointer():
            return _WritePointer(
                command=4,
                file=_field(command.file),
                target=_field(command.target),
                offset=command.offset,
                target_offset=command.target_offset,
                size=command.size,
            )


def _field(name: str) -> bytes:
    return name.encode("ascii").ljust(56, b"\0")
