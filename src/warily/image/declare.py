"""From `warily.toml` to a checked `Declaration`. The file's text is the owner's, and still bounded."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from warily.core.declaration import Declaration, FileEntry, Machine, Platform, Port, Service, Volume
from warily.errors import UsageError
from warily.image import command_line
from warily.image.settings import REQUIRED, SECTIONS, UNITS, Kind, Section, Setting, settings_of
from warily.measure.cpu import signature

FILE: Final = "warily.toml"
LIMIT: Final = 256 << 10

# Where a declared file would be hidden, or would undo what warily puts there.
NOT_FOR_FILES: Final = (
    "/boot", "/dev", "/etc/systemd", "/etc/sysctl.d", "/proc", "/run", "/sys", "/tmp",  # noqa: S108  # names, not uses
    "/usr/lib/systemd", "/usr/lib/sysctl.d", "/usr/lib/warily", "/var",
)  # fmt: skip
# Where a volume, whose content is last week's, would shadow measured files.
NOT_FOR_MOUNTS: Final = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp",  # noqa: S108
    "/usr",
)  # fmt: skip


def read(project: Path) -> Declaration:
    """What `project`/warily.toml declares. Raises `UsageError` where it is missing or wrong."""
    path = project / FILE
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise UsageError(msg, hint="name the project's folder with --project") from None
    return parse(data)


def parse(data: bytes) -> Declaration:
    """What the text of a `warily.toml` declares. Raises `UsageError` with section, key and line."""
    if len(data) > LIMIT:
        msg = f"{FILE}: over {LIMIT} bytes"
        raise UsageError(msg)
    try:
        text = data.decode("utf-8")
        top = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{FILE}: {error}"
        raise UsageError(msg) from None
    return _Reader(text).declaration(top)


class _Reader:
    """Reads the parsed file section by section, with the text at hand to say where an error is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def declaration(self, top: dict[str, Any]) -> Declaration:
        """The whole file."""
        lists = tuple(section.name for section in SECTIONS if section.name)
        head = self._table("", {key: value for key, value in top.items() if key not in lists}, others=lists)
        found = {section.name: self._section(section, top.get(section.name)) for section in SECTIONS if section.name}
        image, machine, kernel = found["image"][0], found["machine"][0], found["kernel"][0]
        made = Declaration(
            name=head["name"],
            suite=image["suite"],
            packages=image["packages"],
            files=tuple(FileEntry(**entry) for entry in found["files"]),
            services=tuple(Service(**entry) for entry in found["services"]),
            machine=Machine(**{**machine, "platforms": tuple(Platform(name) for name in machine["platforms"])}),
            volumes=tuple(Volume(**entry) for entry in found["volumes"]),
            ports=tuple(Port(**entry) for entry in found["ports"]),
            command_line=kernel["command_line"],
        )
        check(made)
        return made

    def _section(self, section: Section, value: object) -> list[dict[str, Any]]:
        """The section's tables: exactly one, or for a list as many as there are."""
        shape = f"[[{section.name}]]" if section.most else f"[{section.name}]"
        if value is None:
            return [] if section.most else [self._table(section.name, {})]
        tables = value if section.most else [value]
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._fail(section.name, None, 0, f"{section.name} is written {shape}")
        if section.most and len(tables) > section.most:
            self._fail(section.name, None, 0, f"{shape} stands there over {section.most} times")
        return [self._table(section.name, table, at=at) for at, table in enumerate(tables)]

    def _table(
        self, section: str, table: Mapping[str, object], *, at: int = 0, others: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """One table, with defaults filled in. Unknown keys are errors."""
        settings = settings_of(section)
        known = [setting.key for setting in settings]
        for key in table:
            if key not in known:
                where = f"[{section}]" if section else "the top level"
                near = difflib.get_close_matches(key, [*known, *others], n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join([*known, *others])}"
                self._fail(section, key, at, f"{where} has no key {key!r}", hint=hint)
        return {setting.key: self._value(setting, table, at) for setting in settings}

    def _value(self, setting: Setting, table: Mapping[str, object], at: int) -> object:
        value = table.get(setting.key, setting.default)
        if value is REQUIRED:
            self._fail(setting.section, None, at, f"{setting.key} is missing", hint=setting.help)
        wrong = _wrong(setting, value)
        if wrong is not None:
            self._fail(setting.section, setting.key, at, f"{setting.key} {wrong}", hint=setting.help)
        if setting.kind is Kind.TEXTS:
            assert isinstance(value, list | tuple)  # noqa: S101  # _wrong has seen to it
            return tuple(value)
        return size(value) if setting.kind is Kind.SIZE else value

    def _fail(self, section: str, key: str | None, at: int, what: str, *, hint: str | None = None) -> NoReturn:
        line = line_of(self._text, section, key, at)
        place = f", line {line}" if line else ""
        inside = f" [{section}]" if section and f"[{section}]" not in what else ""
        msg = f"{FILE}{place}:{inside} {what}"
        raise UsageError(msg, hint=hint)


def _wrong(setting: Setting, value: object) -> str | None:
    """What is wrong with a value, or nothing."""
    if setting.kind is Kind.INTEGER:
        if type(value) is not int or not setting.low <= value <= setting.high:
            return f"is not an integer in {setting.low}..{setting.high}"
        return None
    if setting.kind is Kind.SIZE:
        count = size(value)
        if count is None or not setting.low <= count <= setting.high:
            return f"is not a size such as '64M', from {shown(setting.low)} to {shown(setting.high)}"
        return None
    if setting.kind is Kind.TEXTS:
        if not isinstance(value, list | tuple) or not setting.low <= len(value) <= setting.high:
            return f"is not a list of {setting.low} to {setting.high} texts"
        if len(set(map(repr, value))) != len(value) and setting.key != "command":
            return "names something twice"
        return next((wrong for item in value if (wrong := _wrong_text(setting, item))), None)
    return _wrong_text(setting, value)


def _wrong_text(setting: Setting, value: object) -> str | None:
    if not isinstance(value, str):
        return "is not a text" if setting.kind is Kind.TEXT else "holds something that is not a text"
    if setting.choices and value not in setting.choices:
        near = difflib.get_close_matches(value, setting.choices, n=1)
        return f"is {value!r}, not " + (f"{near[0]!r}" if near else f"one of {', '.join(setting.choices)}")
    if setting.pattern is not None and not re.fullmatch(setting.pattern, value):
        return f"cannot be {value[:80]!r}"
    return None


def size(value: object) -> int | None:
    """The bytes that "64M" or "1G" means (units of 1024), or None where it means nothing."""
    found = re.fullmatch(r"([1-9][0-9]{0,11})([KMGT]?)", value) if isinstance(value, str) else None
    if found is None:
        return None
    return int(found[1]) * UNITS.get(found[2], 1)


def shown(count: int) -> str:
    """A size as people write it."""
    for unit, factor in reversed(UNITS.items()):
        if count and count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)


