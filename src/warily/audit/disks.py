"""Disk images and file systems, unpacked by the tools that made them, and archives read in place."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from warily.audit.facts import Tree
from warily.audit.trees import Archive, Folder
from warily.errors import FormatError
from warily.formats.initramfs import KEPT, MAX_ENTRIES, Member
from warily.host.run import find, run

SECTOR: Final = 512
LINUX_GPT: Final = (
    bytes.fromhex("af3dc60f838472478e793d69d8477de4"),  # Linux data
    bytes.fromhex("e3bc684fcde8b14d96e7fbcaf984b709"),  # root, x86-64
)
_TIMEOUT: Final = 600.0


def kind_of(head: bytes) -> str:
    """What the first 128 KiB say: a disk, a file system or an archive of files; empty for anything else."""
    if head[:4] == b"QFI\xfb":
        return "qcow2"
    if head[1024:1028] == b"\xe2\xe1\xf5\xe0":
        return "EROFS"
    if head[1080:1082] == b"\x53\xef":
        return "ext4"
    if head[257:262] == b"ustar":
        return "tar"
    if head[SECTOR : SECTOR + 8] == b"EFI PART" or _mbr_root(head) is not None:
        return "disk"
    return ""


def unpacked(path: Path, kind: str, work: Path) -> Tree:
    """The files in the image `path`; `work` is an empty folder. Raises `HostError` and `FormatError`."""
    if kind == "tar":
        return Archive(_tar(path))
    if kind == "qcow2":
        raw = work / "disk.raw"
        run([find("qemu-img", package="qemu-utils"), "convert", "-O", "raw", path, raw], timeout=_TIMEOUT)
        with raw.open("rb") as file:
            kind = kind_of(file.read(1 << 17))
        path = raw
    tree = work / "tree"
    tree.mkdir()
    if kind == "EROFS":
        run([find("fsck.erofs", package="erofs-utils"), f"--extract={tree}", "--overwrite", path], timeout=_TIMEOUT)
    elif kind in ("ext4", "disk"):
        offset = root_offset(path) if kind == "disk" else 0
        where = f"{path}?offset={offset}" if offset else str(path)
        run([find("debugfs", package="e2fsprogs"), "-R", f"rdump / {tree}", where], timeout=_TIMEOUT)
    else:
        raise FormatError("a disk image without a file system that is known here")
    return Folder(tree)


def root_offset(path: Path) -> int:
    """Where the largest Linux partition of a disk begins, in bytes. Raises `FormatError` where there is none."""
    with path.open("rb") as file:
        head = file.read(1 << 17)
    found = [*_gpt_roots(head)] if head[SECTOR : SECTOR + 8] == b"EFI PART" else [_mbr_root(head) or (0, 0)]
    size, start = max(found, default=(0, 0))
    if not size:
        raise FormatError("a disk image without a Linux partition")
    return start * SECTOR


def decompressed(data: bytes, kind: str, *, limit: int) -> bytes:
    """The unpacked bytes, at most `limit`. Raises `FormatError` for a kind that is not known, and beyond the limit."""
    try:
        match kind:
            case "gzip":
                content = gzip.GzipFile(fileobj=io.BytesIO(data)).read(limit + 1)
            case "xz" | "lzma":
                with lzma.open(io.BytesIO(data)) as file:
                    content = file.read(limit + 1)
            case "bzip2":
                content = bz2.BZ2File(io.BytesIO(data)).read(limit + 1)
            case "zstd":
                content = _zstd(data, limit)
            case _:
                msg = f"compressed in a way that is not read here ({kind or 'unknown'})"
                raise FormatError(msg)
    except (OSError, EOFError, lzma.LZMAError) as error:
        msg = f"{kind}: {error}"
        raise FormatError(msg) from None
    if len(content) > limit:
        msg = f"{kind}: over {limit} bytes unpacked"
        raise FormatError(msg)
    return content


def _zstd(data: bytes, limit: int) -> bytes:
    import zstandard  # noqa: PLC0415  # most audits do without

    try:
        announced = zstandard.get_frame_parameters(data).content_size
        if announced != zstandard.CONTENTSIZE_UNKNOWN and announced > limit:
            msg = f"zstd: over {limit} bytes unpacked"
            raise FormatError(msg)
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit, allow_extra_data=True)
    except zstandard.ZstdError as error:
        msg = f"zstd: {error}"
        raise FormatError(msg) from None


def _gpt_roots(head: bytes) -> Iterator[tuple[int, int]]:
    """Size and start, in sectors, of the Linux partitions of a GPT (UEFI 2.10, section 5.3)."""
    first = int.from_bytes(head[SECTOR + 72 : SECTOR + 80], "little") * SECTOR
    count, size = (int.from_bytes(head[SECTOR + at : SECTOR + at + 4], "little") for at in (80, 84))
    for at in range(first, first + min(count, 128) * size, max(size, 128)):
        entry = head[at : at + 128]
        if entry[:16] in LINUX_GPT:
            start, end = (int.from_bytes(entry[n : n + 8], "little") for n in (32, 40))
            yield end - start + 1, start


def _mbr_root(head: bytes) -> tuple[int, int] | None:
    """Size and start, in sectors, of the largest Linux partition of an MBR; None where there is none."""
    if head[510:512] != b"\x55\xaa":
        return None
    entries = [head[at : at + 16] for at in range(446, 510, 16)]
    found = [
        (int.from_bytes(entry[12:16], "little"), int.from_bytes(entry[8:12], "little"))
        for entry in entries
        if entry[4:5] == b"\x83"
    ]
    return max(found, default=None)


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
    opened = archive.extractfile(entry) if entry.isreg() and entry.size <= KEPT else None
    return Member(path=name, mode=0o100000 | entry.mode, content=opened.read() if opened else None)
