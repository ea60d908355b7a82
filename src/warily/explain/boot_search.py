"""Find boots that lead to a register's value: the known ones, then those in which events are others.

Registers are folds, so the state before an event is kept and only what comes after it is folded again. Boots that
agree about a register are searched once. Work is counted in hash calls, and bounded.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations, islice
from typing import Final

from warily.explain import words
from warily.explain.answer import ChangedInput
from warily.explain.boots import (
    Boot,
    LineForm,
    OtherFile,
    by_register,
    fold_digests,
    folded,
    form_of,
    label,
    said,
    same_place,
)
from warily.formats._record import record
from warily.measure.boot.event import BootEvent

MAX_STEPS: Final = 400_000  # hash calls: less than half a second
MOST_STEPS: Final = 1_000_000  # where nothing else is searched
OWN_STEPS: Final = 6  # of a candidate: what makes it (a command line in UTF-16 is long), and its own extension
MAX_PAIRS: Final = 1500  # alternatives of an event that are tried together with another's
_SIZES: Final = {20: ("sha1",), 32: ("sha256",), 48: ("sha384",), 64: ("sha512",)}

# What might be extended in the place of an event (None: nothing), and what that would mean: another command line, or
# what says it.
_Meaning = bytes | Callable[[], tuple[ChangedInput, ...]]
_Alternative = tuple[bytes | None, _Meaning]


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

    def find(
        self, target: bytes, *, register: str, near: bool, builds: frozenset[int] | None = None
    ) -> tuple[BootMatch, ...]:
        """The boots that lead to the value in a register, or in the named one: unchanged; with `near`, changed.

        `builds` (by `id`) are those to which the search is confined, where it is.
        """
        algorithms = _SIZES.get(len(target), ())
        if not near:
            return tuple(self._exact(target, algorithms, register))
        folds = tuple(self._folds(algorithms, register, builds))
        tried = _Tried(target, MOST_STEPS if register else MAX_STEPS)
        try:
            for tier in (_Fold.one, _Fold.two, _Fold.other_words, _Fold.two_words, _Fold.word_pairs, _Fold.three):
                found = [made for fold in folds for made in islice(tier(fold, tried), 1)]
                if found:
                    return tuple(found)
        except _TriedEnoughError:
            return ()
        finally:
            self.searched += tried.candidates
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

    def _folds(self, algorithms: Sequence[str], register: str, builds: frozenset[int] | None) -> Iterator["_Fold"]:
        """Each different way to fold a register, once."""
        seen = set()
        for boot in self._boots:
            if builds is not None and id(boot.build) not in builds:
                continue
            for algorithm in algorithms:
                if algorithm not in boot.algorithms:
                    continue
                for name, events in by_register(boot).items():
                    if register not in ("", name):
                        continue
                    fold = _Fold(self, boot, name, [event for _, event in events], algorithm)
                    if fold.key not in seen:
                        seen.add(fold.key)
                        yield fold

    def others(self, boot: Boot, event: BootEvent, algorithm: str) -> Iterator[_Alternative]:
        """The same event of other shapes, of other boots, of other files; and no such event."""
        seen = {event.digest(algorithm)}
        for digest, change in self._others(boot, event, algorithm):
            if digest not in seen:
                seen.add(digest)
                yield digest, change

    def _others(self, boot: Boot, event: BootEvent, algorithm: str) -> Iterator[_Alternative]:
        for at, other, change in boot.vary:
            if boot.events[at] is event:
                yield other.digest(algorithm) or b"", partial(tuple, (change,))
        for known in self._boots:
            for other in known.events:
                digest = other.digest(algorithm)
                if digest is not None and same_place(event, other):
                    yield digest, partial(_change, boot, event, known, other, algorithm)
        for file in self._files:
            digest = file.digests.get(algorithm)
            if digest is not None and file.ingredient == event.ingredient:
                yield digest, partial(_file_change, event, file, digest, algorithm)
        if event.digest(algorithm) is not None:
            gone = ChangedInput(name=label(event), was=said(event, algorithm), now="no such event")
            yield None, partial(tuple, (gone,))

    def lines(self, boot: Boot, form: LineForm, kind: Callable[..., Iterator[bytes]]) -> Iterator[_Alternative]:
        """The event of other command lines, as `kind` makes them."""
        digest = form.digest
        for line in kind(boot.line, self._words):
            yield digest(line), line


class _TriedEnoughError(Exception):
    """There is no time for more."""


class _Tried:
    """What is looked for, how many candidates were compared with it, and what that cost in hash calls."""

    def __init__(self, target: bytes, most: int) -> None:
        self.target, self.most, self.candidates, self.steps = target, most, 0, 0

    def count(self, steps: int) -> None:
        """Count a candidate of so many hash calls. Raises when there were enough."""
        self.candidates += 1
        self.steps += steps
        if self.steps > self.most:
            raise _TriedEnoughError


class _Fold:
    """One register of one boot, with the states before each event."""

    def __init__(self, search: BootSearch, boot: Boot, register: str, events: list[BootEvent], algorithm: str) -> None:
        self._search, self._boot, self._register = search, boot, register
        self._events, self._algorithm = events, algorithm
        self._digests = [event.digest(algorithm) for event in events]
        self._unknown = [at for at, digest in enumerate(self._digests) if digest is None]
        varied = tuple(change.now for at, _, change in boot.vary if boot.events[at] in events)
        self.key = (register, algorithm, tuple(self._digests), boot.line, varied, id(boot.build))

    def one(self, tried: _Tried) -> Iterator[BootMatch]:
        """Changes of one event that lead to the value."""
        for at, event in enumerate(self._events):
            if self._unknown in ([], [at]):
                yield from self._one(at, self._search.others(self._boot, event, self._algorithm), tried)
        yield from self._lines(words.likely, tried)

    def other_words(self, tried: _Tried) -> Iterator[BootMatch]:
        """One less likely change of the command line."""
        for kind in (words.moved, words.further):
            yield from self._lines(kind, tried)

    def two_words(self, tried: _Tried) -> Iterator[BootMatch]:
        """Two changes of one command line that lead to the value."""
        for kind in (words.few_pairs, words.two_changes):
            yield from self._lines(kind, tried)

    def word_pairs(self, tried: _Tried) -> Iterator[BootMatch]:
        """One unlikely change of the command line, or two less likely ones."""
        for kind in (words.unlikely, words.two_other_changes):
            yield from self._lines(kind, tried)

    def two(self, tried: _Tried) -> Iterator[BootMatch]:
        """Changes of two events that lead to the value."""
        choices = [self._choices(at) for at in range(len(self._events))]
        for first, second in combinations(range(len(self._events)), 2):
            if set(self._unknown) <= {first, second}:
                yield from self._pairs(first, second, choices[first], choices[second], tried)

    def three(self, tried: _Tried) -> Iterator[BootMatch]:
        """Two changes of the command line, and another file, that lead to the value."""
        for at, event in enumerate(self._events):
            form = form_of(event, self._boot, self._algorithm)
            for other in range(len(self._events)) if form is not None and not self._unknown else ():
                if other == at or form is None:
                    continue
                files = list(self._search.others(self._boot, self._events[other], self._algorithm))
                lines = list(islice(self._search.lines(self._boot, form, words.few_pairs), 10 * MAX_PAIRS))
                first, second = sorted((at, other))
                yield from self._pairs(
                    first, second, lines if first == at else files, files if first == at else lines, tried
                )

    def _lines(self, kind: Callable[..., Iterator[bytes]], tried: _Tried) -> Iterator[BootMatch]:
        for at, event in enumerate(self._events):
            form = None if self._unknown else form_of(event, self._boot, self._algorithm)
            if form is not None:
                yield from self._one(at, self._search.lines(self._boot, form, kind), tried)

    def _one(self, at: int, alternatives: Iterator[_Alternative], tried: _Tried) -> Iterator[BootMatch]:
        state = fold_digests(self._digests[:at], self._algorithm)
        yield from self._extended(state, self._digests[at + 1 :], alternatives, tried, ())

    def _extended(
        self,
        state: bytes | None,
        rest: list[bytes | None],
        alternatives: Iterable[_Alternative],
        tried: _Tried,
        before: tuple[_Meaning, ...],
    ) -> Iterator[BootMatch]:
        """What leads from the state to the value. Most of the time of a search is spent here."""
        after = [digest for digest in rest if digest is not None]
        if state is None or len(after) < len(rest):
            return
        make, target, cost = getattr(hashlib, self._algorithm), tried.target, len(rest) + OWN_STEPS
        for digest, meaning in alternatives:
            tried.count(cost)
            value = state if digest is None else make(state + digest).digest()
            for entry in after:
                value = make(value + entry).digest()
            if value == target:
                yield self._match((*before, meaning))

    def _choices(self, at: int) -> list[_Alternative]:
        event = self._events[at]
        found = list(islice(self._search.others(self._boot, event, self._algorithm), MAX_PAIRS))
        form = form_of(event, self._boot, self._algorithm)
        if form is not None:
            found += islice(self._search.lines(self._boot, form, words.plausible), MAX_PAIRS)
        return found

    def _pairs(
        self, first: int, second: int, ones: list[_Alternative], others: list[_Alternative], tried: _Tried
    ) -> Iterator[BootMatch]:
        start = fold_digests(self._digests[:first], self._algorithm)
        middle, rest = self._digests[first + 1 : second], self._digests[second + 1 :]
        for one, change in ones:
            between = fold_digests((*([] if one is None else [one]), *middle), self._algorithm, start)
            yield from self._extended(between, rest, others, tried, (change,))

    def _match(self, meanings: tuple[_Meaning, ...]) -> BootMatch:
        changes: list[ChangedInput] = []
        for meaning in meanings:
            changes += words.changes(self._boot.line, meaning) if isinstance(meaning, bytes) else meaning()
        return BootMatch(boot=self._boot, register=self._register, algorithm=self._algorithm, changes=tuple(changes))


def _file_change(event: BootEvent, file: OtherFile, digest: bytes, algorithm: str) -> tuple[ChangedInput, ...]:
    now = f"{file.name} {digest.hex()}"
    return (ChangedInput(name=label(event), was=said(event, algorithm), now=now),)


def _change(boot: Boot, event: BootEvent, known: Boot, other: BootEvent, algorithm: str) -> tuple[ChangedInput, ...]:
    if label(event) == words.COMMAND_LINE and boot.line != known.line:
        found = words.changes(boot.line, known.line)
        if found:
            return found
    whose = known.build.name
    differs = next((name for name, text in known.when.items() if boot.when.get(name) != text), "")
    if differs and known.build is boot.build:
        return (ChangedInput(name=differs, was=boot.when.get(differs, ""), now=known.when[differs]),)
    now = f"{said(other, algorithm)} of {whose}"
    return (ChangedInput(name=label(event), was=said(event, algorithm), now=now),)
