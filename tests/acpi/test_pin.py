"""From blobs to a pin: which bytes firmware writes, and that what it wrote is no difference."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from warily.acpi.loader import RSDP, TABLES, carry_out
from warily.acpi.pin import check_digests, measured, reference
from warily.core.acpi_blobs import AcpiBlobs
from warily.errors import FormatError
from warily.formats.acpi_pin import AcpiPin
from warily.formats.acpi_table import split

PLACES = {TABLES: 0x7FFE0000, RSDP: 0xF5B00, "etc/vmgenid_guid": 0x7FFD0000}


def blobs(folder: Path) -> AcpiBlobs:
    return AcpiBlobs(
        loader=(folder / "etc_table-loader.bin").read_bytes(),
        rsdp=(folder / "etc_acpi_rsdp.bin").read_bytes(),
        tables=(folder / "etc_acpi_tables.bin").read_bytes(),
    )


def pin(found: AcpiBlobs) -> AcpiPin:
    return reference(found, qemu=(7, 2, 22), arguments=["-machine", "q35"])


@pytest.mark.parametrize("name", ["q35-2c-2g", "q35-vmgenid-tpm", "microvm-acpi", "q35-hotplug"])
def test_tables_as_firmware_leaves_them_are_those_of_the_pin(vectors: Path, name: str) -> None:
    found = blobs(vectors / "acpi/fwcfg-qemu7.2" / name)
    after = carry_out(found.loader, {TABLES: found.tables, RSDP: found.rsdp}, PLACES)
    assert not pin(found).differences(split(after[TABLES]))


def test_other_tables_are_not(vectors: Path) -> None:
    two, four = (blobs(vectors / "acpi/fwcfg-qemu7.2" / name) for name in ("q35-2c-2g", "q35-default-4c-4g"))
    found = pin(two).differences(split(four.tables))
    assert [(each.table.split()[0], each.kind) for each in found] == [
        ("DSDT", "changed"),
        ("FACP", "changed"),
        ("APIC", "changed"),
        ("HPET", "added"),
    ]
    assert found[2].ranges[0] == (4, 5)  # the length in the header


def test_firmware_measures_the_raw_files_in_this_order(vectors: Path) -> None:
    found = blobs(vectors / "acpi/fwcfg-qemu7.2/q35-2c-2g")
    assert [name for name, _ in measured(found)] == ["etc/table-loader", "etc/acpi/rsdp", "etc/acpi/tables"]
    with_tpm = [name for name, _ in measured(replace(found, tpm_log=b"log"))]
    assert with_tpm == ["etc/table-loader", "etc/acpi/rsdp", "etc/tpm/log", "etc/acpi/tables"]
    assert [each.sha384 for each in pin(found).blobs] == [
        hashlib.sha384(each).hexdigest() for each in (found.loader, found.rsdp, found.tables)
    ]


def test_a_pin_whose_content_was_exchanged_is_refused(vectors: Path) -> None:
    made = pin(blobs(vectors / "acpi/fwcfg-qemu7.2/q35-2c-2g"))
    check_digests(AcpiPin.parse(made.encode()))
    forged = replace(made, tables=(replace(made.tables[0], content=bytes(64)), *made.tables[1:]))
    with pytest.raises(FormatError, match="not that of the content"):
        check_digests(forged)
