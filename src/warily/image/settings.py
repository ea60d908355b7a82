"""Every setting of `warily.toml`, as one literal table: the parser and the JSON Schema are made from it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
TIB: Final = 1 << 40
UNITS: Final = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}

NAME: Final = r"[a-z][a-z0-9-]{0,30}"
PACKAGE: Final = r"[a-z0-9][a-z0-9+.-]{1,99}"
TARGET: Final = r"(/[A-Za-z0-9._+-]+)+"
SOURCE: Final = r"[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*"
ARGUMENT: Final = r"[^\x00-\x1f\x7f]{1,1024}"
WORD: Final = r"[!-~]{1,128}"


class Kind(StrEnum):
    """What a value may be."""

    TEXT = "text"
    TEXTS = "texts"
    INTEGER = "integer"
    SIZE = "size"


class _Required:
    """The default of a setting that has none."""


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of one section.

    `pattern` must match a text whole (each text of a list); `choices` are the only texts allowed;
    `low` and `high` bound an integer, a size in bytes, or the number of texts in a list.
    """

    section: str
    key: str
    kind: Kind
    help: str
    default: object = REQUIRED
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table of the file, or with `most` a list of at most that many. The empty name is the top level."""

    name: str
    help: str
    most: int = 0


SECTIONS: Final = (
    Section(name="", help="The image as a whole."),
    Section(name="image", help="What the root file system is made of."),
    Section(name="machine", help="The shape of the virtual machine, and the platforms it may run on."),
    Section(name="kernel", help="The kernel."),
    Section(name="files", help="A file of the project placed in the image.", most=256),
    Section(name="services", help="A workload, run as a user of its own once its volumes are open.", most=32),
    Section(name="volumes", help="A persistent encrypted volume.", most=16),
    Section(name="ports", help="A TCP port of the guest, published on the host's loopback address.", most=64),
)

SETTINGS: Final = (
    Setting(
        section="",
        key="name",
        kind=Kind.TEXT,
        pattern=NAME,
        help="The image's name, and the guest's host name.",
    ),
    Setting(
        section="image",
        key="suite",
        kind=Kind.TEXT,
        default="trixie",
        choices=("trixie",),
        help="The Debian suite the root is made from. Older kernels cannot report from SNP or TDX guests.",
    ),
    Setting(
        section="image",
        key="packages",
        kind=Kind.TEXTS,
        default=(),
        pattern=PACKAGE,
        high=256,
        help="Debian packages to install. Only declared services run, whatever a package would start.",
    ),
    Setting(
        section="machine",
        key="cpus",
        kind=Kind.INTEGER,
        default=1,
        low=1,
        high=64,
        help="The number of virtual CPUs. Every count up to 64 is predicted, this one is run.",
    ),
    Setting(
        section="machine",
        key="memory",
        kind=Kind.SIZE,
        default="1G",
        low=512 * MIB,
        high=2 * TIB,
        help="Memory, as a number with K, M, G or T.",
    ),
    Setting(
        section="machine",
        key="cpu",
        kind=Kind.TEXT,
        default="EPYC-v4",
        pattern=r"EPYC(-[A-Za-z0-9]+)*",
        help="QEMU's name of the CPU model for SNP; its signature is measured.",
    ),
    Setting(
        section="machine",
        key="platforms",
        kind=Kind.TEXTS,
        default=("rehearsal",),
        choices=("rehearsal", "snp", "tdx"),
        low=1,
        high=3,
        help="Where the image may run, hence which registers are predicted.",
    ),
    Setting(
        section="kernel",
        key="command_line",
        kind=Kind.TEXTS,
        default=(),
        pattern=WORD,
        high=32,
        help="Words added to the measured kernel command line. Only those that warily knows to be harmless.",
    ),
    Setting(
        section="files",
        key="source",
        kind=Kind.TEXT,
        pattern=SOURCE,
        help="The file, relative to warily.toml and inside its folder.",
    ),
    Setting(
        section="files",
        key="target",
        kind=Kind.TEXT,
        pattern=TARGET,
        help="Its absolute path in the image, which is read-only when it runs.",
    ),
    Setting(
        section="files",
        key="mode",
        kind=Kind.INTEGER,
        default=0o644,
        high=0o777,
        help="Its permissions, for example 0o755. It belongs to root.",
    ),
    Setting(
        section="services",
        key="name",
        kind=Kind.TEXT,
        pattern=NAME,
        help="The service's name; it runs as the user w-NAME.",
    ),
    Setting(
        section="services",
        key="command",
        kind=Kind.TEXTS,
        pattern=ARGUMENT,
        low=1,
        high=64,
        help="The argument vector. The first is an absolute path; there is no shell.",
    ),
    Setting(
        section="services",
        key="volumes",
        kind=Kind.TEXTS,
        default=(),
        pattern=NAME,
        high=16,
        help="Names of the volumes it may write to.",
    ),
    Setting(
        section="volumes",
        key="name",
        kind=Kind.TEXT,
        pattern=NAME,
        help="The volume's name.",
    ),
    Setting(
        section="volumes",
        key="size",
        kind=Kind.SIZE,
        low=32 * MIB,
        high=16 * TIB,
        help="Bytes of host disk, as a number with K, M, G or T; the journal and tags take their share.",
    ),
    Setting(
        section="volumes",
        key="mount",
        kind=Kind.TEXT,
        pattern=TARGET,
        help="Where it is mounted.",
    ),
    Setting(
        section="ports",
        key="guest",
        kind=Kind.INTEGER,
        low=1024,
        high=65535,
        help="The guest's TCP port. Services are unprivileged, hence at least 1024.",
    ),
    Setting(
        section="ports",
        key="host",
        kind=Kind.INTEGER,
        low=1024,
        high=65535,
        help="The port on the host's loopback address.",
    ),
)


def settings_of(section: str) -> tuple[Setting, ...]:
    """The settings of one section, in the table's order."""
    return tuple(setting for setting in SETTINGS if setting.section == section)


def schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of `warily.toml`, from the tables above."""
    top = _table("")
    properties = top["properties"]
    required = top["required"]
    assert isinstance(properties, dict)  # noqa: S101  # narrows what _table just made
    assert isinstance(required, list)  # noqa: S101  # likewise
    for section in SECTIONS[1:]:
        table = {**_table(section.name), "description": section.help}
        many = {"type": "array", "maxItems": section.most, "items": table, "description": section.help}
        properties[section.name] = many if section.most else table
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "warily.toml", **top}


def _table(section: str) -> dict[str, object]:
    settings = settings_of(section)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {setting.key: _value(setting) for setting in settings},
        "required": [setting.key for setting in settings if setting.default is REQUIRED],
    }


def _value(setting: Setting) -> dict[str, object]:
    found: dict[str, object] = {"description": setting.help}
    text: dict[str, object] = {"type": "string"}
    if setting.choices:
        text["enum"] = list(setting.choices)
    if setting.pattern is not None:
        text["pattern"] = f"^(?:{setting.pattern})$"
    if setting.kind is Kind.INTEGER:
        found |= {"type": "integer", "minimum": setting.low, "maximum": setting.high}
    elif setting.kind is Kind.SIZE:
        found |= {"type": "string", "pattern": "^[1-9][0-9]{0,11}[KMGT]?$"}
    elif setting.kind is Kind.TEXTS:
        found |= {"type": "array", "items": text, "minItems": setting.low, "maxItems": setting.high}
    else:
        found |= text
    if setting.default is not REQUIRED:
        found["default"] = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    return found
