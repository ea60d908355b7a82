"""Read the ACPI and SMBIOS tables of a machine out of the installed QEMU, without a guest and without a change to QEMU.

QEMU makes the tables anew when firmware selects them, from what firmware has programmed by then. Under qtest
nothing runs, so the few registers that count are written here as firmware writes them. Source: QEMU
docs/devel/testing/qtest.rst, docs/specs/fw_cfg.rst; hw/i386/acpi-build.c for what counts.
"""

import os
import re
import signal
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from warily.core.acpi_blobs import AcpiBlobs
from warily.core.boot_devices import BootDevices, PciFunction
from warily.errors import HostError, UsageError
from warily.host.qtest_arguments import has_ata_drive, tpm_chardev, without_effects
from warily.host.run import Conversation, conversation, find, run

TIMEOUT: Final = 30.0
SIGNATURE: Final = b"QEMU"
SIGNATURE_KEY: Final = 0x00
DIRECTORY_KEY: Final = 0x19
DMA_HIGH: Final = 0x514
DMA_LOW: Final = 0x518
DMA_READ_SELECT: Final = 0x0A
DMA_WRITE_SELECT: Final = 0x18
SCRATCH: Final = 0x1000
BUFFER: Final = 0x100000
MAX_FILE: Final = 16 << 20
MAX_FILES: Final = 1024
NO_DEVICE: Final = 0xFFFF
PREFETCHABLE_64_BIT: Final = 0xC
LOADER: Final = "etc/table-loader"
RSDP: Final = "etc/acpi/rsdp"
TABLES: Final = "etc/acpi/tables"
TPM_LOG: Final = "etc/tpm/log"
SMBIOS: Final = "etc/smbios/smbios-tables"
SMI_SUPPORTED: Final = "etc/smi/supported-features"
SMI_REQUESTED: Final = "etc/smi/requested-features"
SMI_AGREED: Final = "etc/smi/features-ok"
SMI_WANTED: Final = 0b111  # broadcast, hot-plug and hot-unplug of processors (OvmfPkg/SmmControl2Dxe)
BOOT_ORDER: Final = "bootorder"
BOOT_MENU: Final = "BootMenu"
BOOT_MENU_KEY: Final = 0x0E
ITEMS: Final = (
    "etc/extra-pci-roots",
    "etc/boot-menu-wait",
    "etc/reserved-memory-end",
    "opt/ovmf/X-PciMmio64Mb",
    BOOT_ORDER,
)

