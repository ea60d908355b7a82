"""Find boots that lead to a register's value: the known ones, then those in which one event or two are others.

Registers are folds, so the state before an event is kept and only what comes after it is folded again.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, combinations
from typing import Final

from warily.explain import words
from warily.explain.answer import ChangedInput
from warily.explain.boots import (
    Boot,
    OtherFile,
    by_register,
    fold_digests,
    folded,
    label,
    line_digests,
    said,
    same_place,
)
from warily.formats._record import record
from warily.measure.boot.event import BootEvent

MAX_TRIED: Final = 200_000
MAX_PAIRS: Final = 1500  # alternatives of an event that are tried together with another's
_SIZES: Final = {20: ("sha1",), 32: ("sha256",), 48: ("sha384",), 64: ("sha512",)}


@record
class BootMatch:
    """A boot whose register has the value once the changes are made."""

    boot: Boot
    register: str
    algorithm: str
    changes: tuple[ChangedInput, ...]


class BootSearch:
    """The boots near the known ones. `searched` counts candidates."""

    def __init__(self, boots: Sequence[Boot], lines: Sequence[bytes], files: Sequence[OtherFile] = ()) -> None:
        self._boots, self._files = tuple(boots), tuple(files)
        self._words = words.all_words((*lines, *(boot.line for boot in boots)))
        self.searched = 0

    def find(self, target: bytes, *, register: str, near: bool) -> tuple[BootMatch, ...]:
        """The boots that lead to the value in a register, or in the named one: unchanged; with `near`, changed."""
        algorithms = _SIZES.get(len(target), ())
        if not near:
            return tuple(self._exact(target, algorithms, register))
        for count in (1, 2):
            found = tuple(self._changed(target, algorithms, register, count))
            if found:
                return found
        return ()

    def _exact(self, target: bytes, algorithms: Sequence[str], register: str) -> Iterator[BootMatch]:
        for boot in self._boots:
            for algorithm in algorithms:
                if algorithm not in boot.algorithms:
                    continue
                for name, value in folded(boot, algorithm).items():
                    self.searched += 1
                    if value == target and register in ("", name):
                        yield BootMatch(boot=boot, register=name, algorithm=algorithm, changes=())

    def _changed(self, target: bytes, algorithms: Sequence[str], register: str, count: int) -> Iterator[BootMatch]:
        for boot in self._boots:
            for algorithm in algorithms:
                if algorithm not in boot.algorithms:
                    continue
                for name, events in by_register(boot).items():
                    if register not in ("", name):
                        continue
                    search = _Register(self, boot, [event for _, event in events], algorithm)
                    for changes in (
                        search.one(target) if count == 1 else chain(search.two(target), search.two_words(target))
                    ):
                        yield BootMatch(boot=boot, register=name, algorithm=algorithm, changes=changes)
                        break

    def alternatives(self, boot: Boot, event: BootEvent, algorithm: str) -> Iterator[tuple[bytes | None, ChangedInput]]:
        """What might be extended instead of this event's digest; None: nothing."""
        seen = {event.digest(algorithm)}
        for digest, change in chain(self._others(boot, event, algorithm), self._other_lines(boot, event, algorithm)):
            if digest not in seen:
                seen.add(digest)
                yield digest, change

    def _others(self, boot: Boot, event: BootEvent, algorithm: str) -> Iterator[tuple[bytes | None, ChangedInput]]:
        """The same event of other shapes, of other boots, of other files; and no such event."""
        for at, other, change in boot.vary:
            if boot.events[at] is event:
                yield other.digest(algorithm) or b"", change
        for known in self._boots:
            for other in known.events:
                digest = other.digest(algorithm)
                if digest is not None and same_place(event, other):
                    yield digest, _change(boot, event, known, other, algorithm)
        for file in self._files:
            digest = file.digests.get(algorithm)
            if digest is not None and file.ingredient == event.ingredient:
                now = f"{file.name} {digest.hex()}"
                yield digest, ChangedInput(name=label(event), was=said(event, algorithm), now=now)
        if event.digest(algorithm) is not None:
            yield None, ChangedInput(name=label(event), was=said(event, algorithm), now="no such event")

    def _other_lines(self, boot: Boot, event: BootEvent, algorithm: str) -> Iterator[tuple[bytes, ChangedInput]]:
        for kind in (words.likely, words.further):
            for digest, line in line_digests(boot, event, algorithm, partial(kind, known=self._words)):
                yield digest, _word(boot.line, line)

    def two_words(self, boot: Boot, event: BootEvent, algorithm: str) -> Iterator[tuple[bytes, bytes]]:
        """(digest, line) of the event for command lines that differ by two changes."""
        for kind in (words.two_changes, words.two_other_changes):
            yield from line_digests(boot, event, algorithm, partial(kind, known=self._words))


