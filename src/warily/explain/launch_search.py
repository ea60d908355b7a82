"""Find launches that give a digest: the known ones in every shape, then those that differ in one input, then in two.

An equal digest is a proof that the inputs found are those that were measured; the order only decides which of
several explanations comes first, and how long it takes. Work is counted in hash calls, and bounded.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from warily.explain import words
from warily.explain.alternatives import Parts, files, machines
from warily.explain.launch import MAX_COUNT, Chains, Launch, Line
from warily.formats._record import record
from warily.measure.snp_hosts import hosts
from warily.measure.vmsa import Vmm

MAX_STEPS: Final = 2_000_000  # hash calls: a second and a half
FEW: Final = 16  # processors that are tried together with another line


@record
class Match:
    """A launch that gives the digest, and the known launch that it was found from."""

    known: Launch
    found: Launch


# A candidate: its digest, and the launch with another line or count of processors where these are not None.
_Candidate = tuple[bytes, Launch, bytes | None, int | None]


class LaunchSearch:
    """The launches near the known ones, by digest. What one question made is kept for the next.

    `searched` counts the candidates so far.
    """

    def __init__(self, known: Sequence[Launch], parts: Parts) -> None:
        self._known, self._parts = tuple(known), parts
        self._chains = Chains()
        self._found: dict[bytes, tuple[Launch, Launch, bytes | None, int | None]] = {}
        self._shapes: dict[bytes, list[tuple[Launch, str, int]]] | None = None
        self._more = self._candidates()

    @property
    def searched(self) -> int:
        """How many candidates were compared so far."""
        return self._chains.searched

    def as_known(self, target: bytes) -> tuple[Match, ...]:
        """Known launches that give the digest for some number of processors and kind of host, declared ones first."""
        if self._shapes is None:
            self._shapes = self._all_shapes()
        found = (
            Match(known=launch, found=launch.but(host=host, vcpus=count))
            for launch, host, count in self._shapes.get(target, ())
        )
        return tuple(sorted(found, key=lambda match: match.found != match.known))

    def _all_shapes(self) -> dict[bytes, list[tuple[Launch, str, int]]]:
        """Digest → the launch, the kind of host and the number of processors, of every shape of the known launches."""
        made: dict[bytes, list[tuple[Launch, str, int]]] = {}
        for launch in self._known:
            loaded = self._chains.loaded(launch)
            for at, host in enumerate(hosts(Vmm(launch.firmware.rule.vmm), svsm=False)):
                name = host.name if at else ""
                processors = self._chains.processors(launch.but(host=name))
                for count, value in enumerate(self._chains.counts(loaded, processors), 1):
                    made.setdefault(value, []).append((launch, name, count))
        return made

    def changed(self, target: bytes) -> Match | None:
        """A launch that gives the digest and differs from a known one in as few inputs as were found: one, or two."""
        if target not in self._found:
            for known, (value, launch, line, count) in self._more:
                self._found.setdefault(value, (known, launch, line, count))
                if value == target:
                    break
            else:
                return None
        known, launch, line, count = self._found[target]
        values = {} if line is None else {"line": line}
        return Match(known=known, found=launch.but(**values, **({} if count is None else {"vcpus": count})))

    def _candidates(self) -> Iterator[tuple[Launch, _Candidate]]:
        """All candidates in order, until the work is done."""
        for tier in (
            _one_file,
            _one_likely_line,
            _machine_pairs,
            _file_pairs,
            _one_other_line,
            _line_and_machine,
            _line_and_file,
            _line_pairs,
            _other_line_pairs,
        ):
            for launch in self._known:
                for candidate in tier(launch, self._parts, self._chains):
                    yield launch, candidate
                    if self._chains.steps > MAX_STEPS:
                        return


def _counts(
    launch: Launch, loaded: bytes, chains: Chains, most: int, line: bytes | None = None
) -> Iterator[_Candidate]:
    for count, value in enumerate(chains.counts(loaded, chains.processors(launch), most), 1):
        yield value, launch, line, count


def _one_file(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """One file, or one property of the machine."""
    loaded = chains.loaded(launch)
    yield from _counts(launch, loaded, chains, MAX_COUNT)
    for other in machines(launch, parts, bits=2):
        yield chains.value(loaded, chains.processors(other), launch.vcpus), other, None, None
    for other in files(launch, parts):
        yield chains.of(other), other, None, None
    yield from _lines(launch, chains, iter(parts.lines))


def _one_likely_line(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """One likely change of the command line."""
    yield from _lines(launch, chains, words.likely(launch.line, parts.words))


def _one_other_line(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """One less likely change of the command line."""
    yield from _lines(launch, chains, words.further(launch.line, parts.words))


def _lines(launch: Launch, chains: Chains, given: Iterator[bytes]) -> Iterator[_Candidate]:
    lines, processors = Line(chains, launch), chains.processors(launch)
    for line in given if lines.moves else ():
        yield chains.value(lines.loaded(line), processors, launch.vcpus), launch, line, None


def _machine_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """Two properties of the machine."""
    loaded = chains.loaded(launch)
    for other in machines(launch, parts, bits=1):
        yield from _counts(other, loaded, chains, MAX_COUNT)
        for third in machines(other, parts, bits=1):
            yield chains.value(loaded, chains.processors(third), launch.vcpus), third, None, None


def _file_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """Two files; or a file and a property of the machine."""
    for other in files(launch, parts):
        loaded = chains.loaded(other)
        yield from _counts(other, loaded, chains, MAX_COUNT)
        for third in machines(other, parts, bits=1):
            yield chains.value(loaded, chains.processors(third), launch.vcpus), third, None, None
        for third in files(other, parts):
            yield chains.of(third), third, None, None


def _line_and_file(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """A likely change of the command line, and a file."""
    for other in files(launch, parts):
        yield from _lines(other, chains, words.likely(other.line, parts.words))


def _line_and_machine(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """A likely change of the command line, and a property of the machine."""
    lines = Line(chains, launch)
    others = [(other, chains.processors(other)) for other in machines(launch, parts, bits=1)]
    most = max(FEW, launch.vcpus + 2)
    for line in words.likely(launch.line, parts.words) if lines.moves else ():
        loaded = lines.loaded(line)
        yield from _counts(launch, loaded, chains, most, line)
        for other, pages in others:
            yield chains.value(loaded, pages, launch.vcpus), other, line, None


def _line_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """Two likely changes of the command line."""
    yield from _lines(launch, chains, words.two_changes(launch.line, parts.words))


def _other_line_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[_Candidate]:
    """Two less likely changes of the command line."""
    yield from _lines(launch, chains, words.two_other_changes(launch.line, parts.words))
