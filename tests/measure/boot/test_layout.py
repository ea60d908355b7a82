"""Event layouts: identified by what an image shows, and never guessed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.formats.test_firmware_volume import file, section, volume
from tests.smbios_tables import END, SYSTEM, structure
from warily.errors import UsageError
from warily.formats.smbios import SmbiosTables
from warily.formats.uefi_varstore import VariableStore
from warily.measure.boot import BootInputs, examine, facts_of, layout_named, layouts, predict_events
from warily.measure.boot.layout import RTMR_DRIVER, SMBIOS_DRIVER, SMM_DRIVER
from warily.measure.boot.steps import STEPS

BEFORE, AFTER = b"initrd=initrd \0", b" initrd=initrd\0"
ITEMS, ACPI = b"QEMU FW CFG\0", b"ACPI DATA\0"


def firmware(*marks: bytes, version: str = "", drivers: tuple[str, ...] = (RTMR_DRIVER,)) -> bytes:
    text = f"\0{version}\0".encode("utf-16-le") if version else b""
    content = file("00000000-0000-0000-0000-000000000001", section(0x19, b"".join(marks) + text))
    return volume(content + b"".join(file(name, b"", kind=1) for name in drivers))


@pytest.mark.parametrize(
    ("marks", "version", "names"),
    [
        ((BEFORE, ITEMS), "", ["ovmf-2025.08"]),
        ((BEFORE, ITEMS), "2031.02-1", ["ovmf-2025.08"]),
        ((AFTER, ITEMS), "2025.05", ["ovmf-2025.05"]),
        ((AFTER,), "", ["ovmf-2022.11"]),
        ((AFTER, ACPI), "", ["ovmf-2023.02", "ovmf-2024.11"]),
        ((AFTER, ACPI), "2024.02-3+tdx1.0", ["ovmf-2023.02"]),
        ((AFTER, ACPI), "2025.02-3ubuntu2", ["ovmf-2024.11"]),
        ((AFTER, ACPI), "2031.02", ["ovmf-2023.02", "ovmf-2024.11"]),
        ((BEFORE,), "2025.11", []),
        ((), "2025.11", []),
    ],
)
def test_an_image_shows_its_layout(marks: tuple[bytes, ...], version: str, names: list[str]) -> None:
    facts = examine(firmware(*marks, version=version))
    assert [layout.name for layout in facts.layouts] == names
    assert facts.version == (version or None)


def test_two_releases_in_one_image_decide_nothing() -> None:
    both = "2024.02".encode("utf-16-le") + bytes(2) + "2025.02\0".encode("utf-16-le")
    facts = examine(firmware(AFTER, ACPI, bytes(2), both))
    assert (facts.version, len(facts.layouts)) == (None, 2)


def test_drivers_say_what_is_measured() -> None:
    facts = examine(firmware(BEFORE, ITEMS, drivers=(SMBIOS_DRIVER,)))
    assert (facts.measures_smbios, facts.extends_rtmrs, facts.secure_boot) == (True, False, False)


@pytest.mark.parametrize(
    ("name", "layout", "extends"),
    [
        ("OVMF.generic.fd", ["ovmf-2025.08"], True),
        ("OVMF.inteltdx.ms.fd", ["ovmf-2025.08"], True),
        ("OVMF.amdsev.fd", ["ovmf-2025.08"], False),
        ("OVMF.bookworm.fd", ["ovmf-2022.11"], False),
    ],
)
def test_genuine_images(vectors: Path, name: str, layout: list[str], *, extends: bool) -> None:
    facts = examine((vectors / "measure/firmware" / name).read_bytes())
    assert ([one.name for one in facts.layouts], facts.extends_rtmrs) == (layout, extends)


def test_a_name_decides_where_the_image_does_not() -> None:
    assert [one.name for one in facts_of(firmware(AFTER), layout="ovmf-2024.11").layouts] == ["ovmf-2024.11"]
    with pytest.raises(UsageError, match="no event layout"):
        layout_named("ovmf-1999")


def test_layouts_are_dated_and_made_of_known_steps() -> None:
    names = [layout.name for layout in layouts()]
    assert names == sorted(names)
    assert {"ovmf-2022.11", "ovmf-2024.11", "ovmf-2025.05", "ovmf-2025.08"} <= set(names)
    for layout in layouts():
        assert re.fullmatch(r"20\d\d-\d\d", layout.dated)
        assert layout.initrd_word in ("before", "after")
        for steps in layout.routes.values():
            assert {step for step in steps if not re.fullmatch(r"separator:[0-7]", step)} <= STEPS.keys()


@pytest.mark.parametrize(
    ("name", "given", "initrd", "line"),
    [
        ("ovmf-2024.11", "quiet", True, "quiet initrd=initrd"),
        ("ovmf-2025.08", "quiet", True, "initrd=initrd quiet"),
        ("ovmf-2025.08", "", True, "initrd=initrd "),
        ("ovmf-2024.11", "", True, " initrd=initrd"),
        ("ovmf-2025.08", "quiet", False, "quiet"),
    ],
)
def test_the_word_for_the_initrd(name: str, given: str, line: str, *, initrd: bool) -> None:
    assert layout_named(name).command_line(given, initrd=initrd) == line


def test_firmware_that_runs_smm_measures_smbios_tables_last() -> None:
    """As seen in a boot of Debian's 2026.08 with OVMF_CODE_4M.secboot.fd: the TPM driver is called first."""
    usual, smm = (examine(firmware(BEFORE, ITEMS, drivers=(SMBIOS_DRIVER, *more))) for more in ((), (SMM_DRIVER,)))
    assert (usual.runs_smm, smm.runs_smm) == (False, True)
    tables, layout = SmbiosTables.decode(SYSTEM + structure(0, 0, b"", b"own") + END), usual.layouts[0]
    orders = []
    for facts in (usual, smm):
        inputs = BootInputs(facts=facts, variables=VariableStore(variables=()), smbios=tables)
        events = predict_events(inputs, layout, platform="tpm", route="kernel")
        orders.append([event.name for event in events if event.register == 1])
    first, second = orders
    assert first[-5:] == ["SMBIOS tables", *first[-4:-1], "separator"]
    assert second[-5:] == [*first[-4:-1], "separator", "SMBIOS tables"]
    old = layout_named("ovmf-2022.11")
    inputs = BootInputs(facts=replace(smm, layouts=(old,)))
    assert all(event.name != "SMBIOS tables" for event in predict_events(inputs, old, platform="tpm", route="kernel"))
