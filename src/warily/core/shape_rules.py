"""Shape rules: how registers follow from an image's ingredients once the shape of the machine is known.

A manifest carries them beside the ingredients, so that whoever holds it recomputes a register for any number of
processors, CPU model or kind of host, and need not have been told every value.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from warily.core.declaration import Platform
from warily.errors import FormatError
from warily.formats._json import JsonObject
from warily.formats._record import record
from warily.formats.ovmf import Section, SectionType

MAX_RULES: Final = 64
MAX_SECTIONS: Final = 64
MAX_EVENTS: Final = 1024
SIZES: Final = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


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
class EventRule:
    """An event of a measured boot that extends a register, for shapes that are as `when` says (name → value, text).

    `register` is a PCR index, `type` a TCG event type; `name` says what it is and `ingredient` what decides it.
    `digests` by algorithm are what extends the register; where there are none, `because` says why.
    """

    platform: Platform
    register: int
    type: int
    name: str
    ingredient: str
    digests: Mapping[str, bytes]
    because: str
    when: Mapping[str, str]

    def as_json(self) -> dict[str, object]:
        """The rule as manifests hold it."""
        return {
            "platform": self.platform.value,
            "register": self.register,
            "type": self.type,
            "name": self.name,
            "ingredient": self.ingredient,
            "digests": {name: value.hex() for name, value in self.digests.items()},
            "because": self.because,
            "when": dict(self.when),
        }


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
        )
        entry.finish()


def platform_named(text: str) -> Platform:
    """The platform of that name. Raises `FormatError`."""
    try:
        return Platform(text)
    except ValueError:
        msg = f"manifest: unknown platform {text!r}"
        raise FormatError(msg) from None


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
