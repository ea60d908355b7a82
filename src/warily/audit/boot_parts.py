"""How a root file system is booted, by what lies in it: configuration, kernel, initrd and command line.

Where nothing better was given. Sources: GRUB's menu, Boot Loader Specification (entries and unified kernel images),
kernel-install(8), and where distributions put a kernel's configuration.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from warily.audit import kernels, packed
from warily.audit.facts import Facts, Tree, matching, version_of
from warily.audit.trees import Archive
from warily.errors import FormatError
from warily.formats import initramfs, kernel_config

CONFIGS: Final = ("boot/config-*", "usr/lib/modules/*/config")
INITRDS: Final = ("boot/initrd.img-*", "boot/initramfs-*.img", "boot/initrd-*", "usr/lib/modules/*/initrd")
NOT_BOOTED: Final = ("*rescue*", "*kdump*", "*fallback*", "*.old*", "*.bak")
UKIS: Final = ("boot/EFI/Linux/*.efi", "efi/EFI/Linux/*.efi", "boot/efi/EFI/Linux/*.efi")
ENTRIES: Final = "boot/loader/entries/*.conf"
MENUS: Final = ("boot/grub/grub.cfg", "boot/grub2/grub.cfg")
DEFAULTS: Final = ("etc/default/grub", "etc/default/grub.d/*.cfg")
LARGEST: Final = 256 << 20
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)+")
_WORDS: Final = re.compile(r'^GRUB_CMDLINE_LINUX(?:_DEFAULT)?\+?=(["\']?)(.*)\1\s*$')


def members(data: bytes) -> tuple[initramfs.Member, ...]:
    """The entries of all archives of an initrd, the compressed ones too. Raises `FormatError`."""
    found: list[initramfs.Member] = []
    left = initramfs.LIMIT
    while data:
        here, end = initramfs.members(data)
        found += here
        data = data[end:]
        if data:
            content, data = packed.first(data, initramfs.compression(data), limit=left)
            left -= len(content)
            inner, end = initramfs.members(content)
            found += inner
            if end < len(content):
                raise FormatError("initrd: a compressed archive within a compressed archive")
    return tuple(found)


def completed(found: Facts) -> Facts:
    """The facts with what the root file system adds to them. Where a part of it is malformed, it adds nothing."""
    root = found.root
    if root is None:
        return _of_initrd(found)
    for add in (_config, _unified, _initrd, _version, _words):
        try:
            found = add(found, root)
        except FormatError:
            continue
    return found


def _of_initrd(found: Facts) -> Facts:
    """An initrd that holds a whole system, and is no stage on the way to one, is the root too."""
    tree = found.initrd
    if tree is None or next(matching(tree, "etc/initrd-release"), None):
        return found
    whole = all(next(matching(tree, name), None) for name in ("usr/lib/os-release", "etc/passwd"))
    return replace(found, root=tree, kinds=(*found.kinds, "which is the root file system")) if whole else found


def _config(found: Facts, root: Tree) -> Facts:
    data = None if found.config is not None else _content(root, CONFIGS)
    if data is None:
        return found
    version = version_of(kernel_config.version(data))
    kinds = (*found.kinds, "kernel configuration")
    return replace(found, config=kernel_config.decode(data), kernel=found.kernel or version, kinds=kinds)


def _unified(found: Facts, root: Tree) -> Facts:
    data = None if found.words is not None and found.initrd is not None else _content(root, UKIS)
    if data is None:
        return found
    image = kernels.read(data)
    line, initrd = image.command_line, image.initrd
    return replace(
        found,
        kinds=(*found.kinds, "unified kernel image"),
        kernel=found.kernel or version_of(image.release),
        words=found.words if found.words is not None or line is None else tuple(line.split()),
        initrd=found.initrd if found.initrd is not None or initrd is None else Archive(members(initrd)),
    )


def _initrd(found: Facts, root: Tree) -> Facts:
    data = None if found.initrd is not None else _content(root, INITRDS)
    if data is None:
        return found
    return replace(found, initrd=Archive(members(data)), kinds=(*found.kinds, "initrd"))


def _version(found: Facts, root: Tree) -> Facts:
    if found.kernel is not None:
        return found
    versions = {path.split("/modules/")[1].split("/")[0] for path in root.paths() if "lib/modules/" in path}
    return replace(found, kernel=max((version for version in map(version_of, versions) if version), default=None))


def _words(found: Facts, root: Tree) -> Facts:
    words = None if found.words is not None else next((words for words in _lines(root) if words is not None), None)
    if words is None:
        return found
    return replace(found, words=words, kinds=(*found.kinds, "command line (of its boot loader)"))


def _lines(root: Tree) -> Iterable[tuple[str, ...] | None]:
    """The command line, by each way of finding it, the surest first."""
    for menu in MENUS:
        for line in _text(root, menu):
            words = line.split()
            if words[:1] and words[0] in ("linux", "linux16", "linuxefi"):
                yield tuple(words[2:])
    for entry in _newest(root, (ENTRIES,)):
        for line in _text(root, entry):
            if line.startswith("options "):
                yield tuple(line.split()[1:])
    plain = root.read("etc/kernel/cmdline")
    yield None if plain is None else tuple(plain.decode("utf-8", "replace").split())
    files = [path for pattern in DEFAULTS for path in sorted(matching(root, pattern))]
    found = [_WORDS.match(line.strip()) for path in files for line in _text(root, path)]
    yield tuple(word for one in found if one for word in one[2].split() if not word.startswith("$")) if files else None


def _text(root: Tree, path: str) -> list[str]:
    return (root.read(path) or b"").decode("utf-8", "replace").splitlines()


def _content(root: Tree, patterns: Iterable[str]) -> bytes | None:
    """What the newest file of these holds."""
    return next((data for path in _newest(root, patterns) if (data := root.read(path, LARGEST))), None)


def _newest(root: Tree, patterns: Iterable[str]) -> list[str]:
    """The paths that match, by the version in them, the newest first; what is booted in need alone is left out."""
    found = {path for pattern in patterns for path in matching(root, pattern)}
    booted = [path for path in found if not any(fnmatchcase(path, pattern) for pattern in NOT_BOOTED)]
    return sorted(booted, key=_place, reverse=True)


def _place(path: str) -> tuple[tuple[int, ...], str]:
    number = _NUMBER.search(path)
    return (version_of(number[0]) or ()) if number else (), path
