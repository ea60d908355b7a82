"""What launches near a known one are tried, likely and cheap ones first.

Each tier yields candidates. States of the chain are shared: all that was loaded before the processors is one state,
so that a further kind of processor, or one more of them, costs one short hash.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, islice, product
from typing import Final

from warily.explain import words
from warily.explain.alternatives import FILES, Parts, alternatives, files, machines
from warily.explain.launch import MAX_COUNT, Chains, Launch, Line

FEW: Final = 16  # processors that are tried together with two other changes
SOME: Final = 64  # likewise with one
MAX_COMBINED: Final = 600  # sets of files that are tried together, for each launch
MAX_KINDS: Final = 700  # kinds of processors that differ in three properties
FEW_FILES: Final = 40  # sets of files that are tried with another command line

# A digest, and its launch: with another line or count of processors where these are not None.
Candidate = tuple[bytes, Launch, bytes | None, int | None]
_Tier = Callable[[Launch, Parts, Chains], Iterator[Candidate]]


def _counts(launch: Launch, loaded: bytes, chains: Chains, most: int, line: bytes | None = None) -> Iterator[Candidate]:
    for count, value in enumerate(chains.counts(loaded, chains.processors(launch), most), 1):
        yield value, launch, line, count


def _one(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """One file, or one property of the machine."""
    loaded = chains.loaded(launch)
    yield from _counts(launch, loaded, chains, MAX_COUNT)
    for other in machines(launch, parts, bits=3):
        yield chains.value(loaded, chains.processors(other), launch.vcpus), other, None, None
    for other in files(launch, parts):
        yield chains.of(other), other, None, None
    yield from _lines(launch, chains, iter(parts.lines))


def _plausible_line(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """One plausible change of the command line."""
    yield from _lines(launch, chains, words.plausible(launch.line, parts.words))


def _likely_line(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """One likely change of the command line."""
    yield from _lines(launch, chains, words.likely(launch.line, parts.words))


def _moved_line(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Words of the command line that changed places, or a number in one."""
    yield from _lines(launch, chains, words.moved(launch.line, parts.words))


