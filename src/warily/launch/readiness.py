"""What this host can run: answers found by trying, each lack a `HostError` with what to do about it."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from warily.core.declaration import Platform
from warily.errors import HostError
from warily.host.run import find, run
from warily.launch.plan import Accelerator

QEMU: Final = "qemu-system-x86_64"
QEMU_PACKAGE: Final = "qemu-system-x86"
MINIMUM: Final = {Platform.REHEARSAL: (7, 2), Platform.SNP: (9, 1), Platform.TDX: (10, 1)}
PROBE_SECONDS: Final = 5.0
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

# A 64 KiB boot ROM that enters protected mode, executes one BMI2 instruction where CPUID has it, and leaves
# through isa-debug-exit. A /dev/kvm that only emulates instructions opens, runs real mode, and fails at
# the BMI2 one, as it would later fail inside the kernel's decompressor.
_CODE_AT: Final = 0xFF00
_CODE: Final = bytes.fromhex(
    "fa"  #                cli
    "2e660f011658ff"  #    lgdt   cs:[0xff58]
    "0f20c00c010f22c0"  #  mov    eax, cr0; or al, 1; mov cr0, eax
    "66ea18ffffff0800"  #  jmp    0x8:0xffffff18        (32-bit from here)
    "b80700000031c90fa2"  # mov   eax, 7; xor ecx, ecx; cpuid
    "b815000000b901000000"  # mov eax, 0x15; mov ecx, 1
    "0fbae308"  #          bt     ebx, 8                (BMI2)
    "7307"  #              jnc    without
    "c4e271f7c0"  #        shlx   eax, eax, ecx
    "eb02"  #              jmp    leave
    "d3e0"  #              without: shl eax, cl
    "66ba0105ee"  #        leave: mov dx, 0x501; out dx, al
    "f4ebfd"  #            hlt; jmp to the hlt
)
_GDT: Final = bytes(8) + bytes.fromhex("ffff0000009bcf00") + bytes.fromhex("0f0048ffffff")
_GDT_AT: Final = 0xFF48
_ENTRY_AT: Final = 0xFFF0
_DONE: Final = (0x2A << 1) | 1  # isa-debug-exit ends QEMU with (value << 1) | 1


def accelerator(cache: Path | None = None) -> Accelerator:
    """KVM where it truly runs a guest, else TCG. The answer is kept in folder `cache` until the next boot."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator.TCG
    key = f"{BOOT_ID.read_text().strip()} {qemu_version()}"
    kept = None if cache is None else cache / "accelerator"
    if kept is not None and kept.is_file():
        known, _, answer = kept.read_text().strip().rpartition(" ")
        if known == key and answer in tuple(Accelerator):
            return Accelerator(answer)
    found = Accelerator.KVM if runs(Accelerator.KVM) else Accelerator.TCG
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(f"{key} {found.value}\n")
    return found


def runs(kind: Accelerator) -> bool:
    """Whether QEMU executes the probe with this accelerator, start to end, within `PROBE_SECONDS`."""
    with tempfile.NamedTemporaryFile(prefix="warily-probe-") as rom:
        rom.write(probe_rom())
        rom.flush()
        command = [
            find(QEMU, package=QEMU_PACKAGE),
            *("-accel", kind.value, "-cpu", "max", "-machine", "q35", "-m", "16"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-bios", rom.name),
            *("-device", "isa-debug-exit,iobase=0x501,iosize=1"),
        ]
        quiet = subprocess.DEVNULL
        try:
            done = subprocess.run(  # noqa: S603  # an argument vector, never a shell
                command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=PROBE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:  # QEMU stops, but does not end, where KVM cannot go on
            return False
        return done.returncode == _DONE


def probe_rom() -> bytes:
    """The boot ROM, which a processor enters 16 bytes before its end."""
    rom = bytearray(1 << 16)
    rom[_CODE_AT : _CODE_AT + len(_CODE)] = _CODE
    rom[_GDT_AT : _GDT_AT + len(_GDT)] = _GDT
    rom[_ENTRY_AT : _ENTRY_AT + 3] = b"\xe9" + ((_CODE_AT - _ENTRY_AT - 3) & 0xFFFF).to_bytes(2, "little")
    return bytes(rom)


def qemu_version() -> tuple[int, int]:
    """QEMU's major and minor version. Raises `HostError` where it is not installed."""
    said = run([find(QEMU, package=QEMU_PACKAGE), "--version"], timeout=PROBE_SECONDS).decode("utf-8", "replace")
    found = re.search(r"version (\d+)\.(\d+)", said)
    if found is None:
        message = f"{QEMU} does not tell its version"
        raise HostError(message, hint=said[:200] or None)
    return int(found[1]), int(found[2])


def require(tee: Platform) -> None:
    """This host can run `tee`. Raises `HostError` for the first thing it lacks."""
    if tee is not Platform.REHEARSAL:
        _require_hardware(tee)
    have, need = qemu_version(), MINIMUM[tee]
    if have < need:
        message = f"{tee.value} needs QEMU {need[0]}.{need[1]}, and this host has {have[0]}.{have[1]}"
        raise HostError(message, hint="Debian 13 has QEMU 10.0, and Debian unstable a newer one")


def _require_hardware(tee: Platform, root: Path = Path("/")) -> None:
    """The kernel offers this protection."""
    switch, device, hint = {
        Platform.SNP: (
            "sys/module/kvm_amd/parameters/sev_snp",
            "dev/sev",
            "it takes an EPYC 7003 or later, SNP enabled in the BIOS, and Linux 6.11 or later with kvm_amd",
        ),
        Platform.TDX: (
            "sys/module/kvm_intel/parameters/tdx",
            "dev/kvm",
            "it takes a 5th generation Xeon or later, TDX enabled in the BIOS, and Linux 6.16 with kvm_intel.tdx=1",
        ),
    }[tee]
    rehearse = f"{hint}; without it, use --tee rehearsal"
    if not (root / switch).exists() or (root / switch).read_text().strip() not in ("Y", "1"):
        message = f"this host has no {tee.value}: /{switch} is not Y"
        raise HostError(message, hint=rehearse)
    if not os.access(root / device, os.R_OK | os.W_OK):
        message = f"this host has {tee.value}, but /{device} is not there or may not be used"
        raise HostError(message, hint=f"run as a user who may open /{device} (its group is usually kvm)")
