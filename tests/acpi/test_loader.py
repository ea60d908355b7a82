"""The loader's script: hostile ones are found, QEMU's own are carried out."""

import csv
import time
from pathlib import Path

import pytest

from warily.acpi.loader import RSDP, TABLES, carry_out, inspect_loader
from warily.errors import FormatError
from warily.formats.acpi.roots import Rsdp
from warily.formats.acpi_table import split
from warily.formats.table_loader import AddChecksum, AddPointer, Allocate, Command, WritePointer, Zone, encode

PLACED: list[Command] = [
    Allocate(file=RSDP, align=16, zone=Zone.F_SEGMENT),
    Allocate(file=TABLES, align=64, zone=Zone.HIGH),
]
FILES = {TABLES: bytes(100), RSDP: bytes(20)}


def test_the_rows_of_the_vectors(vectors: Path) -> None:
    folder = vectors / "acpi/hostile-loader"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 7
    for row in rows:
        wanted = [] if row["expected_finding"] == "(none)" else [row["expected_finding"]]
        assert [each.id for each in inspect_loader((folder / row["file"]).read_bytes(), {})] == wanted, row


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (AddPointer(file=TABLES, target=RSDP, offset=96, size=4), []),
        (AddPointer(file=TABLES, target=RSDP, offset=97, size=4), ["LOADER_OOB"]),
        (AddPointer(file="etc/tpm/log", target=RSDP, offset=0, size=4), ["LOADER_ORDER"]),
        (AddPointer(file=TABLES, target="etc/tpm/log", offset=0, size=4), ["LOADER_ORDER"]),
        (AddChecksum(file=TABLES, offset=99, start=0, length=100), []),
        (AddChecksum(file=TABLES, offset=100, start=0, length=100), ["LOADER_OOB"]),
        (AddChecksum(file=TABLES, offset=0, start=1, length=100), ["LOADER_OOB"]),
        (Allocate(file=TABLES, align=64, zone=Zone.HIGH), ["LOADER_ORDER"]),
        (Allocate(file="etc/tpm/log", align=3, zone=Zone.HIGH), ["LOADER_MALFORMED"]),
        (Allocate(file="etc/passwd", align=1, zone=Zone.HIGH), ["LOADER_UNKNOWN_FILE"]),
        (
            WritePointer(file="etc/vmgenid_addr", target=RSDP, offset=0, target_offset=0, size=8),
            ["LOADER_WRITE_POINTER"],
        ),
        (WritePointer(file="etc/acpi_table_hest_addr", target=TABLES, offset=0, target_offset=99, size=8), []),
        (
            WritePointer(file="etc/acpi_table_hest_addr", target=TABLES, offset=0, target_offset=100, size=8),
            ["LOADER_OOB"],
        ),
    ],
)
def test_one_command_after_the_files_are_placed(command: Command, expected: list[str]) -> None:
    assert [each.id for each in inspect_loader(encode([*PLACED, command]), FILES)] == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([AddChecksum(file=TABLES, offset=9, start=0, length=36)], []),
        ([AddChecksum(file=TABLES, offset=50, start=0, length=36)], ["LOADER_OOB"]),
        ([AddPointer(file=TABLES, target=TABLES, offset=32, size=2)], ["LOADER_MALFORMED"]),
        ([AddPointer(file=TABLES, target=TABLES, offset=at, size=4) for at in (32, 36)], []),
        ([AddPointer(file=TABLES, target=TABLES, offset=at, size=4) for at in (32, 35)], ["LOADER_MALFORMED"]),
        (
            [
                AddChecksum(file=TABLES, offset=9, start=0, length=36),
                AddPointer(file=TABLES, target=TABLES, offset=36, size=4),
            ],
            [],
        ),
        (
            [
                AddChecksum(file=TABLES, offset=9, start=0, length=36),
                AddPointer(file=TABLES, target=TABLES, offset=35, size=4),
            ],
            ["LOADER_ORDER"],
        ),
        ([Allocate(file="etc/tpm/log", align=1, zone=Zone.F_SEGMENT)], ["LOADER_MALFORMED"]),
        (
            [WritePointer(file="etc/acpi_table_hest_addr", target=TABLES, offset=1, target_offset=0, size=8)],
            ["LOADER_OOB"],
        ),
    ],
)
def test_commands_that_work_against_each_other(script: list[Command], expected: list[str]) -> None:
    assert [each.id for each in inspect_loader(encode([*PLACED, *script]), FILES)] == expected


def test_many_commands_take_linear_time() -> None:
    taken = []
    for count in (4000, 16000):
        pointers = [AddPointer(file=TABLES, target=TABLES, offset=at * 8, size=4) for at in range(count)]
        script = encode([*PLACED, *pointers[::2], *pointers[1::2]])
        began = time.process_time()
        assert len(inspect_loader(script, {})) == max(0, count - 0x20000 // 8)
        taken.append(time.process_time() - began)
    assert taken[1] < max(taken[0], 0.02) * 8


def test_a_pointer_past_its_target() -> None:
    script = encode([*PLACED, AddPointer(file=TABLES, target=RSDP, offset=0, size=4)])
    found = inspect_loader(script, FILES | {TABLES: b"\x14" + bytes(99)})
    assert [each.id for each in found] == ["LOADER_OOB"]
    assert not inspect_loader(script, FILES | {TABLES: b"\x13" + bytes(99)})


@pytest.mark.parametrize("name", ["q35-2c-2g", "q35-vmgenid-tpm", "microvm-acpi", "pc-2c-1g"])
def test_qemus_tables_are_whole_afterwards(vectors: Path, name: str) -> None:
    folder = vectors / "acpi/fwcfg-qemu7.2" / name
    files = {TABLES: (folder / "etc_acpi_tables.bin").read_bytes(), RSDP: (folder / "etc_acpi_rsdp.bin").read_bytes()}
    places = {TABLES: 0x7FFE0000, RSDP: 0xF5B00, "etc/vmgenid_guid": 0x7FFD0000}
    after = carry_out((folder / "etc_table-loader.bin").read_bytes(), files, places)
    assert all(each.checksum_holds for each in split(after[TABLES]))
    root = Rsdp.parse(after[RSDP])
    assert root.checksums_hold
    at = (root.tail.xsdt if root.tail else root.head.rsdt) - places[TABLES]
    assert after[TABLES][at : at + 4] in (b"RSDT", b"XSDT")


def test_a_hostile_script_is_not_carried_out() -> None:
    script = encode([*PLACED, AddPointer(file=TABLES, target=RSDP, offset=98, size=4)])
    with pytest.raises(FormatError, match="a pointer at 0x62"):
        carry_out(script, FILES, {TABLES: 0, RSDP: 0})


def test_a_sum_that_does_not_fit_is_refused() -> None:
    script = encode([*PLACED, AddPointer(file=TABLES, target=RSDP, offset=0, size=4)])
    with pytest.raises(FormatError, match="does not fit into 4 bytes"):
        carry_out(script, FILES, {TABLES: 0, RSDP: 1 << 32})
