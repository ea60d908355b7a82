"""What is known of the thing under audit. What was not looked at is None, and never counts in its favour."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Final, Protocol
from weakref import WeakKeyDictionary

SMALL: Final = 1 << 20


class Tree(Protocol):
    """A file system, or a part of one. Paths have no leading slash."""

    def paths(self) -> Sequence[str]:
        """Every path of a file or a link, sorted."""

    def read(self, path: str, limit: int = SMALL) -> bytes | None:
        """The content of a file of at most `limit` bytes; None where it is a link elsewhere, larger or unreadable."""

    def link(self, path: str) -> str | None:
        """Where a symbolic link points, or None where the path is none."""


class System(Tree, Protocol):
    """A running /proc and /sys, of which a part may not be shown to whoever looks."""

    def sees(self, path: str) -> bool:
        """Whether the path could be seen if it were there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an audit looks at. `kinds` says in words what was found; `system` reads a running /sys and /proc."""

    target: str
    kinds: tuple[str, ...]
    config: Mapping[str, str] | None = None
    kernel: tuple[int, ...] | None = None
    words: tuple[str, ...] | None = None
    root: Tree | None = None
    initrd: Tree | None = None
    system: System | None = None

    @property
    def running(self) -> bool:
        """The audit is of a running machine."""
        return self.system is not None


def matching(tree: Tree, pattern: str) -> Iterator[str]:
    """The paths that match a glob; in a merged /usr, `usr/lib/x` and `lib/x` are the same, as are bin and sbin."""
    candidates = spellings(pattern)
    if not _GLOB.search(pattern):
        paths = _index(tree).all
        yield from (path for path in candidates if path in paths)
        return
    expression = re.compile("|".join(translate(each) for each in candidates))
    yield from (path for path in tree.paths() if expression.match(path))


def of_kind(tree: Tree, kind: str) -> Sequence[str]:
    """The paths of loadable `modules`, or of the links by which systemd starts units (`wants`)."""
    index = _index(tree)
    return index.modules if kind == "modules" else index.wants


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """A tree's paths, sorted out once: rules ask for the same ones again and again."""

    all: frozenset[str]
    modules: tuple[str, ...]
    wants: tuple[str, ...]


_INDEXES: WeakKeyDictionary[Tree, _Index] = WeakKeyDictionary()
_GLOB = re.compile(r"[*?\[]")


def _index(tree: Tree) -> _Index:
    found = _INDEXES.get(tree)
    if found is None:
        paths = tree.paths()
        found = _Index(
            all=frozenset(paths),
            modules=tuple(path for path in paths if ".ko" in path),
            wants=tuple(path for path in paths if ".wants/" in path or ".requires/" in path),
        )
        _INDEXES[tree] = found
    return found


def spellings(path: str) -> tuple[str, ...]:
    """The path as it may also be written where /usr is merged with the root, or sbin with bin."""
    without = path.removeprefix("usr/")
    found = {path, without, f"usr/{without}"}
    for each in tuple(found):
        head, name = posixpath.split(each)
        if head.endswith("sbin"):
            found.add(f"{head.removesuffix('sbin')}bin/{name}")
    return tuple(sorted(found))


def version_of(text: str) -> tuple[int, ...] | None:
    """The numbers at the beginning of a kernel version, such as 6.12.117+deb13; None where there are none."""
    found = re.match(r"\d+(\.\d+)+", text)
    return tuple(map(int, found.group().split("."))) if found else None
