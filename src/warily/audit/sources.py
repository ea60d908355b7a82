"""From what a person names to facts: what each file is, is found by its content.

Images are unpacked into a folder of their own by the tools that made them; nothing of them is mounted or run.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from warily.audit import boot_parts, disks, kernels, packed
from warily.audit.facts import Facts, Tree, version_of
from warily.audit.trees import Archive, Folder, System
from warily.core import built
from warily.errors import FormatError, UsageError
from warily.formats import initramfs, kernel_config
from warily.host import paths

PROJECT: Final = "warily.toml"
MAX_FILE: Final = 1 << 30
MAX_WORDS: Final = 65536
MAX_PLAIN: Final = 2 << 30


@contextmanager
def facts_of(targets: Sequence[str], *, running: Path | None) -> Iterator[Facts]:
    """Facts about everything named, together. What was unpacked for them is gone afterwards.

    Raises `UsageError` for what is not there or not known, `FormatError` for what is malformed.
    """
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="warily-audit-")))
        found = Facts(target=" ".join(targets) or "the running machine", kinds=())
        if running is not None:
            found = _running(found, running)
        for number, target in enumerate(targets):
            found = _add(found, target, work / str(number))
        yield boot_parts.completed(found)


def _add(found: Facts, target: str, work: Path) -> Facts:
    path = Path(target)
    if path.is_dir():
        return _folder(found, path, work)
    if path.is_file():
        return _file(found, path, work)
    if " " in target or "=" in target:
        return _known(found, "command line", words=tuple(target.split()))
    msg = f"{target}: no such file or folder"
    raise UsageError(msg, hint="a command line is given in one piece, in quotes")


def _folder(found: Facts, path: Path, work: Path) -> Facts:
    """A project, a built image, or a root file system."""
    if (path / PROJECT).is_file():
        path = paths.state(path) / "image"
        if not path.is_dir():
            raise UsageError("the project has no built image", hint="run `warily build` first")
    if (path / built.MANIFEST).is_file():
        found = _known(found, "image built by warily")
        for name in (built.COMMAND_LINE, built.INITRD, built.KERNEL_CONFIG, built.ROOT):
            if (path / name).is_file():
                found = _file(found, path / name, work / name)
        return found
    if not any((path / name).is_dir() for name in ("usr", "etc")):
        msg = f"{path} is neither a project, nor a built image, nor a root file system"
        raise UsageError(msg)
    return _known(found, "root file system (folder)", root=Folder(path))


def _file(found: Facts, path: Path, work: Path) -> Facts:
    """A disk, a file system, an archive, an initrd, a kernel, a configuration or a command line."""
    with path.open("rb") as file:
        head = file.read(1 << 17)
    kind = disks.kind_of(head)
    if kind:
        work.mkdir(parents=True, exist_ok=True)
        return _known(found, f"root file system ({kind})", root=disks.unpacked(path, kind, work))
    other = disks.not_read(head)
    if other:
        msg = f"{path}: a kind of disk that is not read here: {other}"
        raise FormatError(msg, hint="mount what is in it read-only, and name the folder")
    data = _bounded(path)
    if head[:2] == b"MZ":
        return _kernel(found, data)
    packing = initramfs.compression(head)
    inner = packed.peek(data, packing) if packing else head
    if packing and disks.kind_of(inner):
        return _file(found, _unpacked(data, packing, work), work)
    if inner[:6] in initramfs.MAGICS or head[:6] in initramfs.MAGICS:
        return _known(found, "initrd", initrd=Archive(boot_parts.members(data)))
    if kernel_config.looks_like(inner):
        return _config(found, packed.first(data, packing, limit=kernel_config.LIMIT)[0] if packing else data)
    line = data.strip(b"\0\n\r\t ")
    if not packing and len(line) <= MAX_WORDS and not any(byte in line for byte in b"\0\n"):
        return _known(found, "command line", words=tuple(line.decode("utf-8", "replace").split()))
    msg = f"{path}: neither a file system, an initrd, a kernel, a kernel configuration nor a command line"
    raise FormatError(msg)


def _unpacked(data: bytes, packing: str, work: Path) -> Path:
    """A file with what the compressed stream holds."""
    work.mkdir(parents=True, exist_ok=True)
    plain = work / "plain"
    plain.write_bytes(packed.first(data, packing, limit=MAX_PLAIN)[0])
    return plain


def _config(found: Facts, data: bytes) -> Facts:
    found = _known(found, "kernel configuration", config=kernel_config.decode(data))
    version = version_of(kernel_config.version(data))
    return replace(found, kernel=found.kernel or version)


def _kernel(found: Facts, data: bytes) -> Facts:
    """What a kernel, or a unified kernel image, says of itself."""
    image = kernels.read(data)
    unified = image.command_line is not None
    found = _known(found, "unified kernel image" if unified else "kernel")
    found = replace(found, kernel=found.kernel or version_of(image.release))
    if image.command_line is not None:
        found = _known(found, "its command line", words=tuple(image.command_line.split()))
    if image.initrd is not None:
        found = _known(found, "its initrd", initrd=Archive(boot_parts.members(image.initrd)))
    return found if image.config is None else _config(found, image.config)


def _running(found: Facts, root: Path) -> Facts:
    """The machine whose / is `root`."""
    system = System(root)
    words = system.read("proc/cmdline")
    release = (system.read("proc/sys/kernel/osrelease") or b"").decode().strip()
    found = replace(
        _known(found, "running system"),
        system=system,
        root=Folder(root),
        kernel=version_of(release),
        words=None if words is None else tuple(words.decode("utf-8", "replace").split()),
    )
    for name in ("proc/config.gz", f"boot/config-{release}"):
        data = system.read(name)
        if data:
            return _config(
                found, packed.first(data, "gzip", limit=kernel_config.LIMIT)[0] if name.endswith(".gz") else data
            )
    return found


def _known(
    found: Facts,
    kind: str,
    *,
    config: dict[str, str] | None = None,
    words: tuple[str, ...] | None = None,
    root: Tree | None = None,
    initrd: Tree | None = None,
) -> Facts:
    """The facts with one more thing in them. Raises `UsageError` where there are two of a kind."""
    for name, value in (("config", config), ("words", words), ("root", root), ("initrd", initrd)):
        if value is not None and getattr(found, name) is not None:
            msg = f"there are two of a kind: {kind}"
            raise UsageError(msg)
    return replace(
        found,
        kinds=(*found.kinds, kind),
        config=config if config is not None else found.config,
        words=words if words is not None else found.words,
        root=root if root is not None else found.root,
        initrd=initrd if initrd is not None else found.initrd,
    )


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE:
        msg = f"{path}: over {MAX_FILE >> 20} MiB"
        raise FormatError(msg)
    return path.read_bytes()
