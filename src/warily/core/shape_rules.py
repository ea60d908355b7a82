"""Shape rules: how registers follow from an image's ingredients once the shape of the machine is known.

A manifest carries them beside the ingredients, so that whoever holds it recomputes a register for any number of
processors, CPU model or kind of host, and need not have been told every value.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from warily.core.declaration import Platform
from warily.core.ranges import Range
from warily.errors import FormatError, UsageError
from warily.formats._json import JsonObject
from warily.formats._record import record
from warily.formats.ovmf import Section, SectionType

MAX_RULES: Final = 64
MAX_SECTIONS: Final = 64
MAX_EVENTS: Final = 1024
MAX_ACCEPTED: Final = 64
MAX_ADDRESS: Final = 1 << 52
MAX_DIGITS: Final = 20
SIZES: Final = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
# What a condition may be about; see `holds`.
CONDITIONS: Final = frozenset({"vcpus", "cpu", "memory", "qemu", "host"})
_BETWEEN: Final = ".."


@record
class LaunchRule:
    """How an SNP launch digest follows, on a platform whose processors start from `vmm`: all but the shape.

    `firmware` is the role of the firmware's ingredient, `firmware_gpa` where it lies and `seed` the register after it
    (48 bytes). `sections` are what is measured next, in order; kernel hashes go `hashes_offset` bytes into their
    page. `reset_eip` is where processors other than the first start; None: there can be no other. `features` is
    SEV_FEATURES.
    """

    platform: Platform
    vmm: str
    firmware: str
    firmware_gpa: int
    seed: bytes
    sections: tuple[Section, ...]
    hashes_offset: int
    reset_eip: int | None
    features: int

    def as_json(self) -> dict[str, object]:
        """The rule as manifests hold it."""
        return {
            "platform": self.platform.value,
            "vmm": self.vmm,
            "firmware": self.firmware,
            "firmware_gpa": self.firmware_gpa,
            "seed": self.seed.hex(),
            "sections": [
                {"gpa": section.gpa, "size": section.size, "type": section.type.name.lower()}
                for section in self.sections
            ],
            "hashes_offset": self.hashes_offset,
            "reset_eip": 0 if self.reset_eip is None else self.reset_eip,
            "features": self.features,
        }


@record
class TdMemory:
    """What the hand-off block list of a TD (TD HOB) needs to know of the firmware, for any size of memory.

    `hob` is the guest physical address of the list; `accepted` are the ranges that are accepted before the start.
    """

    hob: int
    accepted: tuple[Range, ...]

    def as_json(self) -> dict[str, object]:
        """The member `td_hob` of an event rule."""
        ranges = [{"start": part.start, "end": part.end} for part in self.accepted]
        return {"gpa": self.hob, "accepted": ranges}


@record
class EventRule:
    """An event of a measured boot that extends a register, for shapes that are as `when` says (see `holds`).

    `register` is a PCR index, `type` a TCG event type; `name` says what it is and `ingredient` what decides it.
    `digests` by algorithm are what extends the register, or `td_hob` leads to it once the memory is known. Where
    there is neither, `because` says why; else it may say why the event is of certain shapes alone.
    """

    platform: Platform
    register: int
    type: int
    name: str
    ingredient: str
    digests: Mapping[str, bytes]
    because: str
    when: Mapping[str, str]
    td_hob: TdMemory | None = None

    def as_json(self) -> dict[str, object]:
        """The rule as manifests hold it; `td_hob` only where there is one."""
        found: dict[str, object] = {
            "platform": self.platform.value,
            "register": self.register,
            "type": self.type,
            "name": self.name,
            "ingredient": self.ingredient,
            "digests": {name: value.hex() for name, value in self.digests.items()},
            "because": self.because,
            "when": dict(self.when),
        }
        return found if self.td_hob is None else found | {"td_hob": self.td_hob.as_json()}


def launch_rules(entries: Iterable[JsonObject]) -> Iterator[LaunchRule]:
    """The launch rules that JSON objects hold. Raises `FormatError`."""
    for entry in entries:
        yield LaunchRule(
            platform=platform_named(entry.text("platform")),
            vmm=entry.text("vmm"),
            firmware=entry.text("firmware"),
            firmware_gpa=entry.number("firmware_gpa"),
            seed=entry.hexadecimal("seed", width=48),
            sections=tuple(_sections(entry.objects("sections", limit=MAX_SECTIONS))),
            hashes_offset=entry.number("hashes_offset", high=4095),
            reset_eip=entry.number("reset_eip", high=(1 << 32) - 1) or None,
            features=entry.number("features", high=(1 << 64) - 1),
        )
        entry.finish()


def event_rules(entries: Iterable[JsonObject]) -> Iterator[EventRule]:
    """The event rules that JSON objects hold. Raises `FormatError`."""
    for entry in entries:
        digests, when = entry.object("digests"), entry.object("when")
        unknown = [name for name in digests.keys() if name not in SIZES]  # noqa: SIM118  # a JsonObject is no mapping
        if unknown:
            msg = f"{entry.what}: unknown hash algorithm {unknown[0]!r}"
            raise FormatError(msg)
        yield EventRule(
            platform=platform_named(entry.text("platform")),
            register=entry.number("register", high=23),
            type=entry.number("type", high=(1 << 32) - 1),
            name=entry.text("name"),
            ingredient=entry.text("ingredient"),
            digests=MappingProxyType(
                {name: digests.hexadecimal(name, width=SIZES[name]) for name in digests.keys()}  # noqa: SIM118  # likewise
            ),
            because=entry.text("because"),
            when=MappingProxyType({name: when.text(name) for name in when.keys()}),  # noqa: SIM118  # likewise
            td_hob=_td_memory(entry.object("td_hob")) if "td_hob" in entry else None,
        )
        entry.finish()


def holds(when: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Whether every condition of `when` is fulfilled by what is `known` of a shape, name by name.

    A condition is the value itself, or `LOW..HIGH`: at least LOW and below HIGH, either of which may be left out, as
    numbers with dots between (`..10.2`, `2952790016..`). What is not known fulfils nothing but a condition that is
    an empty text. Raises `UsageError` for a name that this version cannot judge, and for a bound that is no number.
    """
    strange = when.keys() - CONDITIONS
    if strange:
        msg = f"a shape rule for {min(strange)!r}, which this version does not know"
        raise UsageError(msg)
    return all(_holds(condition, known.get(name, "")) for name, condition in when.items())


