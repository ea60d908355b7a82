"""The registers of a measured boot for any shape, from a manifest's events; and in how many ways the host may do it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PredictedRegister
from warily.core.registers import Candidate, Prediction
from warily.core.shape_rules import EventRule, TdMemory, holds
from warily.errors import UsageError
from warily.formats._record import record
from warily.measure.boot.event import BootEvent
from warily.measure.boot.fold import Folded, Place, fold, pcr, rtmr
from warily.measure.mrtd import EXTENDED_LATER, EXTENDED_LATER_BECAUSE
from warily.measure.td_memory import td_hob_of

NEWEST: Final = "9999"  # what a QEMU is taken for whose version is not named
BOOT_RTMRS: Final = ("rtmr0", "rtmr1", "rtmr2")
ZEROS: Final = bytes(48)  # an RTMR that no event extends
USUAL: Final = "usual"

# What a manifest leaves open, by its `ingredient`: the events that somebody saw, such as those of a log.
Supplied = Mapping[str, Sequence[BootEvent]]


@record
class Shape:
    """What an image's author does not choose: processors, their CPU model, memory in bytes, the kind of host.

    `host` names a variant of data/snp_hosts.py, or on TDX one that the manifest names; empty: the usual one.
    `features` is SEV_FEATURES; None: the rule's. `qemu` is its version; None: that of today's.
    """

    vcpus: int
    cpu: str
    memory: int
    host: str = ""
    features: int | None = None
    qemu: tuple[int, ...] | None = None

    def known(self) -> dict[str, str]:
        """What conditions of shape rules are about."""
        return {
            "vcpus": str(self.vcpus),
            "cpu": self.cpu,
            "memory": str(self.memory),
            "host": self.host,
            "qemu": NEWEST if self.qemu is None else ".".join(map(str, self.qemu)),
        }


def boot_registers(
    manifest: Manifest, platform: Platform, shape: Shape, *, algorithm: str, supplied: Supplied
) -> Prediction:
    """The registers that the manifest's events lead to, those that it gives as they are, and on TDX all candidates.

    Raises `UsageError` for a host that the manifest does not name, and for rules that this version cannot judge.
    """
    td = platform is Platform.TDX
    place = rtmr if td else pcr
    rules = [rule for rule in manifest.events if rule.platform is platform]
    fixed = [entry for entry in manifest.registers if td and entry.platform is platform and _is_free(entry)]
    folded = _folded(rules, shape, supplied, algorithm, place)
    hosts = _hosts(rules, fixed) if td else {}
    if td and shape.host and shape.host not in hosts:
        msg = f"the manifest of {manifest.name} knows no host {shape.host!r} on {platform.value}"
        raise UsageError(msg, hint=f"it knows {', '.join(sorted(hosts)) or 'none'}")
    made: dict[tuple[str, bytes], Candidate] = {}
    for name, because, variant in _variants(rules, hosts, shape) if td else ():
        found = _folded(rules, variant, supplied, algorithm, place).registers
        for register, value in (_given(fixed, variant) | dict(found)).items():
            candidate = Candidate(name=name, register=register, value=value, because=because)
            made.setdefault((register, value), candidate)
    counts = Counter(register for register, _ in made)
    untouched = {name: ZEROS for name in BOOT_RTMRS if td and name not in folded.absent}
    return Prediction(
        registers=_given(fixed, shape) | untouched | dict(folded.registers),
        trace=folded.trace,
        candidates=tuple(made[key] for key in sorted(made, key=_register) if counts[key[0]] > 1),
        absent=tuple(folded.absent.items()),
    )


def ways(
    manifest: Manifest, platform: Platform, shape: Shape, *, supplied: Supplied
) -> Iterator[tuple[str, str, Shape, tuple[BootEvent, ...]]]:
    """Every way in which a host may boot the manifest's image: what it is called, because of what, shape, events."""
    rules = [rule for rule in manifest.events if rule.platform is platform]
    fixed = [entry for entry in manifest.registers if entry.platform is platform and _is_free(entry)]
    for name, because, variant in _variants(rules, _hosts(rules, fixed), shape):
        known = variant.known()
        applying = (rule for rule in rules if holds(rule.when, known))
        yield name, because, variant, tuple(event for rule in applying for event in _events(rule, variant, supplied))


def td_hob_digest(memory: TdMemory, size: int, algorithm: str) -> bytes:
    """What extends the register for the TD HOB of a machine with so much memory. Raises `UsageError`."""
    event = BootEvent(register=1, type=0, name="", ingredient="", hashed=td_hob_of(memory, size).measured)
    return event.digest(algorithm) or b""


def _register(key: tuple[str, bytes]) -> str:
    return key[0]


def _is_free(entry: PredictedRegister) -> bool:
    """Whether the value is for shapes of any size: those for one shape follow from the rules."""
    return not {"vcpus", "memory", "cpu"} & entry.when.keys()


def _given(fixed: Sequence[PredictedRegister], shape: Shape) -> dict[str, bytes]:
    """The registers that the manifest gives as they are; a later one that applies takes the place of an earlier."""
    known = shape.known()
    return {entry.register: entry.value for entry in fixed if holds(entry.when, known)}


def _hosts(rules: Sequence[EventRule], fixed: Sequence[PredictedRegister]) -> dict[str, str]:
    """The kinds of host that the manifest names, each with its reason."""
    found = {entry.when["host"]: "" for entry in fixed if entry.when.get("host")}
    found |= {rule.when["host"]: rule.because for rule in rules if rule.when.get("host")}
    return found | ({EXTENDED_LATER: EXTENDED_LATER_BECAUSE} if EXTENDED_LATER in found else {})


def _variants(rules: Sequence[EventRule], hosts: Mapping[str, str], shape: Shape) -> Iterator[tuple[str, str, Shape]]:
    """Name, reason and shape of every way in which a host may do it: the usual one, each other alone, two together."""
    yield USUAL, "as QEMU and Linux usually do it", replace(shape, host="")
    for host, because in hosts.items():
        yield host, because, replace(shape, host=host)
    older = {
        rule.when["qemu"]: rule.because
        for rule in rules
        if shape.qemu is None and rule.when.get("qemu", "").startswith("..") and rule.digests
    }
    for condition, because in older.items():
        past = replace(shape, qemu=(0,))
        name = f"qemu-before-{condition.removeprefix('..')}"
        yield name, because, past
        for host, too in hosts.items():
            yield f"{name} {host}", f"{because}; {too}", replace(past, host=host)


def _folded(rules: Sequence[EventRule], shape: Shape, supplied: Supplied, algorithm: str, place: Place) -> Folded:
    known = shape.known()
    applying = (rule for rule in rules if holds(rule.when, known))
    return fold((event for rule in applying for event in _events(rule, shape, supplied)), algorithm, place=place)


def _events(rule: EventRule, shape: Shape, supplied: Supplied) -> Iterator[BootEvent]:
    if rule.td_hob is None and not rule.digests and rule.ingredient in supplied:
        yield from supplied[rule.ingredient]
        return
    yield BootEvent(
        register=rule.register,
        type=rule.type,
        name=rule.name,
        ingredient=rule.ingredient,
        hashed=None if rule.td_hob is None else td_hob_of(rule.td_hob, shape.memory).measured,
        digests=rule.digests,
        because=rule.because,
    )
