"""AML as text: every term of genuine tables has its line, and depth costs nothing."""

from pathlib import Path

from tests.acpi_tables import table
from warily.acpi.listing import list_bytecode
from warily.formats.acpi_table import AcpiTable, split
from warily.formats.aml import decode


def test_a_scan_loop_reads_like_what_it_is(vectors: Path) -> None:
    hostile = AcpiTable.parse((vectors / "acpi/badaml/02-ram-scan-loop.aml").read_bytes())
    text = "\n".join(list_bytecode(hostile, decode([hostile])))
    assert "      0x48            OperationRegion (PAGE, SystemMemory, Arg0, 0x1000)" in text
    assert "If (CHKP (Local0)) {" in text
    assert text.count("{") == text.count("}")


def test_every_region_of_a_machine_is_listed(vectors: Path) -> None:
    tables = split((vectors / "acpi/fwcfg-qemu7.2/q35-2c-2g/etc_acpi_tables.bin").read_bytes())
    text = "\n".join(list_bytecode(tables[1], decode(tables)))
    assert text.count("OperationRegion (") == 6  # as iasl counts
    assert "MALFORMED" not in text


def test_what_breaks_off_says_so() -> None:
    broken = table("SSDT", b"\x5b\x82\x4e\x04")
    assert "MALFORMED_" in "\n".join(list_bytecode(broken, decode([broken])))
