"""The part of a root tree's Python that the first program needs: the interpreter, its libraries, named modules."""

import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from warily.errors import HostError
from warily.formats import elf

LIBRARY_FOLDERS: Final = ("usr/lib/x86_64-linux-gnu", "usr/lib")
MAX_LINKS: Final = 16
COMPILED: Final = "__pycache__"


def inside(root: Path, name: str) -> Path:
    """The file that `name` means once `root` is the root: links are followed and never lead out. Raises `HostError`."""
    todo = [part for part in name.split("/") if part]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        path = root.joinpath(*done, part)
        if not path.is_symlink():
            done.append(part)
            continue
        links += 1
        target = str(path.readlink())
        if links > MAX_LINKS:
            break
        done = [] if target.startswith("/") else done
        todo = [step for step in target.split("/") if step not in ("", ".")] + todo
    path = root.joinpath(*done)
    if todo or not path.is_file():
        msg = f"the root tree has no file {name}"
        raise HostError(msg, hint="the image needs python3 among its packages")
    return path


def binary_name(root: Path) -> str:
    """The name of the interpreter that `python3` means in the tree, as `python3.13`."""
    return inside(root, "usr/bin/python3").name


def files(root: Path, modules: Iterable[str]) -> dict[str, Path]:
    """Where to place what: the interpreter, the named standard modules, and the closure of their libraries."""
    name = binary_name(root)
    placed = {f"usr/bin/{name}": inside(root, f"usr/bin/{name}")}
    for module in modules:
        placed |= _module(root, name, module)
    return placed | _libraries(root, placed)


def _module(root: Path, python: str, module: str) -> dict[str, Path]:
    """One module: its compiled form where the tree has one, else its source, else an extension."""
    home = f"usr/lib/{python}"
    path = module.replace(".", "/")
    for stem in (f"{path}/__init__", path):
        if (root / home / f"{stem}.py").is_file():
            return source_or_compiled(root / home, f"{stem}.py", home, python)
    extensions = sorted((root / home / "lib-dynload").glob(f"{module}.cpython-*.so"))
    if len(extensions) == 1:
        return {f"{home}/lib-dynload/{extensions[0].name}": extensions[0]}
    msg = f"the root tree's {python} has no module {module}"
    raise HostError(msg)


def source_or_compiled(base: Path, name: str, home: str, python: str) -> dict[str, Path]:
    """`name` below `base`, to be placed below `home`: compiled, when the tree was compiled, for a faster start."""
    folder, file = posixpath.split(name)
    stem = file.removesuffix(".py")
    compiled = base / folder / COMPILED / f"{stem}.c{python.replace('.', '').replace('python', 'python-')}.pyc"
    if compiled.is_file():
        return {posixpath.join(home, folder, f"{stem}.pyc"): compiled}
    return {posixpath.join(home, name): base / name}


def _libraries(root: Path, placed: Mapping[str, Path]) -> dict[str, Path]:
    """The shared libraries, and the program interpreter, that the placed ELF files need, and those need in turn."""
    found: dict[str, Path] = {}
    todo = [path for name, path in placed.items() if name.startswith("usr/bin/") or name.endswith(".so")]
    loader = ""
    while todo:
        links = elf.linkage(todo.pop().read_bytes())
        if links.interpreter:
            loader = posixpath.basename(links.interpreter)
            found[f"usr{links.interpreter}"] = inside(root, links.interpreter)
        for name in links.needed:
            place = f"{LIBRARY_FOLDERS[0]}/{name}"
            if name != loader and place not in found:
                found[place] = _library(root, name)
                todo.append(found[place])
    return found


def _library(root: Path, name: str) -> Path:
    for folder in LIBRARY_FOLDERS:
        if (root / folder / name).exists() or (root / folder / name).is_symlink():
            return inside(root, f"{folder}/{name}")
    msg = f"the root tree has no library {name}"
    raise HostError(msg)
