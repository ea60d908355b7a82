"""Two lists of boot events compared, one by one: logs of machines, or what a build is predicted to log.

Registers are compared apart, since only the order within one matters; the first divergence is the one that
comes first in the log.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain, islice, zip_longest
from typing import Final

from warily.core.registers import HASHES
from warily.explain import words
from warily.explain.answer import ChangedInput
from warily.explain.boots import Boot, line_form
from warily.explain.vendor import known_values
from warily.formats._record import record
from warily.formats.tcg_log import EventLog, EventType, type_name
from warily.formats.uefi_events import GRUB_COMMAND_LINE, explain, text_of
from warily.measure.boot.from_log import ACPI_DATA, is_of_td

MAX_EVENTS: Final = 4096
MAX_ALIGNED: Final = 1 << 16  # pairs of events: what is longer is compared place by place
MAX_LINES: Final = 40_000
MEASUREMENT_REGISTERS: Final = ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3")
PREFERRED: Final = (0x000C, 0x000B, 0x0004, 0x000D)
_OPTIONS: Final = b"LOADED_IMAGE::LoadOptions"


@record
class Line:
    """One event: where it is in its log (from 1; 0: nowhere), its register, type, digest, and what it means.

    `text` is the command line where the event shows one.
    """

    at: int
    register: str
    type: int
    digest: bytes | None
    means: str
    text: bytes = b""

    def as_json(self) -> dict[str, object]:
        """The event as `--json` prints it."""
        return {
            "event": self.at,
            "register": self.register,
            "type": type_name(self.type),
            "digest": self.digest.hex() if self.digest else None,
            "means": self.means,
        }


@record
class Divergence:
    """An event of one list and what the other has in its place; None: nothing. `inputs` are what differs in them."""

    register: str
    was: Line | None
    now: Line | None
    inputs: tuple[ChangedInput, ...]

    def as_json(self) -> dict[str, object]:
        """The divergence as `--json` prints it."""
        return {
            "register": self.register,
            "was": self.was.as_json() if self.was else None,
            "is": self.now.as_json() if self.now else None,
            "inputs": [entry.as_json() for entry in self.inputs],
        }


def lines_of_log(log: EventLog, algorithm: int | None = None) -> tuple[Line, ...]:
    """The events of a log that extend a register, in the bank of `algorithm`, or the best that it has."""
    bank = algorithm or next((number for number in PREFERRED if number in dict(log.algorithms)), 0)
    measured = is_of_td(log) or _is_ccel(log)
    tables = _acpi_names(event.data for event in log.events)
    found = []
    for at, event in enumerate(log.events, 1):
        if not event.extends or at > MAX_EVENTS:
            continue
        register = MEASUREMENT_REGISTERS[event.register] if measured and event.register < 5 else f"pcr{event.register}"  # noqa: PLR2004  # MRTD and four RTMRs
        found.append(
            Line(
                at=at,
                register=register,
                type=event.type,
                digest=event.digest(bank),
                means=tables.get(at) or _means(event.type, event.data, event.digest(bank), HASHES.get(bank, "")),
                text=_command_line(event.type, event.data),
            )
        )
    return tuple(found)


def _acpi_names(data: Iterable[bytes]) -> dict[int, str]:
    """What QEMU's ACPI events are, which all say the same of themselves: by their order (OvmfPkg AcpiPlatformDxe)."""
    places = [at for at, said in enumerate(data, 1) if said == ACPI_DATA]
    names = {3: ("table-loader", "rsdp", "tables"), 4: ("table-loader", "rsdp", "TPM log area", "tables")}
    return {at: f"ACPI {name}" for at, name in zip(places, names.get(len(places), ()), strict=False)}


def lines_of_boot(boot: Boot, algorithm: str) -> tuple[Line, ...]:
    """The events that a build is predicted to log; `mrtd` and registers that the platform lacks are left out."""
    tables = _acpi_names(event.data for event in boot.events)
    found = []
    for at, event in enumerate(boot.events, 1):
        register = boot.place(event.register)
        if register is not None and event.extends:
            digest = event.digest(algorithm)
            means = tables.get(at, event.name) if digest else f"{event.name}: {event.because}"
            text = boot.line if event.ingredient == words.COMMAND_LINE else b""
            found.append(Line(at=at, register=register, type=event.type, digest=digest, means=means, text=text))
    return tuple(found)


def compare(
    before: Sequence[Line], after: Sequence[Line], *, vocabulary: Sequence[bytes] = (), line: bytes = b""
) -> tuple[Divergence, ...]:
    """What differs, in the order of the log: first by the place in `after`, else in `before`.

    Where an event of `before` is about a command line that is known, the words that the other digest is of are looked
    for with a `vocabulary`, and not without. An event whose digest is not predicted matches any event of its type.
    """
    registers = dict.fromkeys(entry.register for entry in (*before, *after))
    found = [
        made
        for register in registers
        for made in _in_register(
            register,
            [entry for entry in before if entry.register == register],
            [entry for entry in after if entry.register == register],
            (tuple(vocabulary), line),
        )
    ]
    return tuple(sorted(found, key=_order))


def _order(entry: Divergence) -> int:
    place = entry.now or entry.was
    return place.at if place else 0


def _in_register(
    register: str, before: list[Line], after: list[Line], known: tuple[tuple[bytes, ...], bytes]
) -> Iterator[Divergence]:
    for a, b, c, d in _unequal([_key(entry) for entry in before], [_key(entry) for entry in after]):
        for was, now in _paired(before[a:b], after[c:d]):
            if was and now and was.digest is None and was.type == now.type:
                continue  # nobody could predict this one
            yield Divergence(register=register, was=was, now=now, inputs=_inputs(was, now, known))