class _Register:
    """One register of one boot, with the states before each event."""

    def __init__(self, search: BootSearch, boot: Boot, events: list[BootEvent], algorithm: str) -> None:
        self._search, self._boot, self._events, self._algorithm = search, boot, events, algorithm
        self._digests = [event.digest(algorithm) for event in events]
        self._unknown = [at for at, digest in enumerate(self._digests) if digest is None]

    def one(self, target: bytes) -> Iterator[tuple[ChangedInput, ...]]:
        """Changes of one event that lead to the value."""
        for at, event in enumerate(self._events):
            if self._unknown not in ([], [at]):
                continue
            state = fold_digests(self._digests[:at], self._algorithm)
            rest = self._digests[at + 1 :]
            for digest, change in self._search.alternatives(self._boot, event, self._algorithm):
                self._search.searched += 1
                if self._search.searched > MAX_TRIED:
                    return
                made = (digest, *rest) if digest is not None else rest
                if fold_digests(made, self._algorithm, state) == target:
                    yield (change,)

    def two_words(self, target: bytes) -> Iterator[tuple[ChangedInput, ...]]:
        """Two changes of one command line that lead to the value."""
        for at, event in enumerate(self._events):
            if self._unknown:
                return
            state = fold_digests(self._digests[:at], self._algorithm)
            rest = self._digests[at + 1 :]
            for digest, line in self._search.two_words(self._boot, event, self._algorithm):
                self._search.searched += 1
                if fold_digests((digest, *rest), self._algorithm, state) == target:
                    yield words.changes(self._boot.line, line)

    def two(self, target: bytes) -> Iterator[tuple[ChangedInput, ...]]:
        """Changes of two events that lead to the value."""
        choices = []
        for event in self._events:
            found = self._search.alternatives(self._boot, event, self._algorithm)
            choices.append([entry for entry, _ in zip(found, range(MAX_PAIRS), strict=False)])
        for first, second in combinations(range(len(self._events)), 2):
            if not set(self._unknown) <= {first, second}:
                continue
            start = fold_digests(self._digests[:first], self._algorithm)
            for a, one in choices[first]:
                between = fold_digests(
                    (*([] if a is None else [a]), *self._digests[first + 1 : second]), self._algorithm, start
                )
                for b, other in choices[second]:
                    self._search.searched += 1
                    if self._search.searched > MAX_TRIED:
                        return
                    made = (*([] if b is None else [b]), *self._digests[second + 1 :])
                    if between is not None and fold_digests(made, self._algorithm, between) == target:
                        yield (one, other)


def _word(before: bytes, after: bytes) -> ChangedInput:
    """The one change between two command lines."""
    found = words.changes(before, after)
    return found[0] if found else ChangedInput(name=words.COMMAND_LINE, was="", now="")


def _change(boot: Boot, event: BootEvent, known: Boot, other: BootEvent, algorithm: str) -> ChangedInput:
    if label(event) == words.COMMAND_LINE and boot.line != known.line:
        found = words.changes(boot.line, known.line)
        if len(found) == 1:
            return found[0]
    whose = known.build.name
    differs = next((f"{name} {text}" for name, text in known.when.items() if boot.when.get(name) != text), "")
    if differs and known.build is boot.build:
        name = differs.partition(" ")[0]
        return ChangedInput(name=name, was=boot.when.get(name, ""), now=known.when[name])
    return ChangedInput(name=label(event), was=said(event, algorithm), now=f"{said(other, algorithm)} of {whose}")
