"""What a prediction for TDX says where the inputs decide, and where they do not."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.formats.test_linux_kernel import kernel
from tests.measure.boot.test_layout import AFTER, BEFORE, ITEMS, firmware
from tests.measure.boot.test_options import MACHINE
from tests.signed_programs import authority, certificates, sign
from tests.smbios_tables import END, SYSTEM
from tests.tdx_images import BFV, CFV, MR_EXTEND, TD_HOB, TEMP_MEM, store, tdvf, variable
from tests.uki_images import assemble, minimal_stub
from warily.core.acpi_blobs import AcpiBlobs
from warily.core.registers import Prediction
from warily.errors import FormatError, UsageError
from warily.formats.smbios import SmbiosTables
from warily.formats.tcg_log import EventType
from warily.formats.uefi_varstore import GLOBAL, IMAGE_SECURITY
from warily.measure.boot import BootEvent, hashed, known
from warily.measure.boot.layout import SECURE_BOOT_DRIVER, SMBIOS_DRIVER
from warily.measure.tdx import TdxLaunch, predict

ACPI = AcpiBlobs(loader=b"loader", rsdp=b"rsdp", tables=b"tables")
ZEROS = bytes(48)


def image(content: bytes, variables: bytes = b"") -> bytes:
    """An image with a variable store and firmware volumes, as TDVF."""
    volumes = content + b"\xff" * (-len(content) % 4096)
    first = store(variables)
    sections = (
        (0x1000, len(volumes) + 0x1000, 0x100000000 - len(volumes) - 0x1000, len(volumes) + 0x1000, BFV, MR_EXTEND),
        (0, 0x1000, 0xFF000000, 0x1000, CFV, 0),
        (0, 0, 0x810000, 0x2000, TEMP_MEM, 0),
        (0, 0, 0x809000, 0x2000, TD_HOB, 0),
    )
    return first + volumes + tdvf(sections, pages=1)


BUILT = image(firmware(BEFORE, ITEMS))


def pe(data: bytes) -> bytes:
    """The kernel as a PE image without sections, as firmware would start it."""
    out = bytearray(data)
    out[:2], out[0x3C:0x40] = b"MZ", struct.pack("<I", 0x40)
    out[0x40:0x58] = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 0, 0, 0, 0, 0xF0, 0x20E)
    out[0x58:0x5A] = struct.pack("<H", 0x20B)
    out[0x58 + 60 : 0x58 + 64] = struct.pack("<I", 0x200)
    out[0x58 + 108 : 0x58 + 112] = struct.pack("<I", 16)
    out[0x58 + 112 : 0x58 + 0xF0] = bytes(0xF0 - 112)
    return bytes(out)


KERNEL = pe(kernel())


def launch(**more: Any) -> TdxLaunch:  # noqa: ANN401  # whatever a launch takes
    usual = TdxLaunch(
        firmware=BUILT,
        memory=2 << 30,
        vcpus=2,
        kernel=KERNEL,
        initrd=b"initrd",
        command_line=b"quiet",
        qemu=(10, 2),
        acpi=ACPI,
    )
    return replace(usual, **more)


def names(prediction: Prediction, register: str) -> set[str]:
    return {one.name for one in prediction.candidates if one.register == register}


def test_everything_is_predicted_where_everything_is_given() -> None:
    prediction = predict(launch())
    assert set(prediction.registers) == {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"}
    assert prediction.absent == ()
    assert prediction.registers["rtmr3"] == ZEROS
    for name in ("mrtd", "rtmr0", "rtmr1", "rtmr2"):
        last = [step for step in prediction.trace if step.register == name][-1]
        assert last.after == prediction.registers[name].hex()


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({"memory": 3 << 30}, {"rtmr0"}),
        ({"vcpus": 4}, set()),
        ({"command_line": b"quiet "}, {"rtmr2"}),
        ({"initrd": b"other"}, {"rtmr2"}),
        ({"kernel": pe(kernel(version=b"6.12.31\0"))}, {"rtmr1"}),
        ({"acpi": AcpiBlobs(loader=b"loader", rsdp=b"rsdp", tables=b"other")}, {"rtmr0"}),
        ({"firmware": image(firmware(BEFORE, ITEMS, b"x"))}, {"mrtd"}),
        ({"variables": store(variable("PK", GLOBAL, b"key"))}, {"rtmr0"}),
        ({"qemu": (10, 1)}, {"rtmr1"}),
        ({"qemu": (8, 2)}, {"mrtd", "rtmr1"}),
        ({"kernel": pe(kernel(version=b"6.8.1\0"))}, {"rtmr1", "rtmr2"}),
    ],
)
def test_which_input_moves_which_register(change: dict[str, object], moved: set[str]) -> None:
    before, after = predict(launch()).registers, predict(launch(**change)).registers
    assert {name for name in before if before[name] != after[name]} == moved


def test_a_kernel_before_6_9_extends_nothing() -> None:
    assert predict(launch(kernel=pe(kernel(version=b"6.8.12\0")))).registers["rtmr2"] == ZEROS


def test_without_a_version_of_qemu_both_kernels_are_candidates() -> None:
    open_, named = predict(launch(qemu=None)), predict(launch(qemu=(9, 2)))
    assert "ovmf-2025.08 qemu-before-10.2" in names(open_, "rtmr1")
    assert open_.registers["rtmr1"] == predict(launch()).registers["rtmr1"]
    value = next(one.value for one in open_.candidates if one.name == "ovmf-2025.08 qemu-before-10.2")
    assert value == named.registers["rtmr1"]


def test_mrtd_has_its_candidates() -> None:
    prediction = predict(launch())
    assert {"single-pass", "two-pass", "gce-td-hob-bug c3-standard-8"} <= names(prediction, "mrtd")
    assert len(names(prediction, "mrtd")) == 14


def test_a_layout_that_is_not_shown_is_not_guessed() -> None:
    unclear = launch(firmware=image(firmware(AFTER, b"ACPI DATA\0")))
    prediction = predict(unclear)
    assert set(prediction.registers) == {"mrtd", "rtmr2", "rtmr3"}  # both layouts agree on RTMR2
    assert "several event layouts" in dict(prediction.absent)["rtmr1"]
    assert {"ovmf-2023.02", "ovmf-2024.11"} <= names(prediction, "rtmr1")
    for name in ("ovmf-2023.02", "ovmf-2024.11"):
        named = predict(launch(firmware=unclear.firmware, layout=name))
        assert named.registers["rtmr1"] in {one.value for one in prediction.candidates if one.name == name}
    strange = predict(launch(firmware=image(firmware(b"nothing known"))))
    assert "no event layout fits" in dict(strange.absent)["rtmr0"]
    assert len(names(strange, "rtmr1")) > 2


@pytest.mark.parametrize(
    ("change", "register", "reason"),
    [
        ({"acpi": None}, "rtmr0", "ACPI tables"),
        ({"kernel": None, "initrd": None, "command_line": None}, "rtmr1", "no kernel"),
        ({"kernel": None, "initrd": None, "command_line": None}, "rtmr2", "not known"),
        ({"kernel": kernel()}, "rtmr1", "would not start it"),
        ({"firmware": image(firmware(BEFORE, ITEMS, drivers=()))}, "rtmr2", "no driver"),
        ({"variables": store(variable("BootOrder", GLOBAL, b"\1\0"))}, "rtmr0", "boot options already"),
        ({"firmware": tdvf()}, "rtmr1", "no driver"),
    ],
)
def test_a_register_without_its_inputs_is_absent_and_says_why(
    change: dict[str, object], register: str, reason: str
) -> None:
    prediction = predict(launch(**change))
    assert register not in prediction.registers
    assert reason in dict(prediction.absent)[register]
    assert prediction.as_json()["absent"]


def test_secure_boot_needs_to_know_who_vouches() -> None:
    drivers = ("f062221e-c607-44c2-b0b4-c3886331d351", SECURE_BOOT_DRIVER)
    prediction = predict(launch(firmware=image(firmware(BEFORE, ITEMS, drivers=drivers), variable("PK", GLOBAL, b"k"))))
    assert "vouches" in dict(prediction.absent)["rtmr0"]


@pytest.mark.parametrize(("route", "loaders"), [("kernel", 0), ("disk", 0), ("disk", 1)])
def test_secure_boot_with_a_program_that_is_vouched_for(route: str, loaders: int) -> None:
    """The entry of db counts once, and the stub's kernel not at all: firmware is not asked about it."""
    owner = authority("owner")
    keys = variable("PK", GLOBAL, b"k") + variable("db", IMAGE_SECURITY, certificates(owner[0]))
    drivers = ("f062221e-c607-44c2-b0b4-c3886331d351", SECURE_BOOT_DRIVER)
    built = image(firmware(BEFORE, ITEMS, drivers=drivers), keys)
    loader = assemble(minimal_stub(), [(".sdmagic", b"#### LoaderInfo: systemd-boot 257 ####")])
    given: dict[str, object] = {"firmware": built, "initrd": None, "command_line": None, "route": route}
    given |= {"loader": sign(loader, owner)} if loaders else {}
    given |= {"partitions": b"", "devices": MACHINE, "file_system": False} if route == "disk" else {}
    found = predict(launch(kernel=sign(uki("257"), owner), **given))
    assert found.absent == ()
    assert [step.input for step in found.trace].count("authority (variables)") == 1
    assert "kernel in the image (uki)" not in [step.input for step in found.trace]
    plain = predict(launch(**(given | {"kernel": uki("257"), "loader": None, "firmware": BUILT})))
    assert "kernel in the image (uki)" in [step.input for step in plain.trace]
    refused = predict(launch(kernel=uki("257"), **given))
    assert "would not start it" in dict(refused.absent)["rtmr0"]


