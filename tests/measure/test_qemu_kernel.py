"""The kernel as QEMU hands it over: against the installed QEMU, which fills the header in."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.formats.test_linux_kernel import kernel
from warily.errors import UsageError
from warily.measure.qemu_kernel import low_memory, patched_kernel

QEMU = "qemu-system-x86_64"
SETUP_SIZE, SETUP_DATA = 0x17, 0x18
SCRATCH, BUFFER = 0x1000, 0x100000

pytestmark = pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")


def program(*, protocol: int = 0x20F, above_4g: bool = True, initrd_max: int = 0x7FFFFFFF, high: bool = True) -> bytes:
    data = bytearray(kernel(protocol=protocol).ljust(0x3000, b"\xaa"))
    data[0x1F1] = 1  # sectors of the setup part
    data[0x211] = 1 if high else 0
    data[0x22C:0x230] = struct.pack("<I", initrd_max)
    data[0x236:0x238] = struct.pack("<H", 2 if above_4g else 0)
    return bytes(data)


def handed_over(folder: Path, data: bytes, initrd: bytes, memory: int, line: str) -> bytes:
    """The setup part of the kernel as this QEMU offers it to firmware."""
    (folder / "kernel").write_bytes(data)
    (folder / "initrd").write_bytes(initrd)
    words = [QEMU, "-machine", "pc-q35-7.1", "-accel", "tcg", "-S", "-qtest", "stdio", "-display", "none"]
    words += ["-nodefaults", "-cpu", "max,-cx16"]
    words += ["-m", f"{memory >> 10}K", "-kernel", str(folder / "kernel"), "-append", line]
    words += ["-initrd", str(folder / "initrd")] if initrd else []
    asked = ""
    for key, size, at in ((SETUP_SIZE, 4, BUFFER), (SETUP_DATA, 0x400, BUFFER + 0x1000)):
        control = struct.pack(">IIQ", key << 16 | 8 | 2, size, at)
        address = int.from_bytes(struct.pack(">I", SCRATCH), "little")
        asked += f"write {SCRATCH:#x} 16 0x{control.hex()}\noutl 0x514 0\noutl 0x518 {address:#x}\n"
        asked += f"read {at:#x} {size:#x}\n"
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as qemu:
        assert qemu.stdin is not None
        assert qemu.stdout is not None
        qemu.stdin.write(asked)
        qemu.stdin.flush()
        values: list[bytes] = []
        while len(values) < 2 and (row := qemu.stdout.readline()):
            values += [bytes.fromhex(row[5:])] if row.startswith("OK 0x") else []
        qemu.kill()
    assert len(values) == 2
    assert int.from_bytes(values[0], "little") == 0x400
    return values[1]


@pytest.mark.parametrize(
    ("made", "initrd", "memory", "line"),
    [
        (program(), 40000, 1 << 30, "quiet"),
        (program(), 40001, 0xB0000000, ""),
        (program(), 4096, 0xB0000000 - 0x100000, "root=/dev/vda1 vga=0x317 ro"),
        (program(), 0, 4 << 30, "vga=ask"),
        (program(above_4g=False, initrd_max=0x37FFFFFF), 5000, 2 << 30, "a"),
        (program(protocol=0x202), 5000, 512 << 20, "vga=791"),
        (program(protocol=0x201, high=False), 5000, 512 << 20, "a" * 40),
        (bytes(0x202) + bytes(0x2E00), 0, 512 << 20, "a unified kernel image has no such header"),
    ],
)
def test_the_header_is_filled_in_as_qemu_does(tmp_path: Path, made: bytes, initrd: int, memory: int, line: str) -> None:
    if made[0x202:0x206] != b"HdrS":
        made = made[:0x1F1] + b"\1" + made[0x1F2:]
    expected = handed_over(tmp_path, made, bytes(initrd), memory, line)
    found = patched_kernel(made, initrd_size=initrd, memory=memory, command_line=line.encode())
    assert found[: len(expected)] == expected
    assert found[len(expected) :] == made[len(expected) :]


def test_what_qemu_refuses() -> None:
    with pytest.raises(UsageError, match="takes no initrd"):
        patched_kernel(bytes(0x400), initrd_size=1, memory=1 << 30, command_line=b"")
    with pytest.raises(UsageError, match="does not fit"):
        patched_kernel(program(), initrd_size=1 << 30, memory=1 << 30, command_line=b"")
    with pytest.raises(UsageError, match="vga"):
        patched_kernel(program(), initrd_size=0, memory=1 << 30, command_line=b"vga=big")


@pytest.mark.parametrize(("memory", "low"), [(1 << 20, 1 << 20), (0xAFFFF000, 0xAFFFF000), (0xB0000000, 1 << 31)])
def test_low_memory(memory: int, low: int) -> None:
    assert low_memory(memory) == low
