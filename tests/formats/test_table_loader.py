"""The loader's script: QEMU's own is read and written back; anything else is refused or kept."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.table_loader import (
    COMMAND_SIZE,
    AddChecksum,
    AddPointer,
    Allocate,
    Command,
    WritePointer,
    Zone,
    commands,
    encode,
)

SCRIPTS = ("fwcfg-qemu7.2/q35-vmgenid-tpm", "fwcfg-qemu7.2/microvm-acpi", "fwcfg-qemu10/q35-2c-2g")
names = st.sampled_from(["etc/acpi/tables", "etc/acpi/rsdp", "x", "y" * 55])
numbers = st.integers(0, (1 << 32) - 1)
widths = st.sampled_from([1, 2, 4, 8])
scripts = st.lists(
    st.builds(Allocate, file=names, align=numbers, zone=st.sampled_from(Zone))
    | st.builds(AddPointer, file=names, target=names, offset=numbers, size=widths)
    | st.builds(AddChecksum, file=names, offset=numbers, start=numbers, length=numbers)
    | st.builds(WritePointer, file=names, target=names, offset=numbers, target_offset=numbers, size=widths),
    max_size=5,
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_of_qemu_are_read_and_written_back(vectors: Path, name: str) -> None:
    data = (vectors / "acpi" / name / "etc_table-loader.bin").read_bytes()
    read = commands(data)
    assert read[0] == Allocate(file="etc/acpi/rsdp", align=16, zone=Zone.F_SEGMENT)
    assert encode(read) == data[: len(read) * COMMAND_SIZE]
    assert not any(data[len(read) * COMMAND_SIZE :])


@given(scripts, st.integers(0, 3))
def test_what_is_written_is_read(script: list[Command], padding: int) -> None:
    assert commands(encode(script) + bytes(padding * COMMAND_SIZE)) == script


@given(st.binary(max_size=300) | st.binary(max_size=124).map(lambda rest: (b"\2\0\0\0" + rest).ljust(128, b"\0")))
def test_arbitrary_bytes_are_refused_or_kept(data: bytes) -> None:
    try:
        read = commands(data)
    except FormatError:
        return
    assert encode(read).rstrip(b"\0") == data.rstrip(b"\0")


def test_an_empty_command_between_others_is_refused() -> None:
    one = encode([Allocate(file="x", align=1, zone=Zone.HIGH)])
    with pytest.raises(FormatError, match="command 0x0 at 0x80"):
        commands(one + bytes(128) + one)