def log(*events: BootEvent) -> tuple[BootEvent, ...]:
    return events


def test_a_log_gives_what_cannot_be_computed() -> None:
    drivers = ("f062221e-c607-44c2-b0b4-c3886331d351", SMBIOS_DRIVER)
    built = image(firmware(BEFORE, ITEMS, drivers=drivers))
    assert "SMBIOS" in dict(predict(launch(firmware=built)).absent)["rtmr0"]
    smbios = known(1, EventType.EFI_HANDOFF_TABLES, "smbios", ingredient="", digests={"sha384": bytes(48)})
    first = predict(launch(firmware=built, log=log(smbios)))
    assert first.absent == ()
    item = hashed(1, EventType.PLATFORM_CONFIG_FLAGS, "item", ingredient="", data=b"QEMU FW CFG\0bootorder")
    tables = tuple(
        known(1, EventType.PLATFORM_CONFIG_FLAGS, name, ingredient="", digests={"sha384": bytes(48)}) for name in "abc"
    )
    tables = tuple(replace(event, data=b"ACPI DATA") for event in tables)
    second = predict(launch(firmware=built, acpi=None, log=log(smbios, item, *tables)))
    assert second.absent == ()
    assert second.registers["rtmr0"] != first.registers["rtmr0"]


def uki(stub: str, **sections: bytes) -> bytes:
    usual = {"linux": KERNEL, "osrel": b"ID=x", "cmdline": b"quiet\n", "initrd": b"inside"}
    return assemble(minimal_stub(version=stub), [(f".{name}", data) for name, data in (usual | sections).items()])


