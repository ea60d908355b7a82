"""The hostile tables are what they claim: our own inspector, and Intel's compiler where it is there, say so."""

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from warily.acpi.bytecode import inspect_bytecode
from warily.acpi.static import inspect_static
from warily.adversary import aml
from warily.adversary.attacks import acpi, dsdt
from warily.core.acpi_blobs import AcpiBlobs
from warily.core.ranges import Range
from warily.formats.acpi_table import AcpiTable, split

RAM = [Range(0, 0xA0000), Range(0x100000, 0x40000000)]
TABLES: dict[str, Callable[[], bytes]] = {
    "ssdt": partial(acpi.in_method, "SSDT", acpi.SSDT, name="WSSDT", method="_INI"),
    "psdt": partial(acpi.in_method, "PSDT", acpi.PSDT, name="WPSDT", method="_STA"),
    "osdt": partial(acpi.at_load, "OSDT", acpi.OSDT, name="WOSDT"),
    "scan": partial(acpi.scanning, acpi.FOUND, name="WSCAN"),
}
RUNS = {"ssdt": "_INI", "psdt": "_STA", "osdt": "load", "scan": "_INI"}


@pytest.mark.parametrize("name", TABLES)
def test_the_inspector_finds_the_write_and_when_it_runs(name: str) -> None:
    table = AcpiTable.parse(TABLES[name]())
    assert table.checksum_holds
    found = inspect_bytecode([table], ram=RAM)
    writes = [each for each in found if each.id == "MEM_RAM_WRITE"]
    assert writes, found
    assert any(RUNS[name] in each.where + each.reach for each in writes), writes


def test_the_inspector_finds_the_error_source() -> None:
    found = inspect_static([AcpiTable.parse(acpi.error_source())], ram=RAM, known_map=True)
    assert any(each.id.startswith("STATIC_") and "0x50100" in each.evidence for each in found), found


@pytest.mark.parametrize("name", ["ssdt", "scan"])
def test_iasl_reads_back_the_same_code(name: str, tmp_path: Path) -> None:
    if shutil.which("iasl") is None:
        pytest.skip("iasl is not installed")
    (tmp_path / "table.aml").write_bytes(TABLES[name]())
    subprocess.run(["iasl", "-d", "table.aml"], cwd=tmp_path, check=True, capture_output=True)
    text = (tmp_path / "table.dsl").read_text()
    assert "SystemMemory" in text
    assert "Method (_INI, 0, Serialized)" in text
    assert ("While" in text) == (name == "scan")


@pytest.mark.parametrize("size", [0, 62, 63, 64, 4093, 4094, 4095, 70000])
def test_a_package_counts_its_own_length(size: int) -> None:
    made = aml.package(bytes(size))
    width = (made[0] >> 6) + 1
    told = made[0] & 0x3F if width == 1 else (made[0] & 0xF) | int.from_bytes(made[1:width], "little") << 4
    assert told == len(made) == size + width


def blobs() -> AcpiBlobs:
    facs = b"FACS" + (64).to_bytes(4, "little") + bytes(56)
    dsdt = aml.table("DSDT", bytes(5) * 100, name="BXPCDSDT", revision=1)
    return AcpiBlobs(loader=b"", rsdp=b"", tables=facs + dsdt + aml.table("APIC", bytes(8), name="X"), tpm_log=None)


def test_the_hosts_dsdt_stands_where_qemus_stood_and_writes_while_it_is_loaded() -> None:
    original, changed = split(blobs().tables), split(dsdt.hostile(blobs()))
    assert [(table.signature, table.offset, table.length) for table in original] == [
        (table.signature, table.offset, table.length) for table in changed
    ]
    hostile = changed[1]
    assert hostile.checksum_holds
    assert hostile.oem_table_id != original[1].oem_table_id
    found = inspect_bytecode([hostile], ram=RAM)
    assert any(each.id == "MEM_RAM_WRITE" and "load" in each.where + each.reach for each in found), found


def test_the_trusted_dsdt_is_newer_than_qemus_and_otherwise_the_same() -> None:
    archive = dsdt.trusted(blobs())
    at = archive.index(b"DSDT")
    table = AcpiTable.parse(archive[at : at + split(blobs().tables)[1].length])
    assert b"kernel/firmware/acpi/dsdt.aml\0" in archive
    assert table.checksum_holds
    assert (table.oem_table_id, table.header.oem_revision) == ("BXPCDSDT", 2)
    assert table.body == split(blobs().tables)[1].body