def _unequal(before: list[bytes], after: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """The ranges that differ, as `SequenceMatcher` has them; place by place where the lists are too long for it."""
    same = next(
        (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    if (len(before) - same) * (len(after) - same) > MAX_ALIGNED:
        pairs = zip_longest(before[same:], after[same:])
        for at, (was, now) in enumerate(pairs, same):
            if was != now:
                yield at, at + (was is not None), at, at + (now is not None)
        return
    for kind, a, b, c, d in SequenceMatcher(None, before[same:], after[same:], autojunk=False).get_opcodes():
        if kind != "equal":
            yield a + same, b + same, c + same, d + same


def _paired(gone: list[Line], come: list[Line]) -> Iterator[tuple[Line | None, Line | None]]:
    """Events that stand for each other: of the same type and about the same thing, else of the same type."""
    left = list(come)
    pairs: dict[int, Line] = {}
    for close in (True, False):
        for was in gone:
            if was.at in pairs:
                continue
            match = next(
                (now for now in left if now.type == was.type and (not close or _about(was) == _about(now))), None
            )
            if match is not None:
                pairs[was.at] = match
                left.remove(match)
    for was in gone:
        yield was, pairs.get(was.at)
    for now in left:
        yield None, now


def _about(line: Line) -> str:
    return line.means.partition(" = ")[0].partition(", ")[0].partition(":")[0]


def _key(line: Line) -> bytes:
    return line.digest or f"{line.at} {line.means}".encode()


def _inputs(was: Line | None, now: Line | None, known: tuple[tuple[bytes, ...], bytes]) -> tuple[ChangedInput, ...]:
    """The words that differ, where the events are about a command line; else what the events mean."""
    if was and now:
        line = now.text or _line_of(was, now, known)
        if was.text and line:
            return words.changes(was.text, line)
    name = (was or now).means if (was or now) else ""  # type: ignore[union-attr]  # one is there
    return (ChangedInput(name=name.partition(":")[0], was=_said(was), now=_said(now)),)


def _line_of(was: Line, now: Line, known: tuple[tuple[bytes, ...], bytes]) -> bytes:
    """The command line that another digest is of, found by trying lines near the known one; empty where none is."""
    if not (was.text and was.digest and now.digest) or len(was.digest) != len(now.digest):
        return b""
    algorithm = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}[len(was.digest)]
    form = line_form(was.digest, was.text, algorithm) if known[0] else None
    if form is None:
        return b""
    kinds = (words.likely, words.moved, words.few_pairs, words.further, words.unlikely, words.two_changes)
    tried = chain.from_iterable(kind(was.text, known[0]) for kind in kinds)
    return next((line for line in islice(tried, MAX_LINES) if form.digest(line) == now.digest), b"")


def _said(line: Line | None) -> str:
    if line is None:
        return "no such event"
    return f"{line.means} ({line.digest.hex()[:16]}…)" if line.digest else line.means


def _means(kind: int, data: bytes, digest: bytes | None, algorithm: str) -> str:
    """What an event means: by its data, and by its digest where that is a well-known one."""
    said = explain(kind, data)
    published = (known for known in known_values(digest) if known.fields["source"] != "computed") if digest else ()
    said += "".join(f" [{known.sentence}]" for known in islice(published, 1))
    hashes_data = kind in (EventType.SEPARATOR, EventType.EFI_ACTION) and digest and algorithm
    if hashes_data and hashlib.new(algorithm, data).digest() != digest:
        said = f"{said} [not what was measured]"
    return said


def _command_line(kind: int, data: bytes) -> bytes:
    """The command line that an event's data shows: GRUB's, or a text with several words of a boot stub."""
    if kind == EventType.IPL:
        text = data.rstrip(b"\0")
        for prefix in (GRUB_COMMAND_LINE.encode(), b"grub_kernel_cmdline ", b"grub_cmd: linux "):
            if text.startswith(prefix):
                return text[len(prefix) :]
        said = text_of(data)
        return said.encode() if "=" in said and " " in said else b""
    return b""


def _is_ccel(log: EventLog) -> bool:
    """Whether only a TD can have made the log: SHA-384 alone, and no register beyond RTMR3."""
    alone = [number for number, _ in log.algorithms] == [0x000C]
    return alone and all(event.register < len(MEASUREMENT_REGISTERS) for event in log.events)


def registers_of(lines: Iterable[Line]) -> dict[str, bytes]:
    """The registers that the events lead to, from zeros; only those of which every digest is known."""
    found: dict[str, bytes] = {}
    bad: set[str] = set()
    for line in lines:
        if line.digest is None:
            bad.add(line.register)
            continue
        algorithm = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}.get(len(line.digest))
        if algorithm is None:
            bad.add(line.register)
            continue
        start = found.get(line.register, bytes(len(line.digest)))
        found[line.register] = hashlib.new(algorithm, start + line.digest).digest()
    return {name: value for name, value in found.items() if name not in bad}


def shared_bank(before: EventLog, after: EventLog) -> int | None:
    """The best hash algorithm that two logs have in common, as TPM_ALG_ID; None without one."""
    shared = dict(before.algorithms).keys() & dict(after.algorithms).keys()
    return next((number for number in PREFERRED if number in shared), None)
