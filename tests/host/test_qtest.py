"""Tables out of the installed QEMU, equal to what firmware was seen to read; and arguments made harmless."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from warily.errors import HostError, UsageError
from warily.formats.smbios import SmbiosTables
from warily.host import qtest
from warily.host.qtest_arguments import has_ata_drive, tpm_chardev, without_effects

CAPTURES = ("q35-2c-2g-ovmf", "pc-2c-1g", "q35-default-4c-4g", "q35-hotplug-ovmf", "q35-vmgenid-tpm", "microvm-acpi")


@pytest.mark.parametrize("name", CAPTURES)
def test_the_same_bytes_as_firmware_read(vectors: Path, name: str) -> None:
    """Captures of QEMU 7.2.22, two of them after Debian 12's OVMF had run for 30 s."""
    folder = vectors / "acpi/fwcfg-qemu7.2" / name
    said = json.loads((folder / "info.json").read_text())
    if "version {}.{}.{}".format(*qtest.qemu_version()) not in said["qemu"]:
        pytest.skip(f"another QEMU is installed than {said['qemu']}")
    found = qtest.read_acpi(["-nodefaults", *said["args"]], setup=qtest.OVMF_2022)
    assert found.loader == (folder / "etc_table-loader.bin").read_bytes()
    assert found.rsdp == (folder / "etc_acpi_rsdp.bin").read_bytes()
    assert found.tables == (folder / "etc_acpi_tables.bin").read_bytes()
    assert found.tpm_log is None


@pytest.mark.skipif(shutil.which("swtpm") is None, reason="swtpm is not installed")
def test_a_machine_with_a_tpm_needs_none_running() -> None:
    words = ["-chardev", "socket,id=t,path=/nonexistent", "-tpmdev", "emulator,id=t0,chardev=t", "-device"]
    found = qtest.read_acpi(["-nodefaults", "-machine", "q35", *words, "tpm-crb,tpmdev=t0"])
    assert found.tpm_log == bytes(65536)
    assert b"TPM2" in found.tables


def test_smbios_tables_are_read_as_well_where_they_name_the_real_processor() -> None:
    words = [
        "-nodefaults",
        "-machine",
        "q35",
        "-smp",
        "3",
        "-smbios",
        "type=1,serial=S123",
        "-smbios",
        "type=11,value=x",
    ]
    found = qtest.read_tables([*words, "-cpu", "max"]).smbios
    assert found is not None
    listed = SmbiosTables.decode(found).structures
    assert [each.strings[-1] for each in listed if each.header.type == 1] == [b"S123"]
    assert [each.strings for each in listed if each.header.type == 11] == [(b"x",)]
    assert qtest.read_tables([*words, "-cpu", "host,migratable=off"]).smbios is None


def test_what_firmware_could_start_from() -> None:
    disk = ["-drive", "file=/nonexistent,if=none,id=d", "-device", "virtio-blk-pci,drive=d,addr=5.0,bootindex=2"]
    found = qtest.read_tables(["-nodefaults", "-machine", "q35", *disk])
    (block,) = [each for each in found.devices.pci if each.vendor == 0x1AF4]
    assert (block.device, block.function, block.kind) == (5, 0, 0x010000)
    assert found.devices.order == found.items["bootorder"] == b"/pci@i0cf8/scsi@5/disk@0,0\0"
    assert found.items["BootMenu"] == bytes(2)
    assert not found.devices.ata
    assert qtest.read_tables(["-machine", "q35", *disk, "-boot", "menu=on"]).items["BootMenu"] == b"\1\0"


def test_firmware_that_runs_smm_agrees_on_how_processors_come_and_go() -> None:
    words = ["-nodefaults", "-machine", "q35", "-smp", "2,maxcpus=4", "-bios", "ovmf"]
    usual, smm = (qtest.read_tables(words, setup=replace(qtest.OVMF, smm=smm)).acpi for smm in (False, True))
    assert b"CSMI" not in usual.tables  # the method that raises the interrupt
    assert usual.tables != smm.tables
    again = qtest.read_tables(["-nodefaults", "-machine", "pc"], setup=replace(qtest.OVMF, smm=True)).acpi
    assert again.tables == qtest.read_tables(["-nodefaults", "-machine", "pc"], setup=qtest.OVMF).acpi.tables


