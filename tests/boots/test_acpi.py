"""Tables predicted from QEMU alone, against what booted machines see and what their firmware logged."""

import base64
import hashlib
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from warily.acpi.pin import measured, reference
from warily.core import built
from warily.formats import cpio
from warily.formats.acpi_table import AcpiTable
from warily.formats.tcg_log import EventLog
from warily.host import qtest

pytestmark = pytest.mark.vm
WITHIN = 240.0
SHA256 = 0x0B
LOG = "binary_bios_measurements"
ALWAYS = (*("-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-no-user-config"),)
PROCESSOR = ("-accel", "tcg,thread=single", "-cpu", "max,-cx16,-avx,-avx2")
PROBE = f"""\
import base64, ctypes, pathlib

libc = ctypes.CDLL(None)
for kind, where in (("devtmpfs", "/dev"), ("sysfs", "/sys"), ("securityfs", "/sys/kernel/security")):
    libc.mount(kind.encode(), where.encode(), kind.encode(), 0, None)
files = sorted(path for path in pathlib.Path("/sys/firmware/acpi/tables").iterdir() if path.is_file())
log = pathlib.Path("/sys/kernel/security/tpm0/{LOG}")
with open("/dev/ttyS0", "wb", buffering=0) as out:
    for path in [*files, log] if log.exists() else files:
        out.write(b"\\nprobe " + path.name.encode() + b" " + base64.b64encode(path.read_bytes()) + b"\\n")
libc.reboot(0x4321FEDC)
"""


def probed(image: Path, folder: Path, *words: str) -> dict[str, bytes]:
    """What a machine with our kernel, and one program in place of our init, reads in /sys."""
    packed = (image / built.INITRD).read_bytes()
    python = re.search(rb"usr/bin/(python3\.\d+)\0", _unpacked(packed))
    assert python is not None
    program = b"#!/usr/bin/" + python[1] + b" -ISB\n" + PROBE.encode()
    more = cpio.encode([cpio.Entry(name="probe", mode=stat.S_IFREG | 0o755, data=program)])
    (folder / "initrd").write_bytes(packed + bytes(-len(packed) % 512) + more)
    start = ("-kernel", str(image / built.KERNEL), "-initrd", str(folder / "initrd"))
    line = ("-append", "console=ttyS0 quiet panic=-1 rdinit=/probe")
    command = ["qemu-system-x86_64", *PROCESSOR, *ALWAYS, *start, *line, *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN, check=False)
    found = {
        m[1].decode(): base64.b64decode(m[2])
        for m in re.finditer(rb"^probe (\S+) (\S+)\r?$", done.stdout, re.MULTILINE)
    }
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return found


def _unpacked(packed: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(packed).read()


def test_seabios_machine_sees_what_was_predicted(image: Path, tmp_path: Path) -> None:
    """An i440fx machine with a generation counter, whose SSDT firmware writes an address into."""
    guid = "vmgenid,guid=324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87"
    words = ("-machine", "pc", "-smp", "1", "-m", "384M", "-device", guid)
    seen = probed(image, tmp_path, *words)
    pin = reference(qtest.read_acpi([*ALWAYS, *words]), qemu=qtest.qemu_version(), arguments=words)
    assert "SSDT" in seen
    assert not pin.differences([AcpiTable.parse(data) for data in seen.values()])


@pytest.mark.skipif(shutil.which("swtpm") is None, reason="swtpm is not installed")
def test_ovmf_machine_sees_and_logs_what_was_predicted(image: Path, tmp_path: Path, vectors: Path) -> None:
    """A q35 machine with a TPM and a device that wants 64-bit addresses: tables, and digests in its event log."""
    (tmp_path / "tpm").mkdir()
    socket = tmp_path / "s"
    tpm = ("--tpmstate", f"dir={tmp_path / 'tpm'}", "--ctrl", f"type=unixio,path={socket}", "--flags", "startup-clear")
    subprocess.run(["swtpm", "socket", "--tpm2", *tpm, "--terminate", "--daemon"], check=True)
    words = (
        *("-machine", "q35,smm=off", "-smp", "3", "-m", "768M", "-device", "virtio-rng-pci"),
        *("-chardev", f"socket,id=c,path={socket}", "-tpmdev", "emulator,id=t,chardev=c"),
        *("-device", "tpm-crb,tpmdev=t", "-bios", str(vectors / "measure/firmware/OVMF.generic.fd")),
    )
    seen = probed(image, tmp_path, *words)
    blobs = qtest.read_acpi([*ALWAYS, *words])
    log = EventLog.decode(seen.pop(LOG))
    pin = reference(blobs, qemu=qtest.qemu_version(), arguments=words)
    assert not pin.differences([AcpiTable.parse(data) for data in seen.values()])
    logged = [dict(event.digests)[SHA256] for event in log.events if event.data == b"ACPI DATA"]
    assert logged == [hashlib.sha256(data).digest() for _, data in measured(blobs)]
