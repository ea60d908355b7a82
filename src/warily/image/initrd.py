"""The initial RAM file system: one interpreter, the first program, the kernel modules. Nothing else is in it.

The same root tree and kernel tree give the same bytes: sorted names, no times, no owners, one compressor level.
"""

import hashlib
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zstandard

from warily.formats import cpio
from warily.image import interpreter
from warily.image.contents import (
    BOOT_SOURCES,
    GUEST_HOME,
    KERNEL_MODULES,
    OPTIONAL_KERNEL_MODULES,
    STANDARD_MODULES,
)
from warily.image.kernel_modules import KernelModule, KernelTree

LEVEL: Final = 19
MODULES: Final = "usr/lib/modules"
FOLDERS: Final = ("dev", "proc", "run", "sys", "sysroot")
LINKS: Final = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}
PROGRAM: Final = """\
#!/usr/bin/{python} -ISB
import sys

sys.path.insert(0, "/{home}")

from warily.guest.init import main

main()
"""
FILE: Final = stat.S_IFREG | 0o644
EXECUTABLE: Final = stat.S_IFREG | 0o755
FOLDER: Final = stat.S_IFDIR | 0o755
LINK: Final = stat.S_IFLNK | 0o777
CONSOLE: Final = cpio.Entry(name="dev/console", mode=stat.S_IFCHR | 0o600, device=(5, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class InitrdFile:
    """A file whose bytes the guest must trust. `path` is absolute in the guest; `size` in bytes."""

    path: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InitrdReport:
    """What was packed: compressed size in bytes, SHA-256 of the archive, its files, and the modules as loaded."""

    size: int
    unpacked_size: int
    sha256: bytes
    files: tuple[InitrdFile, ...]
    modules: tuple[str, ...]
    kernel_version: str


def pack(*, root: Path, kernel_tree: Path, out: Path) -> InitrdReport:
    """`out` holds the initial RAM file system for this root and this kernel.

    `root` is an unpacked root tree that already holds warily's guest part; `kernel_tree` an unpacked
    kernel package. Raises `HostError` where either lacks something.
    """
    kernel = KernelTree(kernel_tree)
    modules = kernel.ordered(KERNEL_MODULES, optional=OPTIONAL_KERNEL_MODULES)
    entries = _entries(root, modules)
    archive = cpio.encode(entries)
    packed = zstandard.ZstdCompressor(level=LEVEL, threads=0, write_checksum=True).compress(archive)
    out.write_bytes(packed)
    return InitrdReport(
        size=len(packed),
        unpacked_size=len(archive),
        sha256=hashlib.sha256(packed).digest(),
        files=tuple(
            InitrdFile(path=f"/{entry.name}", size=len(entry.data), sha256=hashlib.sha256(entry.data).digest())
            for entry in entries
            if stat.S_ISREG(entry.mode)
        ),
        modules=tuple(module.name for module in modules),
        kernel_version=kernel.version,
    )


def _entries(root: Path, modules: tuple[KernelModule, ...]) -> tuple[cpio.Entry, ...]:
    """Every entry of the archive, sorted by name, so that a folder comes before what is in it."""
    python = interpreter.binary_name(root)
    placed = interpreter.files(root, STANDARD_MODULES)
    for name in BOOT_SOURCES:
        placed |= interpreter.source_or_compiled(root / GUEST_HOME / "warily", name, f"{GUEST_HOME}/warily", python)
    made = {name: cpio.Entry(name=name, mode=_mode(name), data=path.read_bytes()) for name, path in placed.items()}
    program = PROGRAM.format(python=python, home=GUEST_HOME).encode()
    made["init"] = cpio.Entry(name="init", mode=EXECUTABLE, data=program)
    for module in modules:
        name = f"{MODULES}/{module.name}.ko"
        made[name] = cpio.Entry(name=name, mode=FILE, data=module.data)
    order = "".join(f"{module.name}.ko{'?optional' if module.optional else ''}\n" for module in modules)
    made[f"{MODULES}/order"] = cpio.Entry(name=f"{MODULES}/order", mode=FILE, data=order.encode())
    made |= {name: cpio.Entry(name=name, mode=LINK, data=target.encode()) for name, target in LINKS.items()}
    made[CONSOLE.name] = CONSOLE
    folders = set(FOLDERS) | {folder for name in made for folder in _folders_above(name)}
    made |= {name: cpio.Entry(name=name, mode=FOLDER) for name in folders}
    return tuple(made[name] for name in sorted(made))


def _mode(name: str) -> int:
    return EXECUTABLE if name.startswith(("usr/bin/", "usr/lib64/")) else FILE


def _folders_above(name: str) -> list[str]:
    above = []
    while name := posixpath.dirname(name):
        above.append(name)
    return above
