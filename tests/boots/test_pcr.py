"""Boots of OVMF with a TPM: what was predicted from the files is what the TPM holds when the kernel runs.

Nothing in the guest takes part. The machine is stopped where the kernel finds no root file system, and the TPM is read
from outside. Debian's firmware of 2022 writes into its PEI volume, so PCR 0 differs between the two shapes as well.
That of 2026, which measures SMBIOS tables, is among the vectors.
"""

import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.conftest import vectors_folder
from tests.esp_images import SYSTEM_PARTITION, fat32, gpt
from tests.signed_programs import sign
from tests.software_tpm import SoftwareTpm
from tests.uki_images import assemble
from warily.formats.gpt import HEAD, PartitionTable
from warily.formats.smbios import SmbiosTables
from warily.host import qtest
from warily.host.qtest import qemu_version
from warily.measure.pcr import PcrBoot, boot_events, predict

pytestmark = pytest.mark.vm

FIRMWARE: Final = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES: Final = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
STUB: Final = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
SNAKE_OIL: Final = Path("/usr/share/ovmf/PkKek-1-snakeoil")
LOADER: Final = STUB.with_name("systemd-bootx64.efi")
LINE: Final = "console=ttyS0 warily.test=1"
BANKS: Final = ("sha256", "sha384")
PREDICTED: Final = (*range(8), 8, 9, 11, 12, 13, 14)
STOPPED: Final = b"Kernel panic"
WITHIN: Final = 180.0
SHAPES: Final = ((1024, 2), (2560, 3))


