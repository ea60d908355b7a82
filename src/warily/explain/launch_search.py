"""Find launches that give a digest: the known ones in every shape, then those that differ in one input, two, or more.

An equal digest is a proof that the inputs found are those that were measured; the order only decides what is tried
while there is time. Work is counted in hash calls, and bounded.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from warily.core.declaration import Platform
from warily.explain.alternatives import Parts, changes
from warily.explain.launch import Chains, Launch
from warily.explain.launch_tiers import TIERS, Candidate
from warily.formats._record import record
from warily.measure.snp_hosts import hosts
from warily.measure.vmsa import Vmm

MAX_STEPS: Final = 900_000  # hash calls: less than a second
FIRST_STEPS: Final = 250_000  # what is tried before other searches have their turn


@record
class Match:
    """A launch that gives the digest, and the known launch that it was found from."""

    known: Launch
    found: Launch


class LaunchSearch:
    """The launches near the known ones, by digest. What one question made is kept for the next.

    `searched` counts the candidates so far.
    """

    def __init__(self, known: Sequence[Launch], parts: Parts) -> None:
        self._known, self._parts = tuple(known), parts
        self._chains = Chains()
        self._found: dict[bytes, tuple[Launch, bytes | None, int | None]] = {}
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
            for at, host in enumerate(hosts(Vmm(launch.firmware.rule.vmm), svsm=launch.firmware.svsm)):
                name = host.name if at else ""
                processors = self._chains.processors(launch.but(host=name))
                for count, value in enumerate(self._chains.counts(loaded, processors), 1):
                    made.setdefault(value, []).append((launch, name, count))
        self._chains.steps = 0  # what every question costs is not what one may cost
        return made

    def changed(self, target: bytes, steps: int = MAX_STEPS) -> tuple[Match, ...]:
        """A launch that gives the digest, and the known ones, that which differs from it in the fewest inputs first.

        Not searched further once `steps` hash calls were made; empty where none was found.
        """
        if target not in self._found:
            for value, launch, line, count in self._more:
                self._found.setdefault(value, (launch, line, count))
                if value == target:
                    break
                if self._chains.steps > steps:
                    return ()
            else:
                return ()
        launch, line, count = self._found[target]
        values = {} if line is None else {"line": line}
        found = launch.but(**values, **({} if count is None else {"vcpus": count}))
        return self.ranked(found)

    def ranked(self, found: Launch) -> tuple[Match, ...]:
        """The known launches of the same platform, that which differs in the fewest inputs first."""
        same = (known for known in self._known if _platform(known) is _platform(found))
        ranked = sorted(same, key=lambda known: len(changes(known, found)))
        return tuple(Match(known=known, found=found) for known in ranked)

    def _candidates(self) -> Iterator[Candidate]:
        """All candidates in order, hardware's launches before those of rehearsals."""
        order = sorted(self._known, key=lambda launch: _platform(launch) is Platform.REHEARSAL)
        for tier in TIERS:
            for launch in order:
                yield from tier(launch, self._parts, self._chains)


def _platform(launch: Launch) -> Platform:
    return launch.firmware.rule.platform
