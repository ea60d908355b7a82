"""Measured boots that are known: the events that a build leads to, and other events that could stand in their place."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from warily.core.declaration import Platform
from warily.core.shape_rules import EventRule, TdMemory
from warily.errors import FormatError, UsageError
from warily.explain.answer import ChangedInput
from warily.explain.builds import Build
from warily.formats._record import record
from warily.formats.tcg_log import type_name
from warily.measure.boot.event import BootEvent
from warily.measure.boot.fold import Place, pcr, rtmr
from warily.measure.shape_events import USUAL, Shape, Supplied, ways
from warily.measure.td_memory import td_hob_of

MAX_BOOTS: Final = 64
MAX_MEMORIES: Final = 16
GIB: Final = 1 << 30
MIB: Final = 1 << 20
# Sizes of memory that machines often have.
SIZES: Final = (
    *(count * 256 * MIB for count in range(1, 16)),
    *(count * GIB for count in (*range(1, 65), 72, 80, 96, 112, 120, 128, 160, 176, 192, 224, 240, 256, 320, 352, 384)),
    *(count * GIB for count in (448, 480, 512, 640, 704, 768, 896, 1024, 1408, 1536, 2048, 3072, 4096)),
)
_NOTHING: Final[Supplied] = MappingProxyType({})
_NO_SHAPE: Final[Mapping[str, str]] = MappingProxyType({})
COMMAND_LINE: Final = "command line"


@record
class OtherFile:
    """A file that may stand in the place of another: what decides the event (`initrd`, `kernel`), name, digests."""

    ingredient: str
    name: str
    digests: Mapping[str, bytes]


@record
class Boot:
    """One boot of a build. `platform` as manifests name it, or `tpm`; `when` is the shape. `line` is the command line.

    `because` says what else was assumed: a layout of events, a version of QEMU. `vary` are other events, for these
    shapes of the machine: (index of the event, the event instead, what changed).
    """

    build: Build
    platform: str
    events: tuple[BootEvent, ...]
    when: Mapping[str, str] = _NO_SHAPE
    because: str = ""
    line: bytes = b""
    vary: tuple[tuple[int, BootEvent, ChangedInput], ...] = ()

    @property
    def place(self) -> Place:
        """Which register stands for a PCR index here."""
        return rtmr if self.platform == Platform.TDX else pcr

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The hash algorithms of the registers."""
        return ("sha384",) if self.platform == Platform.TDX else ("sha256", "sha384", "sha1", "sha512")


def boots_of(build: Build, supplied: Supplied = _NOTHING) -> Iterator[Boot]:
    """The boots that a manifest's rules lead to, in every way in which a host may do it.

    `supplied` are events that the manifest leaves open, out of a log. A manifest whose rules cannot be judged has none.
    """
    manifest = build.manifest
    if manifest is None:
        return
    for platform in dict.fromkeys(rule.platform for rule in manifest.events):
        rules = [rule for rule in manifest.events if rule.platform is platform]
        memories = dict.fromkeys((manifest.memory, *_named_memories(rules)))
        found: dict[tuple[tuple[str, bytes | None], ...], Boot] = {}
        for memory in [*memories][:MAX_MEMORIES]:
            shape = Shape(vcpus=manifest.cpus, cpu=manifest.cpu, memory=memory)
            try:
                for name, because, _, events in ways(manifest, platform, shape, supplied=supplied):
                    boot = Boot(
                        build=build,
                        platform=platform.value,
                        events=events,
                        when={"memory": said_size(memory)},
                        because="" if name == USUAL else f"on a host of kind {name}: {because}",
                        line=manifest.command_line.encode(),
                        vary=tuple(_memories(rules, events, memory)),
                    )
                    key = tuple((event.name, event.digest(boot.algorithms[0])) for event in events)
                    found.setdefault(key, boot)
            except (UsageError, FormatError):
                continue
        yield from [*found.values()][:MAX_BOOTS]


def _named_memories(rules: Sequence[EventRule]) -> Iterator[int]:
    """Sizes of memory that conditions of rules name."""
    for rule in rules:
        text = rule.when.get("memory", "").strip(".")
        if text.isascii() and text.isdecimal():
            yield int(text)


def _memories(
    rules: Sequence[EventRule], events: Sequence[BootEvent], memory: int
) -> Iterator[tuple[int, BootEvent, ChangedInput]]:
    """The event of the hand-off block list, for other sizes of memory."""
    rule = next((rule for rule in rules if rule.td_hob is not None), None)
    at = next((at for at, event in enumerate(events) if rule and event.name == rule.name), None)
    if rule is None or rule.td_hob is None or at is None:
        return
    yield from memories_at(at, events[at], hobs(rule.td_hob), memory)


