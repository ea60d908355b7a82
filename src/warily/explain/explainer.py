"""What a value is: looked up among all that is known, then searched for among what is near it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Final

from warily.core.manifest import Manifest
from warily.core.reference_value import ReferenceValue
from warily.explain import said, unproven, words
from warily.explain.alternatives import Parts, changes, parts_of
from warily.explain.answer import Answer, ChangedInput, Known, Nearest
from warily.explain.boot_search import BootMatch, BootSearch
from warily.explain.boots import Boot, OtherFile, boots_of
from warily.explain.builds import Build
from warily.explain.launch import Launch
from warily.explain.launch_search import FIRST_STEPS, LaunchSearch, Match
from warily.explain.packages import changed_packages
from warily.explain.unproven import LAUNCH, LAUNCH_SIZE
from warily.explain.vendor import known_values
from warily.formats._record import record
from warily.measure.shape_events import Supplied

MAX_UNPROVEN: Final = 5
MAX_NEAREST: Final = 5
_NOTHING_SUPPLIED: Final[Supplied] = MappingProxyType({})
_SHAPE: Final = frozenset({"memory"})  # inputs that are no part of an image
NOTHING: Final = Parts(firmwares=(), kernels=(), initrds=(), lines=(), cpus=(), words=())


@record
class Reference:
    """A value that somebody published, and where it was read. `source` says the format and who signed it."""

    source: str
    value: ReferenceValue


class Explainer:
    """All that is known, and the searches over it. What one value costs is kept for the next."""

    def __init__(
        self,
        builds: Sequence[Build],
        *,
        parts: Parts = NOTHING,
        boots: Iterable[Boot] = (),
        references: Iterable[Reference] = (),
        digests: Mapping[bytes, str] | None = None,
        files: Iterable[OtherFile] = (),
        supplied: Supplied = _NOTHING_SUPPLIED,
    ) -> None:
        self._builds = tuple(builds)
        self._references = tuple(references)
        self._digests = dict(digests or {})
        self._files = tuple(files)
        self.boots = (*(boot for build in builds for boot in boots_of(build, supplied)), *boots)
        self._of = [(launch, build) for build in builds for launch in build.launches]
        self._loose = parts

    @property
    def has_something(self) -> bool:
        """Whether there is anything to compare a value with, apart from what vendors publish."""
        return bool(self._builds or self._references or self.boots or self._digests)

    @cached_property
    def launches(self) -> LaunchSearch:
        """The search over launches."""
        launches = [launch for launch, _ in self._of]
        return LaunchSearch(launches, parts_of(launches, self._loose))

    @cached_property
    def lines(self) -> tuple[bytes, ...]:
        """The command lines that are known."""
        return tuple(dict.fromkeys((*(launch.line for launch, _ in self._of), *self._loose.lines)))

    @cached_property
    def vocabulary(self) -> tuple[bytes, ...]:
        """The words that a search of command lines tries."""
        return words.all_words((*self.lines, *(boot.line for boot in self.boots)))

    @cached_property
    def search(self) -> BootSearch:
        """The search over boots."""
        return BootSearch(self.boots, self.lines, self._files)

    def explain(self, value: bytes, *, register: str = "", near: bool = True) -> Answer:
        """What the value is; where it is not known and `near`, what it is nearest to. `register` narrows."""
        known: list[Known] = []
        nearest: list[Nearest] = []
        launched = len(value) == LAUNCH_SIZE and register in ("", LAUNCH)
        if launched:
            matches = self.launches.as_known(value)
            known += (said.launch_known(value, self._build(one.known), one.known, one.found) for one in matches)
            if matches and matches[0].found != matches[0].known:
                nearest = self._ranked(self.launches.ranked(matches[0].found))
        known += self._listed(value, register, launched=bool(known))
        known += self._booted(value, register)
        known += (*self._parts(value), *self._published(value), *known_values(value))
        if not known and near:
            nearest = self._near(value, register, launched=launched)
            known += self._of_another_shape(value, nearest)
            nearest = nearest or list(self.unproven(register, len(value)))
        searched = self.launches.searched + self.search.searched
        return Answer(known=_once(known), nearest=tuple(nearest), searched=searched)

    def _booted(self, value: bytes, register: str) -> Iterator[Known]:
        """Registers of known boots, each build once; for one shape only where the shape decides."""
        found: dict[tuple[str, str], list[BootMatch]] = {}
        for match in self.search.find(value, register=register, near=False):
            found.setdefault((match.boot.build.where, match.register), []).append(match)
        for matches in found.values():
            boot = matches[0].boot
            shapes = {tuple(match.boot.when.items()) for match in matches}
            yield said.register_known(
                value,
                boot.build,
                platform=boot.platform,
                register=matches[0].register,
                when=boot.when if len(shapes) == 1 else {},
                because=boot.because,
            )

    def unproven(self, register: str, size: int, agreeing: Mapping[str, int] | None = None) -> tuple[Nearest, ...]:
        """Builds that a value of so many bytes may be near though no search led to it, and what was not excluded.

        `agreeing` says how many other registers of the same evidence each file's build explains.
        """
        counts = agreeing or {}
        found = unproven.nearest(self._of, self.boots, register=register, size=size, agreeing=counts)
        return tuple(sorted(found, key=lambda entry: -counts.get(str(entry.fields["file"]), 0)))[:MAX_UNPROVEN]

    def _of_another_shape(self, value: bytes, nearest: Sequence[Nearest]) -> Iterator[Known]:
        """Registers of known boots on a machine of another size."""
        for near in nearest:
            if {entry.name for entry in near.inputs} <= _SHAPE:
                build = next(boot.build for boot in self.boots if boot.build.name == near.manifest)
                when = {entry.name: entry.now for entry in near.inputs}
                register, platform = str(near.fields["register"]), str(near.fields["platform"])
                yield said.register_known(value, build, platform=platform, register=register, when=when)

    def _near(self, value: bytes, register: str, *, launched: bool) -> list[Nearest]:
        matches = self.launches.changed(value, FIRST_STEPS) if launched else ()
        if not matches:
            found = [self._near_boot(match) for match in self.search.find(value, register=register, near=True)]
            if found:
                return list({(one.manifest, one.inputs, str(one.fields)): one for one in found[::-1]}.values())[::-1]
            matches = self.launches.changed(value) if launched else ()
        return self._ranked(matches)

    def _ranked(self, matches: Sequence[Match]) -> list[Nearest]:
        """Each build once, in the order of the matches."""
        by_build = {self._build(match.known).where: match for match in reversed(matches)}
        return [self._nearest(match) for match in matches if by_build[self._build(match.known).where] is match][
            :MAX_NEAREST
        ]

    def _nearest(self, match: Match) -> Nearest:
        inputs = tuple(self._with_packages(match, entry) for entry in changes(match.known, match.found))
        build = self._build(match.known)
        fields = {"file": build.where, "platform": match.found.firmware.rule.platform.value, "register": LAUNCH}
        because = "with these inputs the launch digest is exactly this value"
        return Nearest(manifest=build.name, inputs=inputs, certain=True, because=because, fields=fields)

    def _near_boot(self, match: BootMatch) -> Nearest:
        build = match.boot.build
        fields = {"file": build.where, "platform": match.boot.platform, "register": match.register}
        because = f"with these inputs {match.register} is exactly this value"
        if match.boot.because:
            because += f" ({match.boot.because})"
        return Nearest(manifest=build.name, inputs=match.changes, certain=True, because=because, fields=fields)

    def _with_packages(self, match: Match, entry: ChangedInput) -> ChangedInput:
        """Another root hash in terms of packages, where both lists are known."""
        if entry.name != words.ROOT_HASH:
            return entry
        mine = self._build(match.known).packages
        other = next((build for build in self._builds if _root(build.manifest) == entry.now), None)
        if other is None or not mine or not other.packages:
            return entry
        return ChangedInput(
            name=entry.name, was=entry.was, now=entry.now, packages=changed_packages(mine, other.packages)
        )

    def _build(self, launch: Launch) -> Build:
        return next(build for known, build in self._of if known is launch)

    def _listed(self, value: bytes, register: str, *, launched: bool) -> Iterator[Known]:
        """Registers that manifests list; those of launches that were explained already are left out."""
        for build in self._builds:
            for entry in build.manifest.registers if build.manifest else ():
                if entry.value != value or register not in ("", entry.register):
                    continue
                if not (launched and entry.register == LAUNCH):
                    yield said.register_known(
                        value, build, platform=entry.platform.value, register=entry.register, when=entry.when
                    )

    def _parts(self, value: bytes) -> Iterator[Known]:
        """Digests of files, root hashes, keys and packages."""
        for build in self._builds:
            for what in _parts_of(build, value):
                sentence = f"{what} of {said.built(build)}"
                yield Known(value=value, sentence=sentence, fields={"manifest": build.name, "file": build.where})
        if value in self._digests:
            yield Known(value=value, sentence=self._digests[value], fields={"manifest": ""})
        for boot in self.boots:
            for event in boot.events:
                for algorithm in boot.algorithms:
                    if event.digest(algorithm) == value:
                        sentence = (
                            f"the {algorithm.upper()} digest of the event “{event.name}” of {said.built(boot.build)}"
                        )
                        yield Known(
                            value=value, sentence=sentence, fields={"manifest": boot.build.name, "register": ""}
                        )

    def _published(self, value: bytes) -> Iterator[Known]:
        for entry in self._references:
            reference = entry.value
            if reference.value == value:
                when = f" ({', '.join(reference.when.values())})" if reference.when else ""
                sentence = f"{reference.name} of {reference.environment}{when}, as {entry.source} publishes it"
                yield Known(
                    value=value,
                    sentence=sentence,
                    fields={"manifest": "", **reference.as_json(), "source": entry.source},
                )


def _parts_of(build: Build, value: bytes) -> Iterator[str]:
    manifest = build.manifest
    if manifest is not None:
        for part in manifest.ingredients:
            if part.sha256 == value:
                yield f"the SHA-256 of {part.name} ({part.role})"
        if manifest.root.root_hash == value:
            yield "the root hash of the dm-verity tree over the root file system"
        if manifest.grantor == value:
            yield "the key of the broker whose grants the guest accepts"
    for package in build.packages:
        if package.sha256 == value:
            yield f"the SHA-256 of the package {package.name} {package.version}"


def _root(manifest: Manifest | None) -> str:
    return "" if manifest is None else manifest.root.root_hash.hex()


def _once(known: Iterable[Known]) -> tuple[Known, ...]:
    return tuple({(entry.sentence, entry.fields.get("file")): entry for entry in known}.values())