@pytest.fixture(scope="module")
def kernel(image: Path) -> Path:
    """The kernel of the example's image; and what `./dev test` installs must be there."""
    for needed in (FIRMWARE, VARIABLES, STUB):
        assert needed.exists(), f"{needed} is missing: run `./dev test`, which installs it"
    return image / "vmlinuz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """A firmware: with its variables beside it, or in one file with them."""

    code: Path
    variables: Path | None = None
    setup: qtest.Setup = qtest.OVMF

    def arguments(self, folder: Path) -> list[str]:
        if self.variables is None:
            return ["-bios", str(self.code)]
        (folder / "variables.fd").write_bytes(self.variables.read_bytes())
        words = ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={self.code}"]
        return [*words, "-drive", f"if=pflash,format=raw,unit=1,file={folder / 'variables.fd'}"]


INSTALLED: Final = Firmware(code=FIRMWARE, variables=VARIABLES, setup=qtest.OVMF_2022)
SECURE: Final = Firmware(
    code=FIRMWARE.with_name("OVMF_CODE_4M.secboot.fd"),
    variables=FIRMWARE.with_name("OVMF_VARS_4M.snakeoil.fd"),
    setup=replace(qtest.OVMF_2022, smm=True),
)
NEW: Final = Firmware(code=vectors_folder() / "measure/firmware/OVMF.generic.fd")


def launch(shape: tuple[int, int], *arguments: str) -> list[str]:
    """The machine, without its firmware and without what is behind its TPM."""
    memory, vcpus = shape
    words = ["-machine", "q35", "-cpu", "max,-cx16", "-smp", str(vcpus), "-m", str(memory), "-nodefaults"]
    words += ["-serial", "stdio", "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"]
    return [*words, *arguments]


def boot(folder: Path, shape: tuple[int, int], *arguments: str, firmware: Firmware = INSTALLED) -> dict[str, bytes]:
    """The registers after a boot that ended where the kernel looks for its root."""
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-no-reboot", "-display", "none"]
    command += ["-monitor", "none", *firmware.arguments(folder)]
    with SoftwareTpm() as tpm:
        command += ["-chardev", f"socket,id=tpm,path={tpm.control}", *launch(shape, *arguments)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
            said = _until_stopped(machine)
            machine.kill()  # in order, QEMU would take the TPM with it
        assert STOPPED in said, said[-2000:].decode("utf-8", "replace")
        return {f"{bank}:{index}": tpm.read(bank, index) for bank in BANKS for index in PREDICTED}


def _until_stopped(machine: subprocess.Popen[bytes]) -> bytes:
    assert machine.stdout is not None
    os.set_blocking(machine.stdout.fileno(), False)
    said, end = b"", time.monotonic() + WITHIN
    while STOPPED not in said and machine.poll() is None and time.monotonic() < end:
        said += machine.stdout.read(1 << 16) or b""
        time.sleep(0.1)
    return said


def check(
    found: dict[str, bytes],
    shape: tuple[int, int],
    program: bytes,
    *,
    firmware: Firmware = INSTALLED,
    words: tuple[str, ...] = (),
    open_ones: tuple[str, ...] = (),
    **inputs: object,
) -> None:
    """Every register but the open ones is predicted, or was not extended at all.

    Linux may leave boot services at the second try.
    """
    chardev = ("-chardev", "socket,id=tpm,path=/nonexistent", "-bios", str(firmware.code))
    tables = qtest.read_tables([*launch(shape, *words), *chardev], setup=firmware.setup)
    assert tables.smbios is not None
    wanted = PcrBoot(
        firmware=firmware.code.read_bytes(),
        variables=firmware.variables.read_bytes() if firmware.variables else None,
        acpi=tables.acpi,
        smbios=SmbiosTables.decode(tables.smbios),
        devices=tables.devices,
        program=program,
        qemu=qemu_version()[:2],
        memory=shape[0] << 20,
        vcpus=shape[1],
        **inputs,  # type: ignore[arg-type]  # one field each
    )
    prediction = predict(boot_events(wanted, BANKS), banks=BANKS)
    assert tuple(dict(prediction.absent)) == open_ones
    found = {name: value for name, value in found.items() if name not in open_ones}
    nothing = {name: bytes(len(value)) for name, value in found.items()}
    retried = {
        each.register: each.value
        for each in prediction.candidates
        if each.name == "retried exit" and found[each.register] == each.value
    }
    assert {name: value.hex() for name, value in found.items()} == {
        name: value.hex() for name, value in (nothing | prediction.registers | retried).items()
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_a_kernel_that_qemu_hands_over(shape: tuple[int, int], kernel: Path, tmp_path: Path) -> None:
    initrd = tmp_path / "initrd"
    initrd.write_bytes(os.urandom(5001))
    found = boot(tmp_path, shape, "-kernel", str(kernel), "-initrd", str(initrd), "-append", LINE)
    check(found, shape, kernel.read_bytes(), initrd=initrd.read_bytes(), command_line=LINE)


def test_a_kernel_on_firmware_that_measures_smbios_tables(kernel: Path, vectors: Path, tmp_path: Path) -> None:
    assert NEW.code.is_relative_to(vectors)
    words = ("-smbios", "type=1,manufacturer=M,serial=S123", "-smbios", "type=11,value=x", "-device", "virtio-rng-pci")
    (tmp_path / "initrd").write_bytes(os.urandom(5001))
    given = ("-kernel", str(kernel), "-initrd", str(tmp_path / "initrd"), "-append", LINE)
    found = boot(tmp_path, SHAPES[1], *given, *words, firmware=NEW)
    initrd = (tmp_path / "initrd").read_bytes()
    check(found, SHAPES[1], kernel.read_bytes(), firmware=NEW, words=words, initrd=initrd, command_line=LINE)


@pytest.mark.parametrize(("loader", "index"), [("", ""), ("systemd-boot", ",bootindex=1"), ("systemd-boot", "")])
@pytest.mark.parametrize("firmware", [INSTALLED, NEW], ids=["installed", "new"])
def test_a_disk_with_a_system_partition(
    firmware: Firmware, loader: str, index: str, kernel: Path, vectors: Path, tmp_path: Path
) -> None:
    """The image as the program that firmware looks for, and systemd-boot in its place, with and without an order."""
    assert NEW.code.is_relative_to(vectors)
    sections = [(".osrel", b"ID=test\nPRETTY_NAME=T\nVERSION_ID=1\n"), (".cmdline", f"{LINE} inside\n".encode())]
    sections += [(".uname", b"6.12"), (".initrd", os.urandom(5001)), (".linux", kernel.read_bytes())]
    image = assemble(STUB.read_bytes(), sections)
    first = LOADER.read_bytes() if loader else image
    files = {"EFI/BOOT/BOOTX64.EFI": first} | ({"EFI/LINUX/TEST.EFI": image} if loader else {})
    (tmp_path / "disk").write_bytes(gpt((SYSTEM_PARTITION, fat32(files))))
    drive = f"file={tmp_path / 'disk'},format=raw,if=none,id=d,snapshot=on"
    words = ("-drive", drive, "-device", f"virtio-blk-pci,drive=d{index}")
    found = boot(tmp_path, SHAPES[0], *words, firmware=firmware)
    table = PartitionTable.parse((tmp_path / "disk").read_bytes()[:HEAD])
    assert table is not None
    disk: dict[str, Any] = {"route": "disk", "partitions": table.measured(), "file_system": False}
    check(found, SHAPES[0], image, firmware=firmware, words=words, loader=first if loader else None, **disk)


@pytest.mark.parametrize("loader", ["", "systemd-boot"])
def test_secure_boot(loader: str, kernel: Path, tmp_path: Path) -> None:
    """Firmware that enforces it and runs SMM, with the key that Debian publishes for trying this out in db.

    Its store says how much memory earlier boots used, and PCR 0 stays open.
    """
    certificate = x509.load_pem_x509_certificate(SNAKE_OIL.with_suffix(".pem").read_bytes())
    key = load_pem_private_key(SNAKE_OIL.with_suffix(".key").read_bytes(), b"snakeoil")
    assert isinstance(key, RSAPrivateKey)
    sections = [(".osrel", b"ID=test\nPRETTY_NAME=T\nVERSION_ID=1\n"), (".cmdline", f"{LINE} inside\n".encode())]
    sections += [(".uname", b"6.12"), (".initrd", os.urandom(5001)), (".linux", kernel.read_bytes())]
    image = sign(assemble(STUB.read_bytes(), sections), (certificate, key))
    first = sign(LOADER.read_bytes(), (certificate, key)) if loader else image
    files = {"EFI/BOOT/BOOTX64.EFI": first} | ({"EFI/LINUX/TEST.EFI": image} if loader else {})
    (tmp_path / "disk").write_bytes(gpt((SYSTEM_PARTITION, fat32(files))))
    drive = f"file={tmp_path / 'disk'},format=raw,if=none,id=d,snapshot=on"
    secure = ("-global", "driver=cfi.pflash01,property=secure,value=on")
    words = ("-drive", drive, "-device", "virtio-blk-pci,drive=d", *secure)
    found = boot(tmp_path, SHAPES[0], *words, firmware=SECURE)
    table = PartitionTable.parse((tmp_path / "disk").read_bytes()[:HEAD])
    assert table is not None
    disk: dict[str, Any] = {"route": "disk", "partitions": table.measured(), "file_system": False}
    disk |= {"loader": first if loader else None}
    check(found, SHAPES[0], image, firmware=SECURE, words=words, open_ones=("sha256:0", "sha384:0"), **disk)


@pytest.mark.parametrize(("shape", "given"), [(SHAPES[0], ""), (SHAPES[1], f"{LINE} given")])
def test_a_unified_kernel_image(shape: tuple[int, int], given: str, kernel: Path, tmp_path: Path) -> None:
    sections = [
        (".osrel", b"ID=test\n"),
        (".cmdline", f"{LINE} inside\n".encode()),
        (".pcrpkey", b"a public key\n"),
        (".pcrsig", b'{"sha256":[]}'),
        (".uname", b"6.12"),
        (".initrd", os.urandom(5001)),
        (".linux", kernel.read_bytes()),
    ]
    image = tmp_path / "linux.efi"
    image.write_bytes(assemble(STUB.read_bytes(), sections))
    found = boot(tmp_path, shape, "-kernel", str(image), *(("-append", given) if given else ()))
    check(found, shape, image.read_bytes(), command_line=given)
