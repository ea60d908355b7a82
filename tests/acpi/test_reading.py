"""Files of tables: what is wrong with their frame is a finding, and what is there is read."""

import csv
from pathlib import Path

import pytest

from tests.acpi_tables import table
from warily.acpi.memory_map import from_e820, from_iomem
from warily.acpi.reading import read_tables
from warily.core.ranges import Range, RangeSet
from warily.errors import FormatError

ONE, TWO = table("AAAA", b"xyz").raw, table("BBBB", b"").raw


def found(data: bytes) -> tuple[list[str], list[str]]:
    reading = read_tables(data)
    return [each.signature for each in reading.tables], [each.id for each in reading.findings]


@pytest.mark.parametrize(
    ("data", "tables", "ids"),
    [
        (ONE, ["AAAA"], []),
        (ONE + TWO, ["AAAA", "BBBB"], []),
        (ONE + bytes(99) + TWO + bytes(7), ["AAAA", "BBBB"], []),
        (ONE[:-1] + b"!", ["AAAA"], ["MALFORMED_CHECKSUM"]),
        (ONE + b"rest", ["AAAA"], ["MALFORMED_LENGTH"]),
        (ONE[:-1], ["AAAA"], ["MALFORMED_LENGTH"]),
        (ONE[:30], [], ["MALFORMED_LENGTH"]),
        (b"", [], ["MALFORMED_LENGTH"]),
        (bytes(50), [], ["MALFORMED_LENGTH"]),
        (b"RSD PTR ", [], ["MALFORMED_LENGTH"]),
    ],
)
def test_frames(data: bytes, tables: list[str], ids: list[str]) -> None:
    assert found(data) == (tables, ids)


def test_hostile_frames_of_the_vectors(vectors: Path) -> None:
    folder = vectors / "acpi/hostile-static"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = {row["file"]: row["expected_finding"] for row in csv.DictReader(file, delimiter="\t")}
    for name in ("mal-checksum.aml", "mal-length-short.aml", "mal-length-long.aml"):
        assert found((folder / name).read_bytes()) == (["SSDT"], [rows[name]])
    assert found((folder / "mal-zero-body.aml").read_bytes())[1] == []


def test_before_the_loader_ran_no_checksum_is_asked_for(vectors: Path) -> None:
    folder = vectors / "acpi/fwcfg-qemu7.2/q35-2c-2g"
    assert len(read_tables((folder / "etc_acpi_tables.bin").read_bytes()).tables) == 7
    assert not read_tables((folder / "etc_acpi_tables.bin").read_bytes()).findings
    assert not read_tables((folder / "etc_acpi_rsdp.bin").read_bytes()).findings


def test_memory_as_qemu_says_it(vectors: Path) -> None:
    data = (vectors / "acpi/fwcfg-qemu7.2/q35-2c-2g/etc_e820.bin").read_bytes()
    assert from_e820(data) == (Range(0, 0x80000000),)


def test_memory_as_linux_says_it() -> None:
    text = "00001000-0009fbff : System RAM\n0009fc00-0009ffff : Reserved\n00100000-7ffdcfff : System RAM\n"
    assert from_iomem(text) == (Range(0x1000, 0x9FC00), Range(0x100000, 0x7FFDD000))
    with pytest.raises(FormatError):
        from_iomem("fee00000-fee00fff : Local APIC\n")
    assert from_iomem("00000000-00000000 : System RAM\n") == ()  # what Linux shows to everybody but root


def test_ranges() -> None:
    memory = RangeSet.of([Range(0, 10), Range(10, 20), Range(30, 40)])
    assert memory.ranges == (Range(0, 20), Range(30, 40))
    assert memory.first_overlap(Range(15, 35)) == Range(15, 20)
    assert memory.first_overlap(Range(25, 35)) == Range(30, 35)
    assert memory.first_overlap(Range(20, 30)) is None
    assert memory.covers(Range(5, 15))
    assert not memory.covers(Range(15, 31))
    assert Range.parse("0x10-32") == Range(16, 32)
    for text in ("", "1", "2-1", "1-1", "a-b", "0-0x10000000000000001"):
        with pytest.raises(FormatError):
            Range.parse(text)
