"""Which known attacks an authentic SEV-SNP report excludes: what each condition of an advisory means for it."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from warily.core.advisory import Exposure
from warily.formats.snp_report import PlatformBit, PolicyBit, SnpReport, Tcb, TcbLayout
from warily.verify.advisories import Advisory, Condition, Facts, Held, advisories, judge
from warily.verify.snp.products import Product

PLATFORM: Final = "snp"
CPUID_SINCE: Final = 3  # report versions that brought the processor's model, and mitigation vectors
MITIGATIONS_SINCE: Final = 5
_PARTS: Final = {
    "fmc": "FMC",
    "bootloader": "boot loader",
    "tee": "TEE",
    "snp": "SNP firmware",
    "microcode": "microcode",
}
_VERSIONS: Final = ("reported", "committed", "current", "launch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A silicon line: parts whose microcode levels count alike."""

    name: str
    product: str
    models: tuple[int, int]
    steppings: tuple[int, ...]

    def may_be(self, seen: "Seen") -> bool:
        """Whether the report names a part of this line, or names none."""
        if seen.version < CPUID_SINCE:
            return True
        first, last = self.models
        return first <= seen.model <= last and (not self.steppings or seen.stepping in self.steppings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The fields of a report that advisories look at; `levels` are its TCB versions in the order of `_VERSIONS`."""

    product: str
    version: int
    model: int
    stepping: int
    policy: int
    platform_info: int
    levels: tuple[tuple[tuple[str, int], ...], ...]
    mitigations: tuple[tuple[str, int], ...]


@lru_cache(maxsize=1)
def lines() -> tuple[Line, ...]:
    """Every silicon line this version knows."""
    table = tomllib.loads(resources.files("warily.data").joinpath("snp_silicon.toml").read_text("utf-8"))
    return tuple(
        Line(
            name=entry["name"],
            product=entry["product"],
            models=(entry["models"][0], entry["models"][1]),
            steppings=tuple(entry.get("steppings", ())),
        )
        for entry in table["line"]
    )


def exposures(report: SnpReport, product: Product) -> tuple[Exposure, ...]:
    """Every advisory about SEV-SNP as it stands for an authentic report of `product`."""
    return _judged(
        product.kds,
        product.tcb,
        (report.version, report.cpuid_model, report.cpuid_stepping, report.policy, report.platform_info),
        (report.reported_tcb, report.committed_tcb, report.current_tcb, report.launch_tcb),
        (report.launch_mitigations, report.current_mitigations),
    )


@lru_cache(maxsize=256)  # a fleet has few kinds of machines
def _judged(
    product: str,
    layout: TcbLayout,
    said: tuple[int, int, int, int, int],
    tcbs: tuple[int, ...],
    vectors: tuple[int, int],
) -> tuple[Exposure, ...]:
    version, model, stepping, policy, platform_info = said
    seen = Seen(
        product=product,
        version=version,
        model=model,
        stepping=stepping,
        policy=policy,
        platform_info=platform_info,
        levels=tuple(tuple(Tcb.decode(value, layout).components().items()) for value in tcbs),
        mitigations=(("launch", vectors[0]), ("current", vectors[1])),
    )
    ours = [line for line in lines() if line.product == product]
    named = [line for line in ours if line.may_be(seen)] or ours
    facts = Facts(
        product=product,
        lines=tuple(line.name for line in named),
        holds=lambda _, condition: _DECIDE[condition.kind](seen, condition),
    )
    return tuple(judge(advisory, facts) for advisory in advisories() if advisory.platform == PLATFORM)


def _tcb(seen: Seen, condition: Condition) -> Held:
    """The least of the four TCB versions counts: the host can go back to the committed one."""
    part, least = condition["tcb"], condition["least"]
    name = _PARTS.get(part, part)
    levels = [dict(version).get(part) for version in seen.levels]
    known = [level for level in levels if level is not None]
    if len(known) != len(_VERSIONS):
        return Held(yes=None, says=f"no {name} level in this TCB")
    level = min(known)
    if level >= least:
        return Held(yes=True, says=f"{name} {level}, answered since {least}")
    behind = [which for which, value in zip(_VERSIONS, known, strict=True) if value < least]
    where = "" if len(behind) == len(_VERSIONS) else f" ({', '.join(behind)})"
    return Held(yes=False, says=f"{name} {level}{where}, answered since {least}", level=True)


def _mitigation(seen: Seen, condition: Condition) -> Held:
    bit = condition["mitigation"]
    if seen.version < MITIGATIONS_SINCE:
        return Held(yes=None, says=f"a report of version {seen.version} has no mitigation vector (bit {bit} is wanted)")
    missing = [which for which, vector in seen.mitigations if not vector >> bit & 1]
    if missing:
        return Held(yes=False, says=f"mitigation bit {bit} is clear ({', '.join(missing)})", level=True)
    return Held(yes=True, says=f"mitigation bit {bit} is set")


def _platform(seen: Seen, condition: Condition) -> Held:
    return _platform_bit(seen, condition["platform"], wanted=True)


def _platform_clear(seen: Seen, condition: Condition) -> Held:
    return _platform_bit(seen, condition["platform_clear"], wanted=False)


def _platform_bit(seen: Seen, name: str, *, wanted: bool) -> Held:
    is_set = bool(seen.platform_info & PlatformBit[name])
    return Held(yes=is_set is wanted, says=f"the platform {'says' if is_set else 'does not say'} {name}")


def _policy(seen: Seen, condition: Condition) -> Held:
    return _policy_bit(seen, condition["policy"], wanted=True)


def _policy_clear(seen: Seen, condition: Condition) -> Held:
    return _policy_bit(seen, condition["policy_clear"], wanted=False)


def _policy_bit(seen: Seen, name: str, *, wanted: bool) -> Held:
    is_set = bool(seen.policy & PolicyBit[name])
    return Held(yes=is_set is wanted, says=f"the guest's policy {'has' if is_set else 'lacks'} {name}")


_DECIDE: Final[dict[str, Callable[[Seen, Condition], Held]]] = {
    "tcb": _tcb,
    "mitigation": _mitigation,
    "platform": _platform,
    "platform_clear": _platform_clear,
    "policy": _policy,
    "policy_clear": _policy_clear,
}


def is_judged(advisory: Advisory) -> bool:
    """Whether every condition of an advisory means something for a report: its kind, its bits, its components."""
    names: dict[str, frozenset[str]] = {
        "tcb": frozenset(_PARTS),
        "platform": frozenset(PlatformBit.__members__),
        "platform_clear": frozenset(PlatformBit.__members__),
        "policy": frozenset(PolicyBit.__members__),
        "policy_clear": frozenset(PolicyBit.__members__),
    }
    conditions = [condition for answer in advisory.answers for way in answer.ways for condition in way]
    return all(
        condition.kind in _DECIDE
        and condition[condition.kind] in names.get(condition.kind, {condition[condition.kind]})
        for condition in conditions
    )
