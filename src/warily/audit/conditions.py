"""Conditions of audit rules, each one line of text, and whether they hold for some facts.

  config SYMBOL=VALUE[|VALUE…]   the kernel's configuration; `n` is also what is not mentioned
  kernel >=6.7, kernel <6.7      the kernel's version
  word GLOB                      a word of the command line
  file GLOB                      a path of the root file system; `initrd file GLOB`, `sysfile GLOB` likewise
  line GLOB REGEX                a line of some small file of the root; `sys GLOB REGEX` of the running /proc and /sys
  module NAME                    a loadable module in the root or in the initrd
  unit GLOB                      a systemd unit that something starts and nobody masks
  masked NAME                    a systemd unit that is masked, or that is not there

`no` before `word`, `file`, `initrd file`, `sysfile`, `line`, `sys`, `module` and `unit` turns them round.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from warily.audit.facts import Facts, Tree, matching, of_kind, version_of
from warily.errors import FormatError

UNIT_FOLDERS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether a condition holds, None where nobody could look; and what was seen, for people."""

    holds: bool | None
    what: str


def examine(condition: str, facts: Facts) -> Seen:
    """The condition, for these facts. Raises `FormatError` for a condition that is none."""
    text = condition.removeprefix("no ")
    for verb, look in _VERBS.items():
        if text.startswith(f"{verb} "):
            seen = look(text.removeprefix(f"{verb} "), facts)
            if text == condition or seen.holds is None:
                return seen
            return Seen(not seen.holds, seen.what)
    msg = f"audit rule: {condition!r} is no condition"
    raise FormatError(msg)


def _config(text: str, facts: Facts) -> Seen:
    if facts.config is None:
        return Seen(None, "the kernel's configuration")
    symbol, _, values = text.partition("=")
    value = facts.config.get(symbol, "n")
    return Seen(value in values.split("|"), f"CONFIG_{symbol}={value}")


def _kernel(text: str, facts: Facts) -> Seen:
    if facts.kernel is None:
        return Seen(None, "the kernel's version")
    sign = text.rstrip("0123456789.")
    wanted = version_of(text.removeprefix(sign)) or ()
    have = facts.kernel[: max(len(wanted), len(facts.kernel))]
    said = f"Linux {'.'.join(map(str, facts.kernel))}"
    return Seen(have >= wanted if sign == ">=" else have < wanted, said)


def _word(pattern: str, facts: Facts) -> Seen:
    if facts.words is None:
        return Seen(None, "the command line")
    found = [word for word in facts.words if fnmatchcase(word, pattern)]
    return Seen(bool(found), " ".join(found) or f"no {pattern} on the command line")


def _file(pattern: str, facts: Facts) -> Seen:
    return _path(facts.root, pattern, "the root file system")


def _initrd(pattern: str, facts: Facts) -> Seen:
    return _path(facts.initrd, pattern, "the initrd")


def _sysfile(pattern: str, facts: Facts) -> Seen:
    hidden = _hidden(pattern, facts)
    return hidden or _path(facts.system, pattern, "the running system")


def _path(tree: Tree | None, pattern: str, name: str) -> Seen:
    if tree is None:
        return Seen(None, name)
    found = next(matching(tree, pattern), None)
    return Seen(found is not None, f"/{found}" if found else f"no /{pattern}")


def _line(text: str, facts: Facts) -> Seen:
    return _content(facts.root, text, "the root file system")


def _sys(text: str, facts: Facts) -> Seen:
    hidden = _hidden(text.partition(" ")[0], facts)
    return hidden or _content(facts.system, text, "the running system")


def _hidden(path: str, facts: Facts) -> Seen | None:
    """What is not shown to whoever looks is not known, and not absent."""
    sees = facts.system is None or facts.system.sees(path)
    return None if sees else Seen(None, f"/{path}, which is not shown here")


def _content(tree: Tree | None, text: str, name: str) -> Seen:
    if tree is None:
        return Seen(None, name)
    pattern, _, expression = text.partition(" ")
    wanted = re.compile(expression)
    for path in matching(tree, pattern):
        content = tree.read(path)
        if content is None and tree.link(path) is None:
            return Seen(None, f"/{path}, which cannot be read")
        for line in (content or b"").decode("utf-8", "replace").splitlines():
            if wanted.search(line):
                return Seen(holds=True, what=f"/{path}: {line.strip()[:80]}")
    return Seen(holds=False, what=f"nothing like {expression} in /{pattern}")


def _module(name: str, facts: Facts) -> Seen:
    """A module by its name in either spelling, wherever modules lie."""
    if facts.root is None and facts.initrd is None:
        return Seen(None, "the file systems")
    spelled = name.replace("_", "?").replace("-", "?")
    for tree in (facts.initrd, facts.root):
        for path in of_kind(tree, "modules") if tree is not None else ():
            if fnmatchcase(posixpath.basename(path).partition(".ko")[0], spelled):
                return Seen(holds=True, what=f"/{path}")
    return Seen(holds=False, what=f"no module {name}")


def _unit(pattern: str, facts: Facts) -> Seen:
    """A unit that a `wants` or `requires` folder names, and that is not masked."""
    if facts.root is None:
        return Seen(None, "the root file system")
    for path in of_kind(facts.root, "wants"):
        folder, name = posixpath.split(path)
        fits = fnmatchcase(name, pattern) and posixpath.dirname(folder) in UNIT_FOLDERS
        if fits and not _is_masked(facts.root, name):
            return Seen(holds=True, what=f"/{path}")
    return Seen(holds=False, what=f"nothing starts {pattern}")


def _masked(name: str, facts: Facts) -> Seen:
    if facts.root is None:
        return Seen(None, "the root file system")
    there = any(next(matching(facts.root, f"{folder}/{name}"), None) for folder in UNIT_FOLDERS)
    if not there:
        return Seen(holds=True, what=f"there is no {name}")
    masked = _is_masked(facts.root, name)
    return Seen(masked, f"{name} is {'masked' if masked else 'not masked'}")


def _is_masked(tree: Tree, name: str) -> bool:
    """The unit, or the template it is an instance of, is a link to nowhere."""
    names = {name, re.sub(r"@[^.]*\.", "@.", name)}
    return any(tree.link(f"etc/systemd/system/{each}") == "/dev/null" for each in names)


_VERBS: dict[str, Callable[[str, Facts], Seen]] = {
    "config": _config,
    "kernel": _kernel,
    "word": _word,
    "initrd file": _initrd,
    "file": _file,
    "sysfile": _sysfile,
    "line": _line,
    "sys": _sys,
    "module": _module,
    "unit": _unit,
    "masked": _masked,
}