def test_a_unified_kernel_image() -> None:
    given = {"initrd": None, "command_line": None}
    old = predict(launch(kernel=uki("252"), **given))
    assert old.absent == ()
    inputs = [step.input for step in old.trace if step.register == "rtmr2"]
    assert inputs[0] == "name of .linux (uki)"
    assert inputs[-2:] == ["load options (command line)", "initrd (initrd)"]
    assert predict(launch(kernel=uki("252", initrd=b"other"), **given)).registers["rtmr2"] != old.registers["rtmr2"]
    new = predict(launch(kernel=uki("262"), **given))
    assert set(dict(new.absent)) == {"rtmr0", "rtmr2"}
    with pytest.raises(UsageError, match="inside"):
        predict(launch(kernel=uki("252")))


def test_a_unified_kernel_image_on_a_disk() -> None:
    disk = {"kernel": uki("252"), "initrd": None, "command_line": None, "route": "disk"}
    opened = predict(launch(**disk))
    assert set(dict(opened.absent)) == {"rtmr0", "rtmr1"}
    order = hashed(1, EventType.EFI_VARIABLE_BOOT, "BootOrder", ingredient="", data=b"\0\0")
    prediction = predict(launch(**disk, partitions=b"", log=log(order)))
    assert prediction.absent == ()
    assert names(prediction, "rtmr1") == {"ovmf-2025.08", "ovmf-2025.08 second-exit"}
    with_table = predict(launch(**disk, partitions=b"table", log=log(order)))
    assert with_table.registers["rtmr1"] != prediction.registers["rtmr1"]
    assert with_table.registers["rtmr2"] == prediction.registers["rtmr2"]


