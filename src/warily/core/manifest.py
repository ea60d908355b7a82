"""The manifest: the one artefact that image, measure, verify, explain, release and posture share.

It says what an image is made of (ingredients), what shape of machine it is for, and what each
platform will report when it runs. Signed, it gives a hash its meaning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from warily.core.declaration import Platform
from warily.core.shape_rules import (
    MAX_EVENTS,
    MAX_RULES,
    EventRule,
    LaunchRule,
    event_rules,
    launch_rules,
    platform_named,
)
from warily.errors import FormatError
from warily.formats._json import JsonObject, canonical

SCHEMA: Final = "warily/manifest/2"
OLDER: Final = "warily/manifest/1"  # without shape rules; still read
LIMIT: Final = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """One part of the image: its role, file name, size in bytes and SHA-256.

    Roles: `kernel`, `initrd`, `root`, `root-hashes`, `sbom`, `lock`, and `firmware-<platform>`.
    """

    role: str
    name: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VerityRoot:
    """What the guest needs to check its root file system; all of it stands on the measured command line."""

    algorithm: str
    root_hash: bytes
    salt: bytes
    data_blocks: int
    block_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedRegister:
    """What `platform` will report in `register` when the shape is `when` (name → value, all text)."""

    platform: Platform
    register: str
    when: Mapping[str, str]
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec:
    """A volume as measured: the guest takes no layout choice from the disk. `size` in bytes."""

    name: str
    size: int
    mount: str
    cipher: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSpec:
    """A TCP port of the guest that is forwarded, and where it appears on the host's loopback."""

    guest: int
    host: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an image is, what it is for, and what hardware will say of it.

    `cpus` and `memory` (bytes) are the declared shape; `grantor` is the Ed25519 public key of the
    one broker whose grants this image accepts (32 bytes, on the measured command line). `registers` are values for
    the shapes that were foreseen; `launches` and `events` are the rules that give those of any other
    (`measure.shapes.recompute`).
    """

    name: str
    suite: str
    source_date_epoch: int
    ingredients: tuple[Ingredient, ...]
    command_line: str
    root: VerityRoot
    cpus: int
    memory: int
    cpu: str
    platforms: tuple[Platform, ...]
    registers: tuple[PredictedRegister, ...]
    volumes: tuple[VolumeSpec, ...]
    ports: tuple[PortSpec, ...]
    grantor: bytes
    launches: tuple[LaunchRule, ...] = ()
    events: tuple[EventRule, ...] = ()

    def ingredient(self, role: str) -> Ingredient:
        """The ingredient that plays `role`. Raises `FormatError` where there is none."""
        for ingredient in self.ingredients:
            if ingredient.role == role:
                return ingredient
        msg = f"the manifest of {self.name} names no {role}"
        raise FormatError(msg)

    def values(self, platform: Platform, register: str) -> frozenset[bytes]:
        """Every predicted value of `register` on `platform`, over all shapes."""
        return frozenset(
            entry.value for entry in self.registers if entry.platform is platform and entry.register == register
        )

    def declared(self, platform: Platform) -> tuple[PredictedRegister, ...]:
        """What `platform` will report of the declared shape on the usual host, as far as it is written down."""
        shape = {"vcpus": str(self.cpus), "memory": str(self.memory), "cpu": self.cpu}
        own = (entry for entry in self.registers if entry.platform is platform)
        return tuple(entry for entry in own if entry.when.items() <= shape.items())

    def encode(self) -> bytes:
        """The manifest as canonical JSON: the same manifest, the same bytes."""
        return canonical(self.as_json())

    def as_json(self) -> dict[str, object]:
        """The manifest as a JSON value."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "suite": self.suite,
            "source_date_epoch": self.source_date_epoch,
            "ingredients": [
                {"role": part.role, "name": part.name, "size": part.size, "sha256": part.sha256.hex()}
                for part in self.ingredients
            ],
            "command_line": self.command_line,
            "root": {
                "algorithm": self.root.algorithm,
                "root_hash": self.root.root_hash.hex(),
                "salt": self.root.salt.hex(),
                "data_blocks": self.root.data_blocks,
                "block_size": self.root.block_size,
            },
            "shape": {"cpus": self.cpus, "memory": self.memory, "cpu": self.cpu},
            "platforms": [platform.value for platform in self.platforms],
            "registers": [
                {
                    "platform": entry.platform.value,
                    "register": entry.register,
                    "when": dict(entry.when),
                    "value": entry.value.hex(),
                }
                for entry in self.registers
            ],
            "volumes": [{"name": v.name, "size": v.size, "mount": v.mount, "cipher": v.cipher} for v in self.volumes],
            "ports": [{"guest": port.guest, "host": port.host} for port in self.ports],
            "grantor": self.grantor.hex(),
            "launches": [rule.as_json() for rule in self.launches],
            "events": [rule.as_json() for rule in self.events],
        }

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The manifest that `text` holds. Raises `FormatError` for anything unknown, missing or too large."""
        return cls.read(JsonObject.parse(text, what="manifest", limit=LIMIT))

    @classmethod
    def read(cls, top: JsonObject) -> Self:
        """The manifest that a JSON object holds, read whole."""
        schema = top.text("schema")
        if schema not in (SCHEMA, OLDER):
            msg = f"manifest: schema {schema!r} is not {SCHEMA}"
            raise FormatError(msg)
        ruled = schema != OLDER
        shape = top.object("shape")
        made = cls(
            name=top.text("name"),
            suite=top.text("suite"),
            source_date_epoch=top.number("source_date_epoch"),
            ingredients=tuple(_ingredients(top.objects("ingredients"))),
            command_line=top.text("command_line"),
            root=_root(top.object("root")),
            cpus=shape.number("cpus", low=1, high=1024),
            memory=shape.number("memory", low=1),
            cpu=shape.text("cpu"),
            platforms=tuple(platform_named(text) for text in top.texts("platforms")),
            registers=tuple(_registers(top.objects("registers"))),
            volumes=tuple(_volumes(top.objects("volumes", limit=64))),
            ports=tuple(_ports(top.objects("ports", limit=64))),
            grantor=top.hexadecimal("grantor", width=32),
            launches=tuple(launch_rules(top.objects("launches", limit=MAX_RULES))) if ruled else (),
            events=tuple(event_rules(top.objects("events", limit=MAX_EVENTS))) if ruled else (),
        )
        shape.finish()
        top.finish()
        return made


def _ingredients(entries: Iterable[JsonObject]) -> Iterable[Ingredient]:
    for entry in entries:
        yield Ingredient(
            role=entry.text("role"),
            name=entry.text("name"),
            size=entry.number("size"),
            sha256=entry.hexadecimal("sha256", width=32),
        )
        entry.finish()


def _root(entry: JsonObject) -> VerityRoot:
    made = VerityRoot(
        algorithm=entry.text("algorithm"),
        root_hash=entry.hexadecimal("root_hash", width=32),
        salt=entry.hexadecimal("salt"),
        data_blocks=entry.number("data_blocks", low=1),
        block_size=entry.number("block_size", low=512, high=1 << 16),
    )
    entry.finish()
    return made


def _registers(entries: Iterable[JsonObject]) -> Iterable[PredictedRegister]:
    for entry in entries:
        when = entry.object("when")
        yield PredictedRegister(
            platform=platform_named(entry.text("platform")),
            register=entry.text("register"),
            when={key: when.text(key) for key in when.keys()},  # noqa: SIM118  # a JsonObject is no mapping
            value=entry.hexadecimal("value"),
        )
        entry.finish()


def _volumes(entries: Iterable[JsonObject]) -> Iterable[VolumeSpec]:
    for entry in entries:
        yield VolumeSpec(
            name=entry.text("name"),
            size=entry.number("size", low=1),
            mount=entry.text("mount"),
            cipher=entry.text("cipher"),
        )
        entry.finish()


def _ports(entries: Iterable[JsonObject]) -> Iterable[PortSpec]:
    for entry in entries:
        yield PortSpec(guest=entry.number("guest", low=1, high=65535), host=entry.number("host", low=0, high=65535))
        entry.finish()
