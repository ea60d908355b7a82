"""The catalogue of published host-side attacks: dated data under `warily/data`, read and checked once."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from warily.errors import FormatError

FILE: Final = "attacks.tsv"
HEADER: Final = ("id", "name", "component", "why_not")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One published attack. `why_not` says why no emulator can mount it; empty where the laboratory does."""

    id: str
    name: str
    component: str
    why_not: str


@cache
def catalogue() -> tuple[Row, ...]:
    """Every row, in the file's order. Raises `FormatError` for a table that is wrong."""
    text = files("warily.data").joinpath(FILE).read_text(encoding="utf-8")
    head, *lines = (tuple(line.split("\t")) for line in text.splitlines() if line and not line.startswith("#"))
    if head != HEADER or any(len(line) != len(HEADER) for line in lines):
        msg = f"{FILE}: not the columns {', '.join(HEADER)}"
        raise FormatError(msg)
    rows = tuple(Row(id=one, name=name, component=component, why_not=why) for one, name, component, why in lines)
    if len({row.id for row in rows}) != len(rows):
        msg = f"{FILE}: an id appears twice"
        raise FormatError(msg)
    return rows