def test_a_disk_of_a_machine_that_is_known(vectors: Path) -> None:
    firmware = (vectors / "measure/firmware/OVMF.generic.fd").read_bytes()
    machine = replace(MACHINE, order=b"/pci@i0cf8/scsi@1/disk@0,0\0")
    given: dict[str, object] = {"initrd": None, "command_line": None, "route": "disk", "firmware": firmware}
    given |= {"devices": machine, "file_system": False, "partitions": b"table"}
    given |= {"smbios": SmbiosTables.decode(SYSTEM + END)}
    first = predict(launch(kernel=uki("252"), items={"bootorder": machine.order}, **given))
    assert first.absent == ()
    named = [step.input for step in first.trace if step.register == "rtmr0"]
    assert "fw_cfg bootorder (qemu)" in named
    assert named[-5:-2] == [
        "variable BootOrder (firmware)",
        "variable Boot0002, 'UEFI Misc Device' (firmware)",
        "variable Boot0000, 'BootManagerMenuApp' (firmware)",
    ]
    loader = assemble(minimal_stub(), [(".sdmagic", b"#### LoaderInfo: systemd-boot 257 ####")])
    second = predict(launch(kernel=uki("252"), loader=loader, **given))
    assert second.absent == ()
    assert second.registers["rtmr2"] == first.registers["rtmr2"]
    assert second.registers["rtmr1"] != first.registers["rtmr1"]
    with pytest.raises(UsageError, match="on a disk"):
        predict(launch(loader=loader))


def test_other_items_of_qemu_follow_the_kernel_in_its_boot_order() -> None:
    usual = predict(launch()).registers["rtmr0"]
    assert predict(launch(items={})).registers["rtmr0"] == usual
    assert predict(launch(items={"bootorder": b"/rom@genroms/other.bin\0"})).registers["rtmr0"] != usual
    assert predict(launch(items={"BootMenu": b"\1\0"})).registers["rtmr0"] != usual


def test_a_disk_asks_for_its_partitions_and_its_boot_options() -> None:
    with pytest.raises(UsageError, match="unified kernel image"):
        predict(launch(route="disk", initrd=None, command_line=None))
    with pytest.raises(UsageError, match="neither an initrd"):
        predict(launch(route="disk"))


@pytest.mark.parametrize(
    "change",
    [
        {"vcpus": 0},
        {"memory": 0},
        {"memory": 12345},
        {"memory": 4 << 20},
        {"kernel": None},
        {"command_line": b"a\0b"},
        {"variables": bytes(10)},
        {"layout": "nobody"},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        predict(launch(**change))


def test_code_alone_takes_its_variables_from_beside_it(vectors: Path) -> None:
    folder = vectors / "measure/firmware"
    whole = (folder / "OVMF.generic.fd").read_bytes()
    code, variables = (folder / "OVMF_CODE_4M.fd").read_bytes(), whole[:0x84000]
    with pytest.raises(FormatError, match="not in the image"):
        predict(launch(firmware=code))
    assert predict(launch(firmware=code, variables=variables)).registers == predict(launch(firmware=whole)).registers
