"""The audit's one table of rules: data under `warily/data/audit`, read and checked once."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from warily.errors import FormatError

_ID: Final = re.compile(r"[a-z]+(\.[a-z0-9-]+)+")
_KEYS: Final = {"id", "title", "why", "source", "closed_by", "mend", "attacks", "only"}
_NEEDED: Final = _KEYS - {"attacks", "only"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a host can use, and what closes it.

    `closed_by` are alternatives, each a list of conditions of which all must hold. `attacks` are ids of the catalogue.
    `running` rules are for a running machine alone.
    """

    id: str
    title: str
    why: str
    source: str
    closed_by: tuple[tuple[str, ...], ...]
    mend: str
    attacks: tuple[str, ...]
    running: bool


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of the files and within them. Raises `FormatError` for a table that is wrong."""
    found: list[Rule] = []
    for path in sorted(files("warily.data").joinpath("audit").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml"):
            found += [read_rule(entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["rule"]]
    if len({rule.id for rule in found}) != len(found):
        raise FormatError("audit rules: an id appears twice")
    return tuple(found)


def read_rule(entry: dict[str, Any]) -> Rule:
    """The rule that a table holds. Raises `FormatError`."""
    name = entry.get("id", "?")
    if not set(entry) >= _NEEDED or set(entry) - _KEYS or _ID.fullmatch(name) is None:
        msg = f"audit rule {name}: keys are {', '.join(sorted(entry))}"
        raise FormatError(msg)
    return Rule(
        id=name,
        title=entry["title"],
        why=entry["why"],
        source=entry["source"],
        closed_by=tuple(tuple(alternative) for alternative in entry["closed_by"]),
        mend=entry["mend"],
        attacks=tuple(entry.get("attacks", ())),
        running=entry.get("only") == "running",
    )
