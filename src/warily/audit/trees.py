"""File systems as an audit sees them: a folder of this machine, or the members of an archive."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from warily.audit.facts import SMALL
from warily.errors import HostError
from warily.formats.initramfs import Member

MAX_PATHS: Final = 1_000_000
_MOUNTED: Final = ("proc", "sys", "sys/firmware")
# Where programs, their settings and the kernel's parts lie; data of users and of services is nobody's business here.
_TOP: Final = frozenset({"bin", "boot", "etc", "init", "kernel", "lib", "lib64", "sbin", "usr", "var"})
_PRUNED: Final = frozenset(
    {
        "usr/include",
        "usr/lib/debug",
        "usr/share",
        "usr/src",
        "var/cache",
        "var/log",
        "var/spool",
        "var/tmp",
        "usr/local",
    }
)


class Folder:
    """A root file system that lies in a folder. Links are never followed out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths: tuple[str, ...] | None = None

    def paths(self) -> Sequence[str]:
        """Every path of a file or a link where programs, settings and the kernel's parts lie."""
        if self._paths is None:
            self._paths = tuple(sorted(self._walk()))
        return self._paths

    def read(self, path: str, limit: int = SMALL) -> bytes | None:
        """The content of a regular file of at most `limit` bytes; links within the folder are followed."""
        real = self._inside(path)
        return None if real is None else _content(real, limit)

    def link(self, path: str) -> str | None:
        """Where the link points, as it is written."""
        try:
            return str((self._root / path).readlink())
        except OSError:
            return None

    def _walk(self) -> Iterable[str]:
        count = 0
        for folder, below, files in os.walk(self._root):
            place = os.path.relpath(folder, self._root)
            if place == ".":
                below[:] = [name for name in below if name in _TOP]
            below[:] = [name for name in below if f"{place}/{name}" not in _PRUNED]
            links = [name for name in below if (Path(folder) / name).is_symlink()]
            for name in (*files, *links):
                count += 1
                if count > MAX_PATHS:
                    msg = f"{self._root} holds over {MAX_PATHS} files"
                    raise HostError(msg)
                yield name if place == "." else f"{place}/{name}"

    def _inside(self, path: str) -> Path | None:
        """The file that the path names, with links resolved as the guest would: absolute ones from the folder."""
        at = self._root / path
        for _ in range(8):
            if not at.is_symlink():
                break
            target = str(at.readlink())
            at = self._root / target.lstrip("/") if target.startswith("/") else at.parent / target
        try:
            real = at.resolve(strict=True)
            real.relative_to(self._root.resolve())
        except (OSError, ValueError):
            return None
        return real


class System:
    """/proc and /sys of this machine, or of a copy of them: only what a pattern asks for is looked at."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[str, tuple[str, ...]] = {}

    def paths(self) -> Sequence[str]:
        """The paths that running rules name: everything below a few folders, without following links."""
        if not self._found:
            self._found = {pattern: tuple(self._glob(pattern)) for pattern in _LOOKED_AT}
        return tuple(sorted({path for paths in self._found.values() for path in paths}))

    def sees(self, path: str) -> bool:
        """Whether the path could be seen if it were there: a container may have no /sys, or an empty part of it."""
        parts = path.split("/")
        names = [name for name in (parts[0], "/".join(parts[:2])) if name in _MOUNTED]
        return all(any((self._root / name).iterdir()) for name in names if (self._root / name).is_dir()) and (
            parts[0] not in _MOUNTED or (self._root / parts[0]).is_dir()
        )

    def read(self, path: str, limit: int = SMALL) -> bytes | None:
        """The beginning of the file; these have no size."""
        try:
            with (self._root / path).open("rb") as file:
                return file.read(limit)
        except OSError:
            return None

    def link(self, path: str) -> str | None:
        """Where the link points."""
        try:
            return str((self._root / path).readlink())
        except OSError:
            return None

    def _glob(self, pattern: str) -> Iterable[str]:
        return (str(path.relative_to(self._root)) for path in self._root.glob(pattern))


# What the running rules read; a test holds this against the rules.
_LOOKED_AT: Final = (
    "sys/kernel/security/lockdown",
    "proc/sys/kernel/modules_disabled",
    "proc/sys/kernel/kexec_load_disabled",
    "proc/sys/kernel/sysrq",
    "proc/modules",
    "proc/swaps",
    "sys/devices/system/clocksource/clocksource0/current_clocksource",
    "sys/firmware/qemu_fw_cfg",
    "sys/firmware/acpi/tables/*",
    "sys/class/virtio-ports/*/name",
    "sys/bus/virtio/devices/*/device",
    "dev/virtio-ports/*",
    "run/credentials/@system/*",
)


class Archive:
    """The members of an archive, of which small ones have their content."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._members: Mapping[str, Member] = {
            member.path: member for member in members if not stat.S_ISDIR(member.mode)
        }

    def paths(self) -> Sequence[str]:
        """Every path of a file or a link."""
        return tuple(sorted(self._members))

    def read(self, path: str, limit: int = SMALL) -> bytes | None:
        """The content of a file that was kept."""
        del limit
        member = self._members.get(path)
        return member.content if member is not None and not stat.S_ISLNK(member.mode) else None

    def link(self, path: str) -> str | None:
        """Where the link points."""
        member = self._members.get(path)
        if member is None or member.content is None or not stat.S_ISLNK(member.mode):
            return None
        return member.content.decode("utf-8", "replace")


def _content(path: Path, limit: int) -> bytes | None:
    try:
        if not path.is_file() or path.stat().st_size > limit:
            return None
        return path.read_bytes()
    except OSError:
        return None