@pytest.mark.parametrize(
    ("words", "ata"),
    [
        ("-nodefaults", False),
        ("--nodefaults -drive if=none,id=x -device virtio-blk-pci,drive=x", False),
        ("-nodefaults -drive if=pflash,file=x -drive if=virtio,file=y", False),
        ("-machine q35", True),
        ("-nodefaults -drive file=x", True),
        ("-nodefaults --drive if=ide,file=x", True),
        ("-nodefaults -cdrom x", True),
        ("-nodefaults --hda x", True),
        ("-nodefaults -drive if=none,id=x -device ide-cd,drive=x", True),
    ],
)
def test_drives_at_the_own_controller(words: str, *, ata: bool) -> None:
    assert has_ata_drive(words.split()) is ata


def test_a_machine_without_tables_says_so() -> None:
    with pytest.raises(UsageError, match="no ACPI tables"):
        qtest.read_acpi(["-nodefaults", "-machine", "microvm,acpi=off"])


def test_what_qemu_does_not_know_is_its_error() -> None:
    with pytest.raises(HostError) as caught:
        qtest.read_acpi(["-nodefaults", "-machine", "q35", "-device", "no-such-device"])
    assert "no-such-device" in (caught.value.hint or "")
    with pytest.raises(HostError, match="not installed"):
        qtest.read_acpi([], qemu="no-such-qemu")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-nodefaults -accel kvm -enable-kvm -cpu host,-cx16", "-nodefaults -cpu max,-cx16"),
        (
            "-nodefaults -machine q35,accel=kvm,confidential-guest-support=sev0,memory-backend=ram0,smm=off",
            "-nodefaults -machine q35,memory-backend=ram0,smm=off",
        ),
        ("-nodefaults -object sev-snp-guest,id=sev0,policy=0x30000", "-nodefaults"),
        ("-nodefaults -serial chardev:console", "-nodefaults -serial null"),
        ("-nodefaults -serial none", "-nodefaults -serial none"),
        ("-nodefaults -chardev stdio,id=console,signal=off", "-nodefaults -chardev null,id=console"),
        ("-nodefaults -netdev user,id=n,hostfwd=tcp::1-:2", "-nodefaults -netdev hubport,hubid=0,id=n"),
        (
            "-nodefaults -blockdev driver=raw,node-name=a,file.filename=/x",
            "-nodefaults -blockdev driver=null-co,read-zeroes=on,node-name=a",
        ),
        ("-nodefaults -drive if=pflash,format=raw,file=x", "-nodefaults"),
        (
            "-nodefaults -drive file=x,,if=pflash,if=none,id=d",
            "-nodefaults -drive driver=null-co,read-zeroes=on,if=none,id=d",
        ),
        ("-nodefaults -bios x -kernel y -initrd z -append w", "-nodefaults"),
        ("-m 1G", "-m 1G -monitor none -serial null"),
        ("-serial stdio", "-serial null -monitor none"),
    ],
)
def test_arguments_without_effects(before: str, after: str) -> None:
    assert without_effects(before.split()) == after.split()


def test_the_chardev_of_a_tpm() -> None:
    assert tpm_chardev(["-tpmdev", "emulator,id=t0,chardev=t"]) == "t"
    assert tpm_chardev(["-chardev", "null,id=t"]) is None


@pytest.mark.parametrize(
    ("words", "setup"),
    [
        ([], qtest.SEABIOS),
        (["-bios", "bios-256k.bin"], qtest.SEABIOS),
        (["-bios", "OVMF.fd"], qtest.OVMF),
        (["-drive", "if=pflash,file=x"], qtest.OVMF),
        (["-machine", "q35,pflash0=code"], qtest.OVMF),
    ],
)
def test_whose_setup_is_imitated(words: list[str], setup: qtest.Setup) -> None:
    assert qtest.setup_for(words) == setup