_VERSION: Final = re.compile(rb"version (\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What firmware programs before it reads the tables.

    `ecam` is where it puts PCI Express configuration space (q35), `pm_base` the ports of power management on `pc`,
    and `window` where the 64-bit PCI addresses begin that it hands out; None where it keeps to 32 bits. `smm` says that
    it runs in system management mode, and so agrees with QEMU on how processors come and go.
    """

    ecam: int
    pm_base: int
    window: int | None
    smm: bool = False


OVMF: Final = Setup(ecam=0xE0000000, pm_base=0xB000, window=0xC000000000)
"""edk2 of these days; the window begins at three quarters of what processors address, here 40 bits."""
OVMF_2022: Final = Setup(ecam=0xB0000000, pm_base=0xB000, window=0xE000000000)
"""edk2 up to 2022, such as Debian 12's: at seven eighths."""
SEABIOS: Final = Setup(ecam=0xB0000000, pm_base=0x600, window=None)
SETUPS: Final = {"ovmf": OVMF, "ovmf-2022": OVMF_2022, "seabios": SEABIOS}


def qemu_version(qemu: str = "qemu-system-x86_64") -> tuple[int, int, int]:
    """Major, minor and micro number of the installed QEMU. Raises `HostError`."""
    found = _VERSION.search(run([find(qemu, package="qemu-system-x86"), "--version"], timeout=TIMEOUT))
    if found is None:
        msg = f"{qemu} --version names no version"
        raise HostError(msg)
    return int(found[1]), int(found[2]), int(found[3])


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTables:
    """What a QEMU hands to firmware, byte for byte. `smbios` is None where the machine has no SMBIOS tables.

    It is None as well with `-cpu host`: they name the processor, and under qtest there is another. `devices` are what
    firmware could start from, and `items` small files that it may measure, by name.
    """

    acpi: AcpiBlobs
    smbios: bytes | None
    devices: BootDevices
    items: Mapping[str, bytes]


def read_acpi(arguments: Sequence[str], *, qemu: str = "qemu-system-x86_64", setup: Setup | None = None) -> AcpiBlobs:
    """The ACPI files of `read_tables` alone."""
    return read_tables(arguments, qemu=qemu, setup=setup).acpi


def read_tables(
    arguments: Sequence[str], *, qemu: str = "qemu-system-x86_64", setup: Setup | None = None
) -> HostTables:
    """The tables that `qemu` with these arguments hands to firmware.

    `arguments` are those of a launch, without the program: `-nodefaults` belongs there where the launch has it. What
    does not touch the tables is left out or leads nowhere (see `qtest_arguments`). Without `setup` the firmware is
    taken from `-bios` and `-drive if=pflash`: QEMU's own SeaBIOS where neither is there, else a present-day OVMF. A
    TPM gets an emulator of its own for the moment. Raises `HostError` where QEMU does not start, `UsageError` where
    the machine has no ACPI tables.
    """
    chosen = setup or setup_for(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="warily-acpi-")))
        words = without_effects(arguments)
        tpm = tpm_chardev(words)
        if tpm is not None:
            socket = stack.enter_context(_tpm(folder))
            words = [f"socket,id={tpm},path={socket}" if word == f"null,id={tpm}" else word for word in words]
        # Stopped processors rather than the accelerator `qtest`, which Debian's packages leave out.
        command = [find(qemu, package="qemu-system-x86"), "-accel", "tcg", "-S", "-qtest", "stdio", "-display", "none"]
        asked = stack.enter_context(conversation([*command, *words], timeout=TIMEOUT))
        ports = _Ports(asked)
        _program(ports, words, chosen)
        places = _places(ports)
        if chosen.smm and SMI_SUPPORTED in places:
            _agree_on_smi(ports, places)
        smbios = _read(ports, *places[SMBIOS]) if SMBIOS in places and not _is_host(arguments) else None
        items: dict[str, bytes] = {name: _read(ports, *places[name]) for name in ITEMS if name in places}
        items[BOOT_MENU] = ports.file(BOOT_MENU_KEY, 2)
        devices = BootDevices(
            pci=tuple(_functions(ports)), order=items.get(BOOT_ORDER, b""), ata=has_ata_drive(arguments)
        )
        return HostTables(acpi=_blobs(ports, places), smbios=smbios, devices=devices, items=items)


def _is_host(arguments: Sequence[str]) -> bool:
    return any(option in ("-cpu", "--cpu") and value.split(",")[0] == "host" for option, value in pairwise(arguments))


@contextmanager
def _tpm(folder: Path) -> Iterator[Path]:
    """The socket at which a TPM emulator listens, new and without a history."""
    program = find("swtpm", package="swtpm")
    (folder / "tpm").mkdir()
    socket, pid = folder / "tpm.sock", folder / "swtpm.pid"
    words = ["socket", "--tpm2", "--tpmstate", f"dir={folder / 'tpm'}", "--ctrl", f"type=unixio,path={socket}"]
    run(
        [program, *words, "--flags", "startup-clear", "--terminate", "--daemon", "--pid", f"file={pid}"],
        timeout=TIMEOUT,
    )
    try:
        yield socket
    finally:
        with suppress(ProcessLookupError, FileNotFoundError):  # it ends by itself when QEMU has gone
            os.kill(int(pid.read_text(encoding="ascii")), signal.SIGTERM)