def line_of(text: str, section: str, key: str | None, at: int) -> int | None:
    """The line on which `key` stands in the `at`-th table of `section`; best effort, for messages alone."""
    header = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_-]+)\s*\]{1,2}")
    current, seen = "", {"": 0}
    for number, line in enumerate(text.splitlines(), start=1):
        found = header.match(line)
        if found:
            current = found[1]
            seen[current] = seen.get(current, -1) + 1
            if (not section and key == current) or (key is None and current == section and seen[current] == at):
                return number
        elif key is not None and (current, seen[current]) == (section, at):
            words = re.split(r"[=.]", line, maxsplit=1)
            if len(words) > 1 and words[0].strip().strip("\"'") == key:
                return number
    return None


def check(made: Declaration) -> None:
    """What no single setting can say. Raises `UsageError`."""
    _once("[[services]] name", (service.name for service in made.services))
    _once("[[volumes]] name", (volume.name for volume in made.volumes))
    _once("[[volumes]] mount", (volume.mount for volume in made.volumes))
    _once("[[files]] target", (entry.target for entry in made.files))
    _once("[[ports]] guest", (port.guest for port in made.ports))
    _once("[[ports]] host", (port.host for port in made.ports))
    volumes = [volume.name for volume in made.volumes]
    for service in made.services:
        _check_service(service, volumes)
    for entry in made.files:
        _keep_out("[[files]] target", entry.target, NOT_FOR_FILES)
        if ".." in entry.source.split("/"):
            _refuse(f"[[files]] source {entry.source!r} leaves the project's folder")
    for volume in made.volumes:
        _keep_out("[[volumes]] mount", volume.mount, NOT_FOR_MOUNTS)
        if any(entry.target.startswith(f"{volume.mount}/") for entry in made.files):
            _refuse(f"the volume at {volume.mount} would hide declared files")
    command_line.refuse_unknown(made.command_line)
    signature(made.machine.cpu)  # raises for a model nobody knows


def _check_service(service: Service, volumes: list[str]) -> None:
    if not service.command[0].startswith("/"):
        _refuse(f"service {service.name}: {service.command[0]!r} is not an absolute path")
    for name in service.volumes:
        if name not in volumes:
            near = difflib.get_close_matches(name, volumes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"declared: {', '.join(volumes) or 'none'}"
            _refuse(f"service {service.name} wants volume {name!r}, which is not declared", hint=hint)


def _keep_out(what: str, path: str, closed: tuple[str, ...]) -> None:
    if {".", ".."} & set(path.split("/")):
        _refuse(f"{what} {path!r} is not a plain path")
    for place in closed:
        if path == place or path.startswith(f"{place}/"):
            _refuse(f"{what} cannot be {path!r}: {place} belongs to the system")


def _once(what: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            _refuse(f"{what} {value!r} stands there twice")
        seen.add(value)


def _refuse(what: str, *, hint: str | None = None) -> NoReturn:
    msg = f"{FILE}: {what}"
    raise UsageError(msg, hint=hint)
