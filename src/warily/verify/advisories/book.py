"""Advisories as data: one TOML file a bulletin in `data/advisories`, read strictly.

    id = "AMD-SB-0000"
    title = "what is wrong, in a line"
    attacks = ["its name"]            # may be empty
    cves = ["CVE-2026-0000"]          # may be empty
    platform = "snp"                  # or "tdx"
    published = 2026-01-31            # left out where it is not known
    data_of = 2026-11-23              # when the file was last compared with its sources
    source = "https://…"
    grounds = "where each number comes from"

    [[answer]]
    for = ["Milan B1"]                # products or silicon lines
    ways = [[{ tcb = "snp", least = 27 }, { mitigation = 1 }]]    # any way will do; in a way, all conditions must hold
    # or one of:  unaffected = true · unknown = "why no number stands here" · none = "why no evidence answers it"

What stands in no `for` is not known either. A number that nobody could be named for is written as `unknown`.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from typing import Any, Final, NoReturn

from warily.errors import UsageError

PLATFORMS: Final = ("snp", "tdx")
# The conditions there are: the keys of each, with the type of each value.
CONDITIONS: Final[dict[str, dict[str, type]]] = {
    "tcb": {"tcb": str, "least": int},
    "mitigation": {"mitigation": int},
    "platform": {"platform": str},
    "platform_clear": {"platform_clear": str},
    "policy": {"policy": str},
    "policy_clear": {"policy_clear": str},
    "module": {"module": list},
    "tcb_info": {"tcb_info": bool},
    "service_td": {"service_td": bool},
}
_NEEDED: Final = {"id", "title", "attacks", "cves", "platform", "data_of", "source", "grounds", "answer"}
_OUTCOMES: Final = ("ways", "unaffected", "unknown", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that evidence must show: the kind, and the values that the data give it."""

    kind: str
    values: tuple[tuple[str, Any], ...]

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401  # str, int, bool or list, as CONDITIONS says
        return dict(self.values)[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What answers an advisory on some products: `ways`, or that they are not affected, or why nothing can be said."""

    products: tuple[str, ...]
    ways: tuple[tuple[Condition, ...], ...] = ()
    unaffected: bool = False
    unknown: str = ""
    none: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One bulletin."""

    id: str
    title: str
    attacks: tuple[str, ...]
    cves: tuple[str, ...]
    platform: str
    published: date | None
    data_of: date
    source: str
    grounds: str
    answers: tuple[Answer, ...]

    def answer_for(self, line: str, product: str) -> Answer | None:
        """What is said of a silicon line: of itself where it is named, of its product otherwise."""
        named = (answer for name in (line, product) for answer in self.answers if name in answer.products)
        return next(named, None)


def read_advisory(text: str) -> Advisory:
    """The advisory that a TOML text holds. Raises `UsageError`, naming what is wrong."""
    try:
        top = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        _refuse(f"not TOML: {error}")
    name = str(top.get("id", "without id"))
    wrong = _NEEDED - set(top) | set(top) - _NEEDED - {"published"}
    if wrong:
        _refuse(f"{name}: missing or unknown: {', '.join(sorted(wrong))}")
    if top["platform"] not in PLATFORMS or not isinstance(top["answer"], list):
        _refuse(f"{name}: platform {top['platform']!r} or answers that are no list")
    return Advisory(
        id=_text(name, top["id"]),
        title=_text(name, top["title"]),
        attacks=_texts(name, top["attacks"]),
        cves=_texts(name, top["cves"]),
        platform=top["platform"],
        published=_day(name, top["published"]) if "published" in top else None,
        data_of=_day(name, top["data_of"]),
        source=_text(name, top["source"]),
        grounds=_text(name, top["grounds"]),
        answers=tuple(_answer(name, entry) for entry in top["answer"]),
    )


@lru_cache(maxsize=1)
def advisories() -> tuple[Advisory, ...]:
    """Every advisory that this version knows, in order of their ids."""
    folder = resources.files("warily.data").joinpath("advisories")
    texts = [entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return tuple(sorted(map(read_advisory, texts), key=lambda entry: entry.id))


def known_ids(platform: str) -> frozenset[str]:
    """The ids of all advisories about a platform, `snp` or `tdx`."""
    return frozenset(entry.id for entry in advisories() if entry.platform == platform)


def _answer(name: str, entry: Any) -> Answer:  # noqa: ANN401  # TOML
    if not isinstance(entry, dict) or len(entry) != 2 or "for" not in entry or not set(entry) & set(_OUTCOMES):  # noqa: PLR2004  # `for` and one outcome
        _refuse(f"{name}: an answer has `for` and one of {', '.join(_OUTCOMES)}")
    products = _texts(name, entry["for"])
    if not products:
        _refuse(f"{name}: an answer is for nothing")
    if "ways" in entry:
        return Answer(products=products, ways=_ways(name, entry["ways"]))
    if "unaffected" in entry:
        if entry["unaffected"] is not True:
            _refuse(f"{name}: unaffected is true or left out")
        return Answer(products=products, unaffected=True)
    if "unknown" in entry:
        return Answer(products=products, unknown=_text(name, entry["unknown"]))
    return Answer(products=products, none=_text(name, entry["none"]))


def _ways(name: str, value: Any) -> tuple[tuple[Condition, ...], ...]:  # noqa: ANN401  # TOML
    if not isinstance(value, list) or not value or not all(isinstance(way, list) and way for way in value):
        _refuse(f"{name}: ways are lists of conditions")
    return tuple(tuple(_condition(name, entry) for entry in way) for way in value)


def _condition(name: str, entry: Any) -> Condition:  # noqa: ANN401  # TOML
    kinds = [kind for kind in CONDITIONS if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1 or set(entry) != set(CONDITIONS[kinds[0]]):
        _refuse(f"{name}: a condition of no known kind: {entry!r:.100}")
    for key, kind in CONDITIONS[kinds[0]].items():
        if type(entry[key]) is not kind:
            _refuse(f"{name}: {key} is not of type {kind.__name__}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Condition(kind=kinds[0], values=tuple(values.items()))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        _refuse(f"{name}: {value!r:.60} is not a line of text")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        _refuse(f"{name}: {value!r:.60} is not a list")
    return tuple(_text(name, entry) for entry in value)


def _day(name: str, value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        _refuse(f"{name}: {value!r:.60} is not a date")
    return value


def _refuse(what: str) -> NoReturn:
    message = f"advisory {what}"
    raise UsageError(message)
