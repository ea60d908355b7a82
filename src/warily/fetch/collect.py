"""Get what evidence needs: plan, ask or remember, look at what came, and plan again with it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from warily.core.evidence import Evidence
from warily.core.seen import Mark, Seen
from warily.errors import CollateralError, FormatError, WarilyError
from warily.fetch.cache import Cache
from warily.fetch.door import Door
from warily.fetch.genuine import certificates_in, expired_in, marks_in
from warily.fetch.plan import plan
from warily.fetch.request import Answer, Plan, Request
from warily.fetch.servers import Servers
from warily.formats.collateral_bundle import BundleItem
from warily.verify import bundled

_ROUNDS: Final = 4
_NOWHERE: Final = "no service has it"
_GIVE: Final = "where you have it, pass it with --collateral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that is needed and was not got."""

    what: str
    because: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """The items that one answer gave, what it says of its own age, and whether the cache had it."""

    request: Request
    answer: Answer
    items: tuple[BundleItem, ...]
    marks: tuple[Mark, ...]
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Everything that came of it.

    `older` says what was taken although something newer was seen before, `stale` what came and is out of date.
    """

    got: tuple[Got, ...]
    missing: tuple[Missing, ...]
    remarks: tuple[str, ...]
    older: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def items(self) -> tuple[BundleItem, ...]:
        """All items in the order of their names."""
        found = {item.name: item for one in self.got for item in one.items}
        return tuple(found[name] for name in sorted(found))


@dataclass(kw_only=True)
class Collector:
    """How to get things. Without a `door` nothing is asked; with `fresh` the cache is not looked at.

    `at_hand` are certificates (DER) that need no fetching. `seen` is how new collateral was before; what is older is
    refused, and with `allow_older` only remarked on.
    """

    servers: Servers
    cache: Cache
    door: Door | None
    at_hand: tuple[bytes, ...]
    seen: Seen
    at: datetime
    fresh: bool
    allow_older: bool
    say: Callable[[str], None]
    _done: dict[str, Got | Missing] = field(default_factory=dict)
    _older: list[str] = field(default_factory=list)
    _stale: list[str] = field(default_factory=list)

    def collect(self, evidence: Iterable[Evidence]) -> Collected:
        """What all the evidence needs, as far as it could be got. Raises `FormatError` for malformed evidence."""
        remarks: dict[str, None] = {}
        missing: dict[str, Missing] = {}
        for one in evidence:
            first, last = self._for_one(one)
            remarks |= dict.fromkeys(first.remarks)
            missing |= {what: Missing(what=what, because=_NOWHERE, hint=_GIVE) for what in last.unavailable}
        done = self._done.values()
        return Collected(
            got=tuple(one for one in done if isinstance(one, Got)),
            missing=(*(one for one in done if isinstance(one, Missing)), *missing.values()),
            remarks=tuple(remarks),
            older=tuple(self._older),
            stale=tuple(self._stale),
        )

    def _for_one(self, evidence: Evidence) -> tuple[Plan, Plan]:
        """Everything for one piece of evidence; the first plan, and the last, to which nothing was left to add.

        Only answers to its own requests lead to further ones.
        """
        needed: dict[str, None] = {}
        first = planned = plan(evidence, self.at_hand)
        for _ in range(_ROUNDS):
            new = [request for request in planned.requests if request.name not in needed]
            if not new:
                break
            for request in new:
                needed[request.name] = None
                if request.name not in self._done:
                    self._done[request.name] = self._get(request, (*first.came, *self._certificates(needed)))
            planned = plan(evidence, self._certificates(needed))
        return first, planned

    def _certificates(self, names: Mapping[str, None]) -> tuple[bytes, ...]:
        """The certificates at hand, and those that came with the requests of these names, in DER."""
        blobs = [item.data for name in names if isinstance(one := self._done.get(name), Got) for item in one.items]
        return tuple(dict.fromkeys((*self.at_hand, *certificates_in(blobs))))

    def _get(self, request: Request, certificates: tuple[bytes, ...]) -> Got | Missing:
        """One request, from the cache or the first server that has it."""
        try:
            return self._from_cache(request, certificates) or self._from_servers(request, certificates)
        except CollateralError as error:
            return Missing(what=request.what, because=str(error), hint=error.hint)

    def _from_cache(self, request: Request, certificates: tuple[bytes, ...]) -> Got | None:
        if self.fresh:
            return None
        for target in self.servers.targets(request):
            answer = self.cache.find(target.key, at=self.at, keeps=request.keeps)
            if answer is None:
                continue
            try:
                return self._taken(request, answer, certificates, cached=True)
            except WarilyError:
                continue  # whatever is wrong with it, the server is asked
        return None

    def _from_servers(self, request: Request, certificates: tuple[bytes, ...]) -> Got:
        if self.door is None:
            raise CollateralError("it is not in the cache, and --offline asks nobody")
        tried = []
        for target in self.servers.targets(request):
            self.say(f"{request.what}: {target.url}")
            reply = self.door.get(target, limit=request.limit)
            if not reply.absent:
                kept = {name: reply.headers[name] for name in request.headers if name in reply.headers}
                answer = Answer(url=target.key, fetched=self.at, body=reply.body, headers=kept)
                got = self._taken(request, answer, certificates, cached=False)
                self.cache.keep(answer)
                return got
            tried.append(f"{target.url.partition('?')[0]} answers {reply.status}")
        msg = f"no server has it: {'; '.join(tried)}"
        raise CollateralError(msg)

    def _taken(self, request: Request, answer: Answer, certificates: tuple[bytes, ...], *, cached: bool) -> Got:
        """The items in an answer that is what was asked for, is signed, and is not older than what was seen."""
        try:
            pieces = request.accept(answer)
            blobs = [piece.data for piece in pieces]
            marks = marks_in(blobs, certificates)
            self._stale += expired_in(blobs, self.at)
        except FormatError as error:
            msg = f"{answer.url.partition('?')[0]}: the answer is not taken: {error}"
            raise CollateralError(msg) from None
        for mark, before in self.seen.older(marks):
            what = f"{mark.series}: {mark}; already seen: {before}"
            if not self.allow_older:
                msg = f"an older answer than before: {what}"
                raise CollateralError(msg, hint="an old answer hides what is known since; --allow-older takes it")
            self._older.append(what)
        items = (bundled.item(piece.name, piece.data, source=answer.url, fetched=answer.fetched) for piece in pieces)
        return Got(request=request, answer=answer, items=tuple(items), marks=marks, cached=cached)