@lru_cache(maxsize=8)
def hobs(firmware: TdMemory) -> Mapping[int, bytes]:
    """The SHA-384 of the hand-off block list of a TD, by usual sizes of memory."""
    found = {}
    for size in SIZES:
        try:
            found[size] = hashlib.sha384(td_hob_of(firmware, size).measured).digest()
        except (UsageError, FormatError):
            continue  # too little for the firmware
    return found


def memories_at(
    at: int, event: BootEvent, hobs: Mapping[int, bytes], memory: int
) -> Iterator[tuple[int, BootEvent, ChangedInput]]:
    """The event at this place for other sizes of memory; `hobs` has the SHA-384 of the hand-off block list of each."""
    was = said_size(memory)
    for size, digest in hobs.items():
        if size != memory:
            other = BootEvent(
                register=event.register,
                type=event.type,
                name=event.name,
                ingredient="memory",
                digests={"sha384": digest},
            )
            yield at, other, ChangedInput(name="memory", was=was, now=said_size(size))


def said_size(size: int) -> str:
    """A size in the largest unit that it is a whole number of."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB")):
        if size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def folded(boot: Boot, algorithm: str) -> dict[str, bytes]:
    """The registers that every event of which is known."""
    found: dict[str, bytes] = {}
    for register, events in by_register(boot).items():
        value = fold_digests((event.digest(algorithm) for _, event in events), algorithm)
        if value is not None:
            found[register] = value
    return found


def by_register(boot: Boot) -> dict[str, list[tuple[int, BootEvent]]]:
    """The events that extend each register, with their place in the list."""
    found: dict[str, list[tuple[int, BootEvent]]] = {}
    for at, event in enumerate(boot.events):
        register = boot.place(event.register)
        if register is not None and event.extends:
            found.setdefault(register, []).append((at, event))
    return found


def fold_digests(digests: Iterable[bytes | None], algorithm: str, start: bytes | None = None) -> bytes | None:
    """The register after these digests; None where one is not known."""
    make = getattr(hashlib, algorithm)
    value: bytes = bytes(make().digest_size) if start is None else start
    for digest in digests:
        if digest is None:
            return None
        value = make(value + digest).digest()
    return value


def same_place(event: BootEvent, other: BootEvent) -> bool:
    """Whether one event could stand where the other stands."""
    if (event.register, event.type) != (other.register, other.type):
        return False
    return event.name == other.name or (event.ingredient != "" and event.ingredient == other.ingredient)


def said(event: BootEvent, algorithm: str) -> str:
    """An event in a few words, with its digest."""
    digest = event.digest(algorithm)
    return f"{event.name} {digest.hex()}" if digest else event.name


def label(event: BootEvent) -> str:
    """What decides an event, as the name of an input."""
    return event.ingredient or event.name or type_name(event.type)


class LineForm:
    """How an event hashes a command line, found out by the one digest that is known."""

    def __init__(self, before: str, after: str, encoding: str, tail: bytes, algorithm: str) -> None:
        self._algorithm = algorithm
        self._make = getattr(hashlib, algorithm)
        self._before = before.encode(encoding)
        self._after = after.encode(encoding) + tail
        self._encoding = encoding

    def digest(self, line: bytes) -> bytes:
        """What the event of another command line would extend."""
        text = line if self._encoding == "utf-8" else line.decode("utf-8", "replace").encode(self._encoding, "replace")
        found: bytes = self._make(self._before + text + self._after).digest()
        return found


_FORMS: Final = tuple(
    (before, after, encoding, tail)
    for before, after in (("", ""), ("initrd=initrd ", ""), ("", " initrd=initrd"), ("kernel_cmdline: ", ""))
    for encoding, tail in (("utf-16-le", b"\0\0"), ("utf-8", b"\0"), ("utf-8", b""), ("utf-16-le", b""))
)


def line_form(digest: bytes, line: bytes, algorithm: str) -> LineForm | None:
    """The form in which the digest is of this command line; None where it is in none."""
    forms = (LineForm(*form, algorithm) for form in _FORMS)
    return next((form for form in forms if form.digest(line) == digest), None)


def form_of(event: BootEvent, boot: Boot, algorithm: str) -> LineForm | None:
    """The form in which the event hashes the boot's command line; None where it is about something else."""
    digest = event.digest(algorithm)
    return None if digest is None or not boot.line else line_form(digest, boot.line, algorithm)
