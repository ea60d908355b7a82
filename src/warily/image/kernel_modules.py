"""Kernel modules in loading order, from an unpacked kernel package that was never configured.

Dependencies are read from each module's own `.modinfo`, so neither `depmod` nor its files are needed.
"""

import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warily.errors import HostError
from warily.formats import elf

FOLDERS: Final = ("usr/lib/modules", "lib/modules")
PACKED_LIMIT: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelModule:
    """A module's name, with `-` as `_`, and its unpacked bytes (with the signature that lockdown asks for)."""

    name: str
    data: bytes
    optional: bool


class KernelTree:
    """The modules of the one kernel version in an unpacked package."""

    def __init__(self, kernel_tree: Path) -> None:
        homes = [path for folder in FOLDERS for path in sorted((kernel_tree / folder).glob("*")) if path.is_dir()]
        if len(homes) != 1:
            msg = f"{kernel_tree} holds the modules of {len(homes)} kernels, not of one"
            raise HostError(msg)
        self.version = homes[0].name
        self._files = {_plain(path.name): path for path in sorted(homes[0].rglob("*.ko*"))}
        self._built_in = {_plain(line.rpartition("/")[2]) for line in _lines(homes[0] / "modules.builtin")}

    def ordered(self, names: Iterable[str], *, optional: Iterable[str]) -> tuple[KernelModule, ...]:
        """The named modules and all they depend on, each after its own dependencies. Raises `HostError`."""
        made: dict[str, KernelModule] = {}
        for name in names:
            self._add(_plain(name), made, optional=False)
        for name in optional:
            self._add(_plain(name), made, optional=True)
        return tuple(made.values())

    def _add(self, name: str, made: dict[str, KernelModule], *, optional: bool) -> None:
        if name in made or name in self._built_in:
            return
        if name not in self._files:
            msg = f"kernel {self.version} has no module {name}"
            raise HostError(msg)
        data = _unpacked(self._files[name])
        for key, value in elf.module_info(data):
            for needed in value.split(",") if key == "depends" and value else ():
                self._add(_plain(needed), made, optional=optional)
        made[name] = KernelModule(name=name, data=data, optional=optional)


def _plain(name: str) -> str:
    return name.partition(".ko")[0].replace("-", "_")


def _lines(path: Path) -> list[str]:
    return path.read_text().split()


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".ko":
        return data
    if path.suffix != ".xz":
        msg = f"{path} is packed in a way that is not known here"
        raise HostError(msg)
    try:
        unpacker = lzma.LZMADecompressor()
        plain = unpacker.decompress(data, PACKED_LIMIT)
    except lzma.LZMAError:
        plain = b""
    if not plain or len(plain) == PACKED_LIMIT:
        msg = f"{path} cannot be unpacked"
        raise HostError(msg)
    return plain
