"""Which known attacks an authentic Intel quote excludes, by Intel's own statements first.

An advisory that Intel names for the levels that the platform matched is open, whatever else is known of it; one that
is in no file of `data/advisories` is listed all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from warily.core.advisory import Exposure, Standing
from warily.core.vendors import module_versions
from warily.verify.advisories import Advisory, Condition, Facts, Held, advisories, judge
from warily.verify.tdx.case import Case, qe_identity_of, tcb_info_of

PLATFORM: Final = "tdx"
TD: Final = "TDX"
ENCLAVE: Final = "SGX"
NAMED: Final = "Intel names it for the TCB levels that the platform matches"
SOURCE: Final = "Intel's TCB info and QE identity, as given"
_PARTS: Final = 3  # of a version: major, minor, build


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What Intel's statements say whatever the platform: every advisory they name, and how new they are."""

    named: frozenset[str]
    newest: datetime | None
    issued: datetime
    evaluation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What advisories look at: the kind of quote, the module's version, service TDs, and Intel's verdict.

    `module` is None for a version that cannot be named, `service` where the quote does not say.
    """

    name: str
    module: str | None
    service: bool | None
    open: tuple[str, ...]
    date: datetime | None
    said: Said | None


def exposures(case: Case) -> tuple[Exposure, ...]:
    """Every advisory about TDX or SGX as it stands for an authentic quote, then those that only Intel names."""
    td, td15 = case.quote.td, case.quote.td15
    info, identity = case.tcb_statement, case.qe_statement
    return _judged(
        Seen(
            name=TD if case.is_td else ENCLAVE,
            module=module_versions().get(td.mrseam.hex()) if td else None,
            service=None if td15 is None else any(td15.mrservicetd),
            open=case.verdict.advisories,
            date=case.verdict.date,
            said=_said(info.text, identity.text) if info and identity else None,
        )
    )


@lru_cache(maxsize=64)
def _said(info: bytes, identity: bytes) -> Said:
    decoded = tcb_info_of(info)
    parts = [*(level for module in decoded.modules for level in module.levels), *qe_identity_of(identity).levels]
    named = frozenset(name for part in parts for name in part.advisories)
    return Said(
        named=named | frozenset(name for level in decoded.levels for name in level.advisories),
        newest=max((level.date for level in decoded.levels), default=None),
        issued=decoded.issued,
        evaluation=decoded.evaluation,
    )


@lru_cache(maxsize=256)  # a fleet has few kinds of machines
def _judged(seen: Seen) -> tuple[Exposure, ...]:
    facts = Facts(
        product=seen.name,
        lines=(seen.name,),
        holds=lambda advisory, condition: _DECIDE[condition.kind](seen, advisory, condition),
    )
    found = [judge(advisory, facts) for advisory in advisories() if advisory.platform == PLATFORM]
    listed = [
        replace(entry, standing=Standing.OPEN, because=_named(seen), answerable=True, behind=True)
        if entry.advisory in seen.open
        else entry
        for entry in found
    ]
    known = {entry.advisory for entry in found}
    return (*listed, *(_unlisted(name, seen) for name in seen.open if name not in known))


def _unlisted(name: str, seen: Seen) -> Exposure:
    """An advisory of which Intel's collateral says that it is open, and of which nothing more is known here."""
    return Exposure(
        advisory=name,
        title="named by Intel's collateral; not described in this version's data",
        attacks=(),
        cves=(),
        published=None,
        data_of=None,
        source=SOURCE,
        standing=Standing.OPEN,
        because=_named(seen),
        answerable=True,
        behind=True,
    )


def _named(seen: Seen) -> str:
    """That Intel names it, and how old the matched levels are beside the newest ones."""
    newest = seen.said.newest if seen.said else None
    if seen.date is None or newest is None or newest <= seen.date:
        return NAMED
    return f"{NAMED}, of {seen.date:%Y-%m-%d}; the newest level is of {newest:%Y-%m-%d}"


def _tcb_info(seen: Seen, advisory: Advisory, _: Condition) -> Held:
    """Answered where Intel names the advisory, but for no level that the platform matches."""
    if advisory.id in seen.open:
        return Held(yes=False, says=_named(seen), level=True)
    said = seen.said
    if said is None or advisory.id not in said.named:
        number = f" (evaluation {said.evaluation})" if said else ""
        return Held(yes=None, says=f"Intel's TCB info{number} does not name it for any level")
    return Held(yes=True, says=f"Intel's TCB info of {said.issued:%Y-%m-%d} names it for lower levels only")


def _module(seen: Seen, _: Advisory, condition: Condition) -> Held:
    """The TDX module, by the version that Intel publishes for its MRSEAM, is one that has the fix."""
    version = seen.module
    if version is None:
        return Held(yes=None, says="the TDX module is of a version that this data cannot name")
    least = next((entry for entry in condition["module"] if _line(entry) == _line(version)), None)
    if least is None:
        return Held(yes=None, says=f"no fixed version of TDX module {_line(version)[0]}.{_line(version)[1]} is known")
    fixed = _number(version) >= _number(least)
    return Held(yes=fixed, says=f"TDX module {version}, answered since {least}", level=True)


def _service_td(seen: Seen, _: Advisory, condition: Condition) -> Held:
    """Whether a service TD is bound to the guest; quotes of version 4 do not say."""
    if seen.service is None:
        return Held(yes=None, says="a TD 1.0 body does not say which service TDs are bound")
    says = "a service TD is bound" if seen.service else "no service TD is bound"
    return Held(yes=seen.service is condition["service_td"], says=says)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _line(version: str) -> tuple[int, ...]:
    """Major and minor: each line of modules has fixes of its own."""
    return _number(version)[: _PARTS - 1]


_DECIDE: Final[dict[str, Callable[[Seen, Advisory, Condition], Held]]] = {
    "tcb_info": _tcb_info,
    "module": _module,
    "service_td": _service_td,
}


def is_judged(advisory: Advisory) -> bool:
    """Whether every condition of an advisory means something for a quote."""
    conditions = [condition for answer in advisory.answers for way in answer.ways for condition in way]
    return all(condition.kind in _DECIDE for condition in conditions)
