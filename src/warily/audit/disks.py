"""Disk images and file systems, unpacked by the tools that made them, and archives read in place."""

import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warily.audit.facts import Tree
from warily.audit.trees import Archive, Folder
from warily.errors import FormatError, HostError
from warily.formats.initramfs import KEPT, MAX_ENTRIES, Member
from warily.host.run import find, run

SECTOR: Final = 512
BLOCK: Final = 4096  # the other size of a disk's sectors
HEAD: Final = 1 << 17
MAX_TRIED: Final = 16
KEPT_BOOT: Final = 256 << 20  # of a file under /boot: a kernel, its configuration, its initrd
LINUX: Final = 0x83
ACTIVE: Final = 0x80
ROOTS: Final = (bytes.fromhex("e3bc684fcde8b14d96e7fbcaf984b709"),)  # root, x86-64, in the bytes of a GPT
# Offset, magic, kind. Sources: each format's own documentation; file(1).
KINDS: Final = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "VMDK"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (0, b"hsqs", "squashfs"),
    (1024, b"\xe2\xe1\xf5\xe0", "EROFS"),
    (1080, b"\x53\xef", "ext4"),
    (257, b"ustar", "tar"),
)
CONVERTED: Final = {"qcow2": "qcow2", "VMDK": "vmdk", "VHDX": "vhdx", "VHD": "vpc"}
FILE_SYSTEMS: Final = ("ext4", "EROFS", "squashfs")
OTHERS: Final = (
    (0, b"XFSB", "XFS"),
    (0x10040, b"_BHRfS_M", "Btrfs"),
    (1024, b"\x10\x20\xf5\xf2", "F2FS"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (SECTOR, b"LABELONE", "LVM"),
    (0, b"verity\0\0", "dm-verity hashes"),
    (82, b"FAT32", "FAT"),
    (54, b"FAT1", "FAT"),
    (0x8001, b"CD001", "ISO 9660"),
    (4086, b"SWAPSPACE2", "swap"),
)
_TIMEOUT: Final = 600.0
# What debugfs says beside its version; that somebody who is not root may not set owners is no complaint.
_COMPLAINT: Final = re.compile(r"(?!debugfs [0-9]|.* while changing ).*\S")


def kind_of(head: bytes) -> str:
    """What the first 128 KiB say: a disk, a file system or an archive of files; empty for anything else."""
    for at, magic, kind in KINDS:
        if head[at : at + len(magic)] == magic:
            return kind
    if head[SECTOR : SECTOR + 8] == b"EFI PART" or head[BLOCK : BLOCK + 8] == b"EFI PART" or _mbr(head):
        return "disk"
    return ""


def not_read(head: bytes) -> str:
    """The name of a disk's content that is known and not read here; empty for anything else."""
    return next((name for at, magic, name in OTHERS if head[at : at + len(magic)] == magic), "")


def unpacked(path: Path, kind: str, work: Path) -> Tree:
    """The files in the image `path`; `work` is an empty folder. Raises `HostError` and `FormatError`."""
    if kind == "tar":
        return Archive(_tar(path))
    if kind in CONVERTED:
        raw = work / "disk.raw"
        program = find("qemu-img", package="qemu-utils")
        _read_by([program, "convert", "-f", CONVERTED[kind], "-O", "raw", path, raw])
        kind, path = _kind_in(raw), raw
    if kind == "disk":
        return _root_of(path, work)
    tree = _extracted(path, kind, 0, work / "tree")
    if not _is_root(tree):
        msg = f"{kind}: a file system without /usr and /etc"
        raise FormatError(msg)
    return Folder(tree)


def _root_of(path: Path, work: Path) -> Tree:
    """The largest partition that holds a root file system. Raises `FormatError` where none does."""
    seen: list[str] = []
    for number, part in enumerate(partitions(path)[:MAX_TRIED]):
        with path.open("rb") as file:
            file.seek(part.start)
            head = file.read(HEAD)
        kind = kind_of(head)
        if kind not in FILE_SYSTEMS:
            seen.append(not_read(head) or kind or "unknown")
            continue
        tree = _extracted(path, kind, part.start, work / f"tree{number}", size=part.size)
        if _is_root(tree):
            return Folder(tree)
        seen.append(f"{kind} without /usr")
    msg = f"a disk image without a root file system that is read here; its partitions: {', '.join(seen) or 'none'}"
    raise FormatError(msg, hint="mount what is in it read-only, and name the folder")


def _is_root(tree: Path) -> bool:
    return any((tree / name).is_dir() for name in ("usr", "etc"))


def _read_by(command: Sequence[str | Path], *, silent: bool = False) -> None:
    """A program read the whole of an image. Raises `FormatError` where it could not; `silent` ones say only that."""
    try:
        said = run(command, timeout=_TIMEOUT, with_complaints=True).decode("utf-8", "replace")
    except HostError as error:
        raise FormatError(str(error), hint=error.hint) from None
    complaints = [line for line in said.splitlines() if _COMPLAINT.match(line)]
    if silent and complaints:
        msg = f"{Path(command[0]).name} could not read all of it: {complaints[0].strip()}"
        raise FormatError(msg)


def _extracted(path: Path, kind: str, offset: int, tree: Path, *, size: int = 0) -> Path:
    """The folder `tree` holds the file system's files. Raises `FormatError` for one that is not read here."""
    if kind == "ext4":
        tree.mkdir()
        where = f"{path}?offset={offset}" if offset else str(path)
        _read_by([find("debugfs", package="e2fsprogs"), "-R", f"rdump / {tree}", where], silent=True)
        return tree
    if offset:
        path = _cut_out(path, offset, size, tree.with_suffix(".part"))
    if kind == "EROFS":
        tree.mkdir()
        _read_by([find("fsck.erofs", package="erofs-utils"), f"--extract={tree}", "--overwrite", path])
    elif kind == "squashfs":
        program = find("unsquashfs", package="squashfs-tools")
        _read_by([program, "-no-progress", "-no-xattrs", "-ignore-errors", "-dest", tree, path])
    else:
        raise FormatError("a disk image without a file system that is known here")
    return tree


def _cut_out(path: Path, offset: int, size: int, part: Path) -> Path:
    """A file with this part of the disk alone, for programs that know no offsets."""
    with path.open("rb") as source, part.open("wb") as target:
        source.seek(offset)
        left = size
        while left > 0 and (piece := source.read(min(left, 1 << 20))):
            target.write(piece)
            left -= len(piece)
    return part


def _kind_in(path: Path) -> str:
    with path.open("rb") as file:
        return kind_of(file.read(HEAD))


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """A part of a disk, in bytes. Partitions sort by whether they say that they are a root, then by size."""

    is_root: bool
    size: int
    start: int


def partitions(path: Path) -> list[Partition]:
    """The partitions of a disk, the likeliest root first."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    for sector in (SECTOR, BLOCK):
        if head[sector : sector + 8] == b"EFI PART":
            return sorted(_gpt(head, sector), reverse=True)
    return sorted(_mbr(head), reverse=True)


def _gpt(head: bytes, sector: int) -> Iterator[Partition]:
    """The partitions of a GPT (UEFI 2.10, section 5.3)."""
    first = int.from_bytes(head[sector + 72 : sector + 80], "little") * sector
    count, size = (int.from_bytes(head[sector + at : sector + at + 4], "little") for at in (80, 84))
    for at in range(first, first + min(count, 128) * size, max(size, 128)):
        entry = head[at : at + 128]
        start, end = (int.from_bytes(entry[n : n + 8], "little") for n in (32, 40))
        if any(entry[:16]) and end >= start:
            yield Partition(entry[:16] in ROOTS, (end - start + 1) * sector, start * sector)


def _mbr(head: bytes) -> list[Partition]:
    """The partitions of an MBR that name Linux, or nothing else that is known."""
    if head[510:512] != b"\x55\xaa":
        return []
    entries = [head[at : at + 16] for at in range(446, 510, 16)]
    return [
        Partition(
            entry[0] == ACTIVE,
            int.from_bytes(entry[12:16], "little") * SECTOR,
            int.from_bytes(entry[8:12], "little") * SECTOR,
        )
        for entry in entries
        if entry[4] == LINUX
    ]


def _tar(path: Path) -> Iterator[Member]:
    """The files and links of a tar archive, with the content of small ones."""
    try:
        with tarfile.open(path, "r:") as archive:
            for count, entry in enumerate(archive):
                if count >= MAX_ENTRIES:
                    msg = f"{path}: over {MAX_ENTRIES} files"
                    raise FormatError(msg)
                yield _member(archive, entry)
    except (tarfile.TarError, OSError) as error:
        msg = f"{path}: {error}"
        raise FormatError(msg) from None


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Member:
    name = entry.name.removeprefix("./").lstrip("/")
    if entry.issym():
        return Member(path=name, mode=0o120777, content=entry.linkname.encode())
    if entry.isdir():
        return Member(path=name, mode=0o040755, content=None)
    kept = entry.isreg() and entry.size <= (KEPT_BOOT if name.startswith("boot/") else KEPT)
    opened = archive.extractfile(entry) if kept else None
    return Member(path=name, mode=0o100000 | entry.mode, content=opened.read() if opened else None)
