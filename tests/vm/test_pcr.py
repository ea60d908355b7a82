"""Boots of OVMF with a TPM: what was predicted from the files is what the TPM holds when the kernel runs.

Nothing in the guest takes part. The machine is stopped where the kernel finds no root file system, and the TPM is read
from outside. Debian's firmware of 2022 writes into its PEI volume, so PCR 0 differs between the two shapes as well.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from tests.software_tpm import SoftwareTpm
from tests.uki_images import assemble
from tests.vm.stage import Project
from warily.host.qtest import qemu_version
from warily.measure.pcr import PcrBoot, boot_events, predict

pytestmark = pytest.mark.vm

FIRMWARE: Final = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES: Final = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
STUB: Final = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
LINE: Final = "console=ttyS0 warily.test=1"
BANKS: Final = ("sha256", "sha384")
PREDICTED: Final = (*range(8), 8, 9, 11, 12, 13, 14)
STOPPED: Final = b"Kernel panic"
WITHIN: Final = 180.0
SHAPES: Final = ((1024, 2), (2560, 3))


@pytest.fixture(scope="module")
def kernel(project: Project) -> Path:
    """The kernel of the example's image; and what `./dev test` installs must be there."""
    for needed in (FIRMWARE, VARIABLES, STUB):
        assert needed.exists(), f"{needed} is missing: run `./dev test`, which installs it"
    return project.home.image / "vmlinuz"


def boot(folder: Path, shape: tuple[int, int], *arguments: str) -> dict[str, bytes]:
    """The registers after a boot that ended where the kernel looks for its root."""
    memory, vcpus = shape
    variables = folder / "variables.fd"
    variables.write_bytes(VARIABLES.read_bytes())
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-machine", "q35", "-cpu", "max,-cx16"]
    command += ["-smp", str(vcpus), "-m", str(memory), "-nodefaults", "-no-reboot", "-display", "none"]
    command += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}"]
    command += ["-drive", f"if=pflash,format=raw,unit=1,file={variables}", "-monitor", "none", "-serial", "stdio"]
    with SoftwareTpm() as tpm:
        command += ["-chardev", f"socket,id=tpm,path={tpm.control}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"]
        command += ["-device", "tpm-crb,tpmdev=tpm0", *arguments]
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


def check(found: dict[str, bytes], shape: tuple[int, int], program: bytes, **inputs: object) -> None:
    """Every register is predicted, or was not extended at all."""
    wanted = PcrBoot(
        firmware=FIRMWARE.read_bytes(),
        variables=VARIABLES.read_bytes(),
        program=program,
        qemu=qemu_version()[:2],
        memory=shape[0] << 20,
        vcpus=shape[1],
        **inputs,  # type: ignore[arg-type]  # one field each
    )
    prediction = predict(boot_events(wanted, BANKS), banks=BANKS)
    assert prediction.absent == ()
    nothing = {name: bytes(len(value)) for name, value in found.items()}
    assert {name: value.hex() for name, value in found.items()} == {
        name: value.hex() for name, value in (nothing | prediction.registers).items()
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_a_kernel_that_qemu_hands_over(shape: tuple[int, int], kernel: Path, tmp_path: Path) -> None:
    initrd = tmp_path / "initrd"
    initrd.write_bytes(os.urandom(5001))
    found = boot(tmp_path, shape, "-kernel", str(kernel), "-initrd", str(initrd), "-append", LINE)
    check(found, shape, kernel.read_bytes(), initrd=initrd.read_bytes(), command_line=LINE)


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