class _Ports:
    """The machine's ports and memory, over qtest."""

    def __init__(self, asked: Conversation) -> None:
        self._asked = asked

    def do(self, line: str) -> list[str]:
        """What the command answers, without its OK. Raises `HostError` where it fails."""
        words = self._asked.ask(line).split()
        if words[:1] != ["OK"]:
            msg = f"QEMU refuses {line!r}: {' '.join(words)}"
            raise HostError(msg)
        return words[1:]

    def configuration(self, device: int, function: int, register: int) -> int:
        """A word of PCI configuration space on bus 0."""
        self.do(f"outl 0xcf8 {_address(device, function, register):#x}")
        return int(self.do("inl 0xcfc")[0], 16)

    def configure(self, device: int, function: int, register: int, value: int) -> None:
        """Write a word of PCI configuration space on bus 0."""
        self.do(f"outl 0xcf8 {_address(device, function, register):#x}")
        self.do(f"outl 0xcfc {value:#x}")

    def configure_byte(self, device: int, function: int, register: int, value: int) -> None:
        """Write one byte of it."""
        self.do(f"outl 0xcf8 {_address(device, function, register):#x}")
        self.do(f"outb {0xCFC + register % 4:#x} {value:#x}")

    def file(self, key: int, size: int) -> bytes:
        """The first `size` bytes of what fw_cfg has under `key`, by its DMA interface."""
        self._transfer(key, size, DMA_READ_SELECT)
        return bytes.fromhex(self.do(f"read {BUFFER:#x} {size}")[0].removeprefix("0x"))

    def write_file(self, key: int, data: bytes) -> None:
        """Put `data` at the start of a file of fw_cfg that firmware may write."""
        self.do(f"write {BUFFER:#x} {len(data)} 0x{data.hex()}")
        self._transfer(key, len(data), DMA_WRITE_SELECT)

    def _transfer(self, key: int, size: int, what: int) -> None:
        control = struct.pack(">IIQ", (key << 16) | what, size, BUFFER)
        self.do(f"write {SCRATCH:#x} {len(control)} 0x{control.hex()}")
        self.do(f"outl {DMA_HIGH:#x} 0")
        self.do(f"outl {DMA_LOW:#x} {int.from_bytes(SCRATCH.to_bytes(4, 'big'), 'little'):#x}")
        if int(self.do(f"read {SCRATCH:#x} 4")[0], 16):
            raise HostError("QEMU does not hand out its firmware configuration by DMA")


def _agree_on_smi(ports: _Ports, places: Mapping[str, tuple[int, int]]) -> None:
    """Ask for what edk2 asks for of what QEMU offers; reading the answer makes it count."""
    offered = int.from_bytes(_read(ports, *places[SMI_SUPPORTED]), "little")
    ports.write_file(places[SMI_REQUESTED][0], (offered & SMI_WANTED).to_bytes(8, "little"))
    if _read(ports, *places[SMI_AGREED]) != b"\1":
        raise HostError("QEMU does not agree to the SMI features that it offers itself")


def _address(device: int, function: int, register: int) -> int:
    return 0x80000000 | device << 11 | function << 8 | register & 0xFC


def setup_for(arguments: Sequence[str]) -> Setup:
    """What firmware these arguments name: QEMU's own SeaBIOS without `-bios` and pflash, else a present-day OVMF."""
    uefi = any(_is_uefi(*pair) for pair in pairwise([*arguments, ""]))
    return OVMF if uefi else SEABIOS


def _is_uefi(word: str, value: str) -> bool:
    if word == "-bios":
        return not Path(value).name.startswith("bios")
    return "if=pflash" in word or "pflash0=" in word


def _machine(words: Sequence[str]) -> str:
    """The machine's type: `pc`, `q35`, `microvm` or a dated name of one; QEMU's default is pc."""
    for option, value in pairwise(words):
        if option in ("-machine", "-M"):
            first = value.split(",")[0]
            return first.removeprefix("type=")
    return "pc"


