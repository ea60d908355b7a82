"""A machine small enough to start in a tenth of a second: a kernel of 40 bytes and a ROM of 20."""

import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from warily.core import built
from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PortSpec, VerityRoot, VolumeSpec
from warily.launch.plan import Accelerator, Plan, plan
from warily.launch.rehearsal_keys import Hierarchy, hierarchy

SEABIOS = Path("/usr/share/seabios/bios-256k.bin")
HOST_DATA = bytes(range(32))


def says(text: bytes, *, then: bytes) -> bytes:
    """Real-mode code that writes `text` to the first serial port, then runs `then`."""
    writes = b"".join(bytes([0xB0, char, 0xEE]) for char in text)  # mov al, char; out dx, al
    return bytes([0xBA, 0xF8, 0x03]) + writes + then


HALT = bytes([0xFA, 0xF4, 0xEB, 0xFD])  # cli; hlt; jmp to the hlt
RESET = bytes([0xB0, 0xFE, 0xE6, 0x64]) + HALT  # the keyboard controller pulls the reset line


def rom(code: bytes) -> bytes:
    """A boot ROM of 64 KiB that runs `code`."""
    image = bytearray(1 << 16)
    image[0xF000 : 0xF000 + len(code)] = code
    image[0xFFF0:0xFFF3] = b"\xe9" + ((0xF000 - 0xFFF3) & 0xFFFF).to_bytes(2, "little")
    return bytes(image)


def kernel(code: bytes) -> bytes:
    """A bzImage (Linux boot protocol 2.12) whose set-up code is `code`."""
    image = bytearray(0x400 + 0x200)
    image[0x1F1] = 1  # sectors of set-up code
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x202] = bytes([0xEB, 0x6E])  # jmp over the header, to 0x270
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = (0x020C).to_bytes(2, "little")
    image[0x211] = 1  # LOADED_HIGH
    image[0x214:0x218] = (0x100000).to_bytes(4, "little")
    image[0x22C:0x230] = (0x7FFFFFFF).to_bytes(4, "little")
    image[0x270 : 0x270 + len(code)] = code
    return bytes(image)


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return Manifest(
        name="ledger",
        suite="trixie",
        source_date_epoch=1757000000,
        ingredients=(),
        command_line="console=ttyS0 warily.root=" + "ab" * 32,
        root=VerityRoot(algorithm="sha256", root_hash=bytes(32), salt=bytes(32), data_blocks=1, block_size=4096),
        cpus=2,
        memory=512 << 20,
        cpu="EPYC-v4",
        platforms=tuple(Platform),
        registers=(),
        volumes=(VolumeSpec(name="data", size=1 << 20, mount="/data", cipher="aead"),),
        ports=(PortSpec(guest=8080, host=18080), PortSpec(guest=8443, host=18443)),
        grantor=bytes(32),
    )


@pytest.fixture
def run_folder() -> Iterator[Path]:
    """Short, because pytest's folders are too long for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="warily-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A built image's files, in a folder whose name needs every kind of escaping."""
    folder = tmp_path / "im,a=ge 'x'"
    folder.mkdir()
    firmware = SEABIOS.read_bytes() if SEABIOS.exists() else rom(HALT)
    (folder / built.FIRMWARE_REHEARSAL).write_bytes(firmware)
    (folder / built.KERNEL).write_bytes(kernel(says(b"kernel here\n", then=RESET)))
    (folder / built.INITRD).write_bytes(b"initrd")
    for name in (built.ROOT, built.ROOT_HASHES, "data.disk"):
        (folder / name).write_bytes(bytes(1 << 20))
    return folder


@pytest.fixture
def rehearsed(manifest: Manifest, image: Path, run_folder: Path) -> Plan:
    return plan(
        manifest,
        tee=Platform.REHEARSAL,
        image=str(image),
        run=str(run_folder),
        volumes=[str(image / "data.disk")],
        broker=("127.0.0.1", 9),
        accelerator=Accelerator.TCG,
        host_data=HOST_DATA,
        id_block=None,
        pipe=(sys.executable, "-I", "-S", "pipe.py"),
        ports=[PortSpec(guest=8080, host=free_port())],
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def bare(tmp_path: Path, run_folder: Path) -> Callable[[bytes], Plan]:
    """A plan of a machine that runs a few instructions and has no devices."""

    def make(code: bytes) -> Plan:
        file = tmp_path / "rom.bin"
        file.write_bytes(rom(code))
        monitor = run_folder / "monitor.sock"
        words = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-m", "16", "-nodefaults", "-no-user-config"]
        words += ["-display", "none", "-no-reboot", "-bios", str(file)]
        words += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        words += ["-chardev", f"socket,id=monitor,path={monitor},server=on,wait=off", "-mon", "chardev=monitor"]
        words[-1] += ",mode=control"
        return Plan(
            tee=Platform.REHEARSAL,
            argv=tuple(words),
            cpu="EPYC-v4",
            policy=0x30000,
            host_data=HOST_DATA,
            reads=(str(file),),
            writes=(),
            monitor_socket=str(monitor),
            sp_socket=None,
            ports=(),
        )

    return make


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Hierarchy:
    """One hierarchy for the whole session: making RSA keys takes a second."""
    return hierarchy(tmp_path_factory.mktemp("rehearsal") / "keys")
