"""What two things differ in: manifests, build reports, predictions with their traces, any files that can be shown."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from warily.core.manifest import Manifest
from warily.errors import FormatError
from warily.explain import words
from warily.explain.answer import ChangedInput
from warily.explain.boots import said_size
from warily.explain.builds import Build
from warily.explain.packages import changed_packages
from warily.verify.inspect.node import Node

MAX_REPORT: Final = 64 << 20
MAX_PREDICTION: Final = 64 << 20
MAX_SHOWN: Final = 4096


def changed_inputs(before: Build, after: Build) -> tuple[ChangedInput, ...]:
    """The inputs that two manifests differ in: files by role, words of the command line, root, shape, volumes, ports.

    Another root hash names the packages that changed, where both lists are known. Registers follow from all these
    and are not among them.
    """
    mine, theirs = _manifest(before), _manifest(after)
    packages = changed_packages(before.packages, after.packages) if before.packages and after.packages else ()
    found = [
        entry if entry.name != words.ROOT_HASH else _with(entry, packages)
        for entry in words.changes(mine.command_line.encode(), theirs.command_line.encode())
    ]
    if mine.root.root_hash != theirs.root.root_hash and not any(entry.name == words.ROOT_HASH for entry in found):
        was, now = mine.root.root_hash.hex(), theirs.root.root_hash.hex()
        found.insert(0, ChangedInput(name=words.ROOT_HASH, was=was, now=now, packages=packages))
    return (*_simple(mine, theirs), *_files(mine, theirs), *found, *_tables(mine, theirs))


def _with(entry: ChangedInput, packages: tuple[ChangedInput, ...]) -> ChangedInput:
    return ChangedInput(name=entry.name, was=entry.was, now=entry.now, packages=packages)


def _manifest(build: Build) -> Manifest:
    if build.manifest is None:
        msg = f"{build.name} is no manifest"
        raise FormatError(msg)
    return build.manifest


def _simple(mine: Manifest, theirs: Manifest) -> Iterator[ChangedInput]:
    pairs = (
        ("name", mine.name, theirs.name),
        ("suite", mine.suite, theirs.suite),
        ("vcpus", str(mine.cpus), str(theirs.cpus)),
        ("memory", said_size(mine.memory), said_size(theirs.memory)),
        ("cpu", mine.cpu, theirs.cpu),
        ("platforms", ", ".join(mine.platforms), ", ".join(theirs.platforms)),
    )
    yield from (ChangedInput(name=name, was=was, now=now) for name, was, now in pairs if was != now)


def _files(mine: Manifest, theirs: Manifest) -> Iterator[ChangedInput]:
    """The ingredients but the root and what follows from it, which the root hash stands for."""
    was = {part.role: part for part in mine.ingredients}
    now = {part.role: part for part in theirs.ingredients}
    for role in (*was, *(role for role in now if role not in was)):
        old, new = was.get(role), now.get(role)
        if (old and old.sha256) != (new and new.sha256) and role not in ("root", "root-hashes", "sbom", "lock"):
            yield ChangedInput(
                name="firmware" if role.startswith("firmware-") else role,
                was=f"{old.name} sha256:{old.sha256.hex()}" if old else "",
                now=f"{new.name} sha256:{new.sha256.hex()}" if new else "",
            )


def _tables(mine: Manifest, theirs: Manifest) -> Iterator[ChangedInput]:
    """Volumes, ports, the rules of launches, one change an entry."""
    yield from _table(
        "volume",
        {one.name: f"{said_size(one.size)} at {one.mount}, {one.cipher}" for one in mine.volumes},
        {one.name: f"{said_size(one.size)} at {one.mount}, {one.cipher}" for one in theirs.volumes},
    )
    yield from _table(
        "port",
        {str(one.guest): f"{one.guest} at the host's {one.host}" for one in mine.ports},
        {str(one.guest): f"{one.guest} at the host's {one.host}" for one in theirs.ports},
    )
    yield from _table(
        "features",
        {one.platform.value: f"{one.features:#x} under {one.vmm}" for one in mine.launches},
        {one.platform.value: f"{one.features:#x} under {one.vmm}" for one in theirs.launches},
    )
    if mine.grantor != theirs.grantor and mine.command_line == theirs.command_line:
        yield ChangedInput(name="grantor", was=mine.grantor.hex(), now=theirs.grantor.hex())


def _table(name: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[ChangedInput]:
    for key in (*was, *(key for key in now if key not in was)):
        if was.get(key) != now.get(key):
            yield ChangedInput(name=f"{name} {key}", was=was.get(key, ""), now=now.get(key, ""))


def changed_registers(before: Build, after: Build) -> tuple[ChangedInput, ...]:
    """The registers that follow, at the shape that each manifest declares."""
    mine, theirs = _declared(_manifest(before)), _declared(_manifest(after))
    return tuple(_table("register", mine, theirs))


def _declared(manifest: Manifest) -> dict[str, str]:
    return {
        f"{entry.platform.value} {entry.register}": entry.value.hex()
        for entry in manifest.registers
        if entry.when.get("vcpus", str(manifest.cpus)) == str(manifest.cpus)
    }


def changed_files(before: bytes, after: bytes) -> tuple[ChangedInput, ...]:
    """The files that two build reports differ in, in the initrd and in the root. Raises `FormatError`."""
    mine, theirs = report_files(before), report_files(after)
    return tuple(
        ChangedInput(name=path, was=mine.get(path, ""), now=theirs.get(path, ""))
        for path in sorted(mine.keys() | theirs.keys())
        if mine.get(path) != theirs.get(path)
    )


def report_files(text: bytes) -> dict[str, str]:
    """The files of a build report: “initrd:/path” or the path in the root → its SHA-256. Raises `FormatError`."""
    trusted = _json(text, "build report", MAX_REPORT).get("trusted")
    if not isinstance(trusted, dict):
        raise FormatError("build report: it lists no files")
    found = {}
    for place, prefix in (("initrd", "initrd:"), ("root", "")):
        entries = trusted.get(place)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
                raise FormatError("build report: a file has no path")
            found[prefix + entry["path"]] = str(entry.get("sha256", ""))
    return found


def changed_steps(before: bytes, after: bytes) -> tuple[ChangedInput, ...]:
    """The steps that two predictions (`warily measure --json`) differ in by their input, the first one first.

    Registers that differ come last. Raises `FormatError`.
    """
    mine, theirs = _json(before, "prediction", MAX_PREDICTION), _json(after, "prediction", MAX_PREDICTION)
    nothing: dict[str, Any] = {}
    steps = [
        ChangedInput(name=_step_name(was or now), was=_step(was), now=_step(now))
        for was, now in zip_longest(_steps(mine), _steps(theirs), fillvalue=nothing)
        if _input(was) != _input(now)
    ]
    registers = _table("register", _registers(mine), _registers(theirs))
    return (*steps[:MAX_SHOWN], *registers)


def is_prediction(data: bytes) -> bool:
    """Whether the bytes are a prediction in JSON."""
    head = data[:4096]
    return head.lstrip().startswith(b"{") and b'"registers"' in head and b'"schema"' not in data[:65536]


def _steps(prediction: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    steps = prediction.get("trace")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise FormatError("prediction: it has no trace")
    return steps


def _input(step: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(step.get(name) for name in ("step", "input", "input_digest", "at", "register"))


def _step_name(step: Mapping[str, Any]) -> str:
    return f"{step.get('step', '')} {step.get('input', '')}".strip()


def _step(step: Mapping[str, Any]) -> str:
    return f"{step.get('input', '')} {step.get('input_digest', '')}".strip()


def _registers(prediction: Mapping[str, Any]) -> dict[str, str]:
    found = prediction.get("registers")
    if not isinstance(found, dict):
        raise FormatError("prediction: it has no registers")
    return {str(name): str(value) for name, value in found.items()}


def changed_pieces(before: Node, after: Node) -> tuple[ChangedInput, ...]:
    """The pieces of two files of one kind that differ, by their path, with what each value means."""
    mine, theirs = dict(_flat(before, "")), dict(_flat(after, ""))
    return tuple(
        ChangedInput(name=path, was=mine.get(path, ""), now=theirs.get(path, ""))
        for path in dict.fromkeys((*mine, *theirs))
        if mine.get(path) != theirs.get(path)
    )


def _flat(node: Node, path: str) -> Iterator[tuple[str, str]]:
    """Leaf by leaf; parts of the same name are numbered."""
    here = f"{path}/{node.name}".strip("/")
    if node.value or not node.parts:
        yield here, f"{node.value} [{node.note}]" if node.note else node.value
    yield from _parts(node.parts, here)


def _parts(parts: Iterable[Node], path: str) -> Iterator[tuple[str, str]]:
    seen: dict[str, int] = {}
    for part in parts:
        seen[part.name] = seen.get(part.name, 0) + 1
        number = seen[part.name]
        yield from _flat(part, path if number == 1 else f"{path}/{number}")


def _json(text: bytes, what: str, limit: int) -> dict[str, Any]:
    if len(text) > limit:
        msg = f"{what}: {len(text)} bytes are over the limit of {limit}"
        raise FormatError(msg)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{what}: not JSON: {error}"
        raise FormatError(msg) from None
    if not isinstance(found, dict):
        msg = f"{what}: not a JSON object"
        raise FormatError(msg)
    return found
