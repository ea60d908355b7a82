"""Kernels, unified kernel images, and files within compressed files: each says what it has."""

import gzip
import hashlib
import lzma
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.audit.test_sources import CONFIG, as_disk, as_erofs, as_ext4, as_squashfs, audit, initrd, states
from tests.uki_images import assemble, minimal_stub
from warily.audit import kernels

Packing = Callable[[bytes], bytes]


def lz4(data: bytes) -> bytes:
    """As `lz4 -l` does, with nothing but literals."""
    out = b"\x02\x21\x4c\x18"
    for at in range(0, len(data), 8 << 20):
        part = data[at : at + (8 << 20)]
        rest = len(part) - 15
        length = bytes([len(part) << 4]) if rest < 0 else b"\xf0" + b"\xff" * (rest // 255) + bytes([rest % 255])
        out += (len(length) + len(part)).to_bytes(4, "little") + length + part
    return out


def bz_image(payload: bytes, release: str = "6.12.9-test (me) #1") -> bytes:
    """A kernel for x86 of two setup sectors, which says its version and unpacks `payload`."""
    head = bytearray(3 * 512)
    head[0:2], head[0x1F1], head[0x202:0x206] = b"MZ", 2, b"HdrS"
    head[0x20E:0x210] = (0x300).to_bytes(2, "little")
    head[0x500 : 0x500 + len(release)] = release.encode()
    head[0x248:0x24C], head[0x24C:0x250] = (16).to_bytes(4, "little"), len(payload).to_bytes(4, "little")
    return bytes(head) + bytes(16) + payload + bytes(100)


CARRIED = b"code" * 99 + b"IKCFG_ST" + gzip.compress(CONFIG.encode()) + b"IKCFG_ED" + b"code" * 99
PACKINGS: list[Packing] = [
    gzip.compress,
    lzma.compress,
    lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    lambda data: zstandard.ZstdCompressor().compress(data),
    lz4,
]


@pytest.mark.parametrize("pack", [*PACKINGS, bytes])
def test_a_kernel_that_carries_its_configuration_gives_it(pack: Packing) -> None:
    found = kernels.read(bz_image(pack(CARRIED) + bytes(4)))
    assert found.config == CONFIG.encode()
    assert found.release == "6.12.9-test"


def test_a_kernel_that_carries_none_still_says_its_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "anything"
    path.write_bytes(bz_image(b"not packed in any way"))
    _, answer = audit(capsys, path)
    assert answer["kinds"] == ["kernel"]
    assert states(answer)["interrupt.vc"] == "closed"
    assert states(answer)["paravirt.xen"] == "unknown"


def test_a_unified_kernel_image_is_all_three(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sections = [
        (".cmdline", b"quiet mce=off\0"),
        (".linux", bz_image(gzip.compress(CARRIED))),
        (".initrd", gzip.compress(initrd("usr/bin/ignition"))),
    ]
    path = tmp_path / "anything.efi"
    path.write_bytes(assemble(minimal_stub(version="257.9"), sections))
    _, answer = audit(capsys, path)
    assert answer["kinds"] == ["unified kernel image", "its command line", "its initrd", "kernel configuration"]
    found = states(answer)
    assert found["interrupt.machine-check"] == "closed"
    assert found["program.ignition"] == "open"
    assert found["paravirt.xen"] == "closed"


@pytest.mark.parametrize("pack", PACKINGS)
def test_archives_follow_one_another_compressed_or_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, pack: Packing
) -> None:
    path = tmp_path / "x"
    later = pack(initrd("middle")) + bytes(64) + pack(initrd("usr/bin/ignition"))
    path.write_bytes(initrd("early") + bytes(512) + later)
    _, answer = audit(capsys, path)
    assert answer["kinds"] == ["initrd"]
    assert states(answer)["program.ignition"] == "open"


@pytest.mark.parametrize("pack", PACKINGS)
def test_a_tar_archive_is_found_in_a_compressed_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, pack: Packing
) -> None:
    (tmp_path / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    with tarfile.open(tmp_path / "plain", "w") as archive:
        archive.add(tmp_path / "machine-id", arcname="etc/machine-id")
    path = tmp_path / "root"
    path.write_bytes(pack((tmp_path / "plain").read_bytes()))
    _, answer = audit(capsys, path)
    assert answer["kinds"] == ["root file system (tar)"]
    assert states(answer)["root.machine-id"] == "open"


def partition(first: int, sectors: int) -> bytes:
    """An entry of a GPT, of a kind that nobody knows."""
    return b"\x11" * 32 + first.to_bytes(8, "little") + (first + sectors - 1).to_bytes(8, "little") + bytes(80)


@pytest.mark.parametrize("sector", [512, 4096])
def test_the_root_is_found_among_partitions(capsys: pytest.CaptureFixture[str], tmp_path: Path, sector: int) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (tree / "usr").mkdir()
    root, data = tmp_path / "root", tmp_path / "data"
    subprocess.run(["mkfs.erofs", "--quiet", root, tree], check=True)
    (tmp_path / "empty").mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-d", tmp_path / "empty", data, "4M"], check=True)
    parts = [data.read_bytes(), b"\0" * 54 + b"FAT16" + bytes(1 << 20), root.read_bytes()]
    disk, entries, at = bytearray(1 << 20), b"", 1 << 20
    for content in parts:
        part = content + bytes(-len(content) % 4096)
        entries += partition(at // sector, len(part) // sector)
        disk, at = disk + part, at + len(part)
    disk[sector : sector + 8] = b"EFI PART"
    disk[sector + 72 : sector + 80] = (2).to_bytes(8, "little")
    disk[sector + 80 : sector + 88] = len(parts).to_bytes(4, "little") + (128).to_bytes(4, "little")
    disk[2 * sector : 2 * sector + len(entries)] = entries
    path = tmp_path / "disk"
    path.write_bytes(disk)
    _, answer = audit(capsys, path)
    assert answer["kinds"] == ["root file system (disk)"]
    assert states(answer)["root.machine-id"] == "open"


@pytest.mark.parametrize("make", [as_erofs, as_squashfs, as_ext4, as_disk])
def test_a_part_of_an_image_is_malformed_and_not_clean(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    tree = tmp_path / "tree"
    (tree / "usr/sbin").mkdir(parents=True)
    (tree / "usr/sbin/sshd").write_bytes(hashlib.shake_256(b"").digest(1 << 20))
    (tree / "etc").mkdir()
    (tree / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    whole = make(tree, tmp_path / "image")
    assert audit(capsys, whole)[0] == 10
    part = tmp_path / "part"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 8])
    assert audit(capsys, part)[0] == 3


@pytest.mark.parametrize(
    ("at", "magic", "name"), [(0, b"XFSB", "XFS"), (0x10040, b"_BHRfS_M", "Btrfs"), (0, b"LUKS\xba\xbe", "LUKS")]
)
def test_what_is_known_and_not_read_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, at: int, magic: bytes, name: str
) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(at) + magic + bytes(1 << 16))
    status, answer = audit(capsys, path)
    assert status == 3
    assert name in str(answer)
