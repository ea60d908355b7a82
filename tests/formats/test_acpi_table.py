"""Table headers: equal to what is known of every table of the vectors, and nothing else accepted."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acpi_tables import table
from warily.errors import FormatError
from warily.formats.acpi_table import AcpiTable, next_byte, split


def facts(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        found = [(folder / row["file"], row["expected_facts"]) for row in rows if row["file"].endswith(".aml")]
    return [(path, json.JSONDecoder().raw_decode(said)[0]) for path, said in found if said.startswith("{")]


def test_every_table_of_the_vectors_reads_as_known(vectors: Path) -> None:
    known = facts(vectors / "acpi")
    assert len(known) > 500
    for path, said in known:
        read = AcpiTable.parse(path.read_bytes())
        assert (read.signature, read.length, read.revision) == (said["sig"], said["length"], said["rev"]), path
        assert read.header.oem_revision == said["oemrev"], path
        assert said["sig"] == "FACS" or read.oem_id == said["oem"].strip("\0 "), path
        assert said["sig"] == "FACS" or read.checksum_holds is said["sum_ok"], path


def test_blobs_of_qemu_are_cut_into_their_tables(vectors: Path) -> None:
    blob = (vectors / "acpi/fwcfg-qemu7.2/q35-2c-2g/etc_acpi_tables.bin").read_bytes()
    found = split(blob)
    assert [each.signature for each in found] == ["FACS", "DSDT", "FACP", "APIC", "MCFG", "WAET", "RSDT"]
    for each in found:
        assert blob[each.offset : each.offset + each.length] == each.raw
    assert not any(each.checksum_holds for each in found if each.has_checksum)  # the loader has not run


def test_zero_bytes_between_tables_are_passed_over() -> None:
    one, two = table("AAAA", b"xyz"), table("BBBB", b"")
    found = split(bytes(5000) + one.raw + bytes(4096) + two.raw + bytes(9))
    assert [(each.signature, each.offset) for each in found] == [("AAAA", 5000), ("BBBB", 5000 + 39 + 4096)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no header"),
        (bytes(35), "no header"),
        (bytes(36), "no signature"),
        (table("AAAA", b"").raw + b"x", "says 36 bytes, 37 are there"),
        (table("AAAA", b"x").raw[:-1], "says 37 bytes, 36 are there"),
    ],
)
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        AcpiTable.parse(data)


@pytest.mark.parametrize(
    "data", [b"", bytes(100), table("AAAA", b"").raw + b"rest", b"DSDT\xff\xff\xff\xff" + bytes(40)]
)
def test_not_a_row_of_tables(data: bytes) -> None:
    with pytest.raises(FormatError):
        split(data)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda body: table("TEST", body).raw))
def test_arbitrary_bytes_are_refused_or_kept(data: bytes) -> None:
    try:
        read = AcpiTable.parse(data)
    except FormatError:
        return
    assert read.raw == data
    assert read.header.pack() + read.body == data


@given(st.integers(0, 9000), st.integers(0, 9000))
def test_the_next_byte_is_found(zeros: int, at: int) -> None:
    data = bytes(zeros) + b"\1"
    assert next_byte(data, at) == max(zeros, at)