def _holds(condition: str, value: str) -> bool:
    low, between, high = condition.partition(_BETWEEN)
    if not between:
        return condition == value
    if not value:
        return False
    at = _numbers(value)
    return (not low or _numbers(low) <= at) and (not high or at < _numbers(high))


def _numbers(text: str) -> tuple[int, ...]:
    words = text.split(".")
    if not all(word.isascii() and word.isdecimal() and len(word) < MAX_DIGITS for word in words):
        msg = f"a shape rule with {text[:40]!r} where numbers with dots between are expected"
        raise UsageError(msg)
    return tuple(map(int, words))


def platform_named(text: str) -> Platform:
    """The platform of that name. Raises `FormatError`."""
    try:
        return Platform(text)
    except ValueError:
        msg = f"manifest: unknown platform {text!r}"
        raise FormatError(msg) from None


def _td_memory(entry: JsonObject) -> TdMemory:
    ranges = []
    for part in entry.objects("accepted", limit=MAX_ACCEPTED):
        ranges.append(Range(part.number("start", high=MAX_ADDRESS), part.number("end", high=MAX_ADDRESS)))
        part.finish()
    made = TdMemory(hob=entry.number("gpa", high=MAX_ADDRESS), accepted=tuple(ranges))
    entry.finish()
    return made


def _sections(entries: Iterable[JsonObject]) -> Iterator[Section]:
    for entry in entries:
        name = entry.text("type").upper()
        if name not in SectionType.__members__:
            msg = f"{entry.what}: unknown section type {name.lower()!r}"
            raise FormatError(msg)
        yield Section(
            gpa=entry.number("gpa", high=(1 << 32) - 1),
            size=entry.number("size", high=64 << 20),
            type=SectionType[name],
        )
        entry.finish()