def _other_line(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """One less likely change of the command line."""
    yield from _lines(launch, chains, words.further(launch.line, parts.words))


def _last_line(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """One unlikely change of the command line."""
    yield from _lines(launch, chains, words.unlikely(launch.line, parts.words))


def _lines(launch: Launch, chains: Chains, given: Iterator[bytes]) -> Iterator[Candidate]:
    lines, processors = Line(chains, launch), chains.processors(launch)
    for line in given if lines.moves else ():
        yield chains.value(lines.loaded(line), processors, launch.vcpus), launch, line, None


def _machine_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Two properties of the machine."""
    loaded = chains.loaded(launch)
    for other in machines(launch, parts, bits=1):
        yield from _counts(other, loaded, chains, MAX_COUNT)
        for third in machines(other, parts, bits=1):
            yield chains.value(loaded, chains.processors(third), launch.vcpus), third, None, None


def _machine_triples(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Three properties of the machine."""
    loaded = chains.loaded(launch)
    pairs = (third for other in machines(launch, parts, bits=1) for third in machines(other, parts, bits=1))
    for third in islice(pairs, MAX_KINDS):
        yield from _counts(third, loaded, chains, FEW)


def _many_bits(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Many bits of the features."""
    loaded = chains.loaded(launch)
    for other in machines(launch, parts, bits=4):
        yield chains.value(loaded, chains.processors(other), launch.vcpus), other, None, None


def _file_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Two files; or a file and up to two properties of the machine."""
    for other in files(launch, parts):
        loaded = chains.loaded(other)
        yield from _counts(other, loaded, chains, MAX_COUNT)
        for third in machines(other, parts, bits=1):
            yield from _counts(third, loaded, chains, max(FEW, launch.vcpus))
    for other in islice(_combined(launch, parts, 2), MAX_COMBINED):
        yield from _counts(other, chains.loaded(other), chains, SOME)


def _many_files(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Two files and properties of the machine; three and more files."""
    for other in islice(_combined(launch, parts, 2), MAX_COMBINED):
        loaded = chains.loaded(other)
        for third in machines(other, parts, bits=1):
            yield chains.value(loaded, chains.processors(third), launch.vcpus), third, None, None
    for count in range(3, len(FILES) + 1):
        for other in islice(_combined(launch, parts, count), MAX_COMBINED):
            yield from _counts(other, chains.loaded(other), chains, FEW)


def _file_and_machines(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """A file and two properties of the machine, the number of processors apart."""
    for other in files(launch, parts):
        loaded = chains.loaded(other)
        for second in machines(other, parts, bits=1):
            for third in machines(second, parts, bits=1):
                yield chains.value(loaded, chains.processors(third), launch.vcpus), third, None, None


def _line_and_two(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """One of few changes of the command line, with a file and a property of the machine, or with two files or such."""
    kinds = [(other, chains.processors(other)) for other in machines(launch, parts, bits=1)]
    for other in (launch, *islice(files(launch, parts), FEW_FILES)):
        lines = Line(chains, other)
        for line in words.few(other.line, parts.words) if lines.moves else ():
            loaded = lines.loaded(line)
            yield from _counts(other, loaded, chains, max(FEW, launch.vcpus + 2), line)
            for kind, pages in kinds:
                made = other.but(cpu=kind.cpu, features=kind.features, host=kind.host)
                yield chains.value(loaded, pages, launch.vcpus), made, line, None
    for other in islice(_combined(launch, parts, 2), FEW_FILES):
        yield from _lines(other, chains, words.few(other.line, parts.words))


def _combined(launch: Launch, parts: Parts, count: int) -> Iterator[Launch]:
    """The launch with so many files exchanged for others that are known."""
    others = alternatives(launch, parts)
    for names in combinations(FILES, count):
        for chosen in product(*(others[name] for name in names)):
            yield launch.but(**dict(zip(names, chosen, strict=True)))


def _line_and_file(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """A plausible change of the command line, and a file."""
    for other in files(launch, parts):
        yield from _lines(other, chains, words.plausible(other.line, parts.words))


def _line_and_machine(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """A plausible change of the command line, and a property of the machine."""
    lines = Line(chains, launch)
    others = [(other, chains.processors(other)) for other in machines(launch, parts, bits=1)]
    most = max(FEW, launch.vcpus + 2)
    for line in words.plausible(launch.line, parts.words) if lines.moves else ():
        loaded = lines.loaded(line)
        yield from _counts(launch, loaded, chains, most, line)
        for other, pages in others:
            yield chains.value(loaded, pages, launch.vcpus), other, line, None


def _line_and_files(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """A plausible change of the command line, and two files, or one and the number of processors."""
    for other in islice(_combined(launch, parts, 2), FEW_FILES):
        yield from _lines(other, chains, words.plausible(other.line, parts.words))
    for other in islice(files(launch, parts), FEW_FILES):
        lines = Line(chains, other)
        for line in words.plausible(other.line, parts.words) if lines.moves else ():
            yield from _counts(other, lines.loaded(line), chains, FEW, line)


def _few_line_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """The most plausible two changes of the command line."""
    yield from _lines(launch, chains, words.few_pairs(launch.line, parts.words))


def _line_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Two likely changes of the command line."""
    yield from _lines(launch, chains, words.two_changes(launch.line, parts.words))


def _other_line_pairs(launch: Launch, parts: Parts, chains: Chains) -> Iterator[Candidate]:
    """Two less likely changes of the command line, and three."""
    yield from _lines(launch, chains, words.two_other_changes(launch.line, parts.words))
    yield from _lines(launch, chains, words.three_changes(launch.line, parts.words))


TIERS: Final[tuple[_Tier, ...]] = (
    _one,
    _plausible_line,
    _machine_pairs,
    _file_pairs,
    _likely_line,
    _line_and_machine,
    _many_files,
    _line_and_file,
    _machine_triples,
    _file_and_machines,
    _moved_line,
    _few_line_pairs,
    _other_line,
    _line_and_two,
    _many_bits,
    _line_pairs,
    _line_and_files,
    _last_line,
    _other_line_pairs,
)
