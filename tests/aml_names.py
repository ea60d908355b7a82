"""Names as iasl's disassembly writes them, and the same from decoded terms: an oracle for the decoder."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from warily.formats.aml import NamePath, Operand, Term

KINDS = (
    "Scope|Device|Method|Name|OperationRegion|DataTableRegion|Mutex|Event|PowerResource|Processor|ThermalZone|Alias"
    "|CreateField|CreateBitField|CreateByteField|CreateWordField|CreateDWordField|CreateQWordField"
)
_STATEMENT = re.compile(rf"^\s*({KINDS}) \((.*)")
_QUIET = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/|//.*')


def disassembled(table: Path, folder: Path) -> list[tuple[str, str, str]]:
    """Kind, path with the names around it, and for methods the arity, in order, from `iasl -d`."""
    if shutil.which("iasl") is None:
        pytest.skip("iasl is not installed")
    copied = folder / "table.aml"
    shutil.copyfile(table, copied)
    subprocess.run(["iasl", "-d", copied.name], cwd=folder, check=True, capture_output=True)
    return list(_read((folder / "table.dsl").read_text("latin-1")))


def _read(text: str) -> Iterator[tuple[str, str, str]]:
    stack: list[str | None] = []
    opening: str | None = None
    lines = iter(_QUIET.sub("", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)).splitlines())
    for line in lines:
        found = _STATEMENT.match(line)
        if found:
            kind, rest = found.groups()
            while rest.count("(") >= rest.count(")") and kind.startswith("Create"):
                rest += next(lines)
            words = _words(rest)
            name = _last(rest) if kind == "Alias" or kind.startswith("Create") else words[0]
            around = ".".join(each for each in stack if each)
            yield kind, f"{around}:{name}", words[1] if kind == "Method" else ""
            opening = name if kind in _SCOPES else None
        for letter in line:
            if letter == "{":
                stack.append(opening)
                opening = None
            elif letter == "}":
                stack.pop()


_SCOPES = frozenset({"Scope", "Device", "Method", "PowerResource", "Processor", "ThermalZone"})


def _words(rest: str) -> list[str]:
    """The operands that stand on the first line."""
    return [each.strip() for each in rest.split(")", 1)[0].split(",")]


def _last(rest: str) -> str:
    """The last operand of a statement on one line."""
    return re.split(r"[ ,(]+", rest.rstrip().removesuffix(")"))[-1]


def named(terms: tuple[Operand, ...]) -> list[tuple[str, str, str]]:
    """The same from terms."""
    found = []
    waiting: list[tuple[Operand, tuple[str, ...]]] = [(each, ()) for each in reversed(terms)]
    kinds = frozenset(KINDS.split("|"))
    while waiting:
        each, around = waiting.pop()
        if not isinstance(each, Term):
            continue
        inner = around
        kind = each.op.name
        if kind in kinds:
            at = 1 if kind == "Alias" else -1 if kind.startswith("Create") else 0
            name = each.args[at]
            assert isinstance(name, NamePath)
            flags = each.args[1] if kind == "Method" else 0
            assert kind != "Method" or isinstance(flags, int)
            arity = str(flags & 7) if isinstance(flags, int) and kind == "Method" else ""
            if not str(name).startswith("_T_"):
                # iasl shows Switch instead of the names that it was compiled to.
                found.append((kind, f"{'.'.join(around)}:{name}", arity))
            inner = (*around, str(name)) if kind in _SCOPES else around
        waiting.extend((one, inner) for one in reversed((*each.args, *each.body)) if isinstance(one, Term))
    return found