def _program(ports: _Ports, words: Sequence[str], setup: Setup) -> None:
    """Write what firmware writes before it asks for the tables."""
    machine = _machine(words)
    if machine.startswith("microvm"):
        return
    if "q35" in machine:
        ports.configure(0, 0, 0x64, setup.ecam >> 32)
        ports.configure(0, 0, 0x60, setup.ecam & 0xFFFFFFFF | 1)
        ports.configure(0x1F, 0, 0x40, 0x601)
        ports.configure_byte(0x1F, 0, 0x44, 0x80)
    else:
        ports.configure(1, 3, 0x40, setup.pm_base | 1)
        ports.configure_byte(1, 3, 0x80, 1)
    if setup.window is not None:
        _open_window(ports, setup.window)


def _functions(ports: _Ports) -> Iterator[PciFunction]:
    """The functions of bus 0, in order."""
    for device in range(32):
        for function in range(8):
            name = ports.configuration(device, function, 0x00)
            if name & 0xFFFF == NO_DEVICE:
                if function == 0:
                    break
                continue
            kind = ports.configuration(device, function, 0x08) >> 8
            yield PciFunction(device=device, function=function, vendor=name & 0xFFFF, product=name >> 16, kind=kind)


def _open_window(ports: _Ports, window: int) -> None:
    """Put one 64-bit range of a device of bus 0 at `window`: the tables name the lowest that is in use."""
    for each in _functions(ports):
        kind = ports.configuration(each.device, each.function, 0x0C) >> 16 & 0x7F
        if kind == 1:
            _open_bridge(ports, each.device, each.function, window)
            return
        if kind == 0 and _open_device(ports, each.device, each.function, window):
            return


def _open_device(ports: _Ports, device: int, function: int, window: int) -> bool:
    """Whether the device has a 64-bit prefetchable range, which then begins at `window`."""
    for register in range(0x10, 0x24, 4):
        if ports.configuration(device, function, register) & 0xF == PREFETCHABLE_64_BIT:
            ports.configure(device, function, register, window & 0xFFFFFFFF)
            ports.configure(device, function, register + 4, window >> 32)
            ports.configure(device, function, 0x04, 0x07)
            return True
    return False


def _open_bridge(ports: _Ports, device: int, function: int, window: int) -> None:
    """Let the bridge forward the first MiB of the window."""
    base = window >> 16 & 0xFFF0
    ports.configure(device, function, 0x24, base << 16 | base)
    ports.configure(device, function, 0x28, window >> 32)
    ports.configure(device, function, 0x2C, window >> 32)
    ports.configure(device, function, 0x04, 0x07)


def _places(ports: _Ports) -> dict[str, tuple[int, int]]:
    """Key and size of each file that is there, by the names that the directory of fw_cfg gives them."""
    if ports.file(SIGNATURE_KEY, 4) != SIGNATURE:
        raise HostError("the machine has no firmware configuration device")
    count = int.from_bytes(ports.file(DIRECTORY_KEY, 4), "big")
    if count > MAX_FILES:
        msg = f"QEMU names {count} files"
        raise HostError(msg)
    directory = ports.file(DIRECTORY_KEY, 4 + 64 * count)[4:]
    places: dict[str, tuple[int, int]] = {}
    for size, key, _, name in struct.iter_unpack(">IHH56s", directory):
        if size:  # QEMU names a TPM's log where there is no TPM
            places[name.rstrip(b"\0").decode("ascii", "replace")] = (key, size)
    return places


def _blobs(ports: _Ports, places: Mapping[str, tuple[int, int]]) -> AcpiBlobs:
    if LOADER not in places:
        raise UsageError("this machine has no ACPI tables", hint="a microvm has them with -machine microvm,acpi=on")
    found = {name: _read(ports, *places[name]) for name in (LOADER, RSDP, TABLES, TPM_LOG) if name in places}
    return AcpiBlobs(loader=found[LOADER], rsdp=found[RSDP], tables=found[TABLES], tpm_log=found.get(TPM_LOG))


def _read(ports: _Ports, key: int, size: int) -> bytes:
    if size > MAX_FILE:
        msg = f"a firmware file of {size} bytes is over the limit of {MAX_FILE}"
        raise HostError(msg)
    return ports.file(key, size)
