"""CoMID: what is measured, and what the measurement should be (draft-ietf-rats-corim-11, section 5).

Typed are the identity, the entities and the reference triples; other triples and unknown keys are kept as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from warily.errors import FormatError
from warily.formats import cbor
from warily.formats.cbor import Tag
from warily.formats.corim import COMID, LIMIT, Entity, decode_entity, encode_entity, identifier, listed, mapped

MAX_TRIPLES: Final = 65536
_LANGUAGE, _IDENTITY, _ENTITIES, _LINKED, _TRIPLES = 0, 1, 2, 3, 4
_CLASS, _INSTANCE, _GROUP = 0, 1, 2
_REFERENCE: Final = 0
_DIGESTS, _NAME, _REGISTERS = 2, 11, 14

# IANA named information hash algorithms (RFC 6920) → hashlib's names.
ALGORITHMS: Final = {1: "sha256", 7: "sha384", 8: "sha512", 10: "sha3_256", 11: "sha3_384", 12: "sha3_512"}
NUMBERS: Final = {name: number for number, name in ALGORITHMS.items()}

Values = Mapping[int | str | bytes, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A digest, and its algorithm as the CoMID says it: a number of the registry, or a name."""

    label: int | str
    value: bytes

    @property
    def algorithm(self) -> str:
        """The algorithm as hashlib names it, where it does."""
        if isinstance(self.label, int):
            return ALGORITHMS.get(self.label, f"algorithm {self.label}")
        return self.label.replace("-", "") if self.label.startswith("sha-") else self.label

    @classmethod
    def of(cls, algorithm: str, value: bytes) -> Self:
        """A digest by the algorithm that hashlib calls so."""
        return cls(label=NUMBERS.get(algorithm, algorithm), value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is measured. `class_id` may be tagged (UUID 37, OID 111, bytes 560); None where it is not said."""

    class_id: Any = None
    vendor: str = ""
    model: str = ""
    layer: int | None = None
    index: int | None = None
    instance: Any = None
    group: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measured element: its key (a number or a name, None for the whole environment) and its values."""

    key: Any
    digests: tuple[Digest, ...]
    registers: Mapping[int | str | bytes, tuple[Digest, ...]]
    name: str
    others: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceTriple:
    """In this environment, each of these measurements is as it should be."""

    environment: Environment
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comid:
    """A CoMID. `other_triples` are all triples but references, by their number."""

    identifier: str | bytes
    version: int | None
    entities: tuple[Entity, ...]
    references: tuple[ReferenceTriple, ...]
    other_triples: Values = field(default_factory=dict)
    extensions: Values = field(default_factory=dict)

    def encode(self) -> bytes:
        """The CoMID as the content of tag 506."""
        triples: dict[object, object] = dict(self.other_triples.items())
        if self.references:
            triples[_REFERENCE] = [_encode_triple(triple) for triple in self.references]
        version = {} if self.version is None else {1: self.version}
        members: dict[object, object] = {_IDENTITY: {0: self.identifier, **version}}
        if self.entities:
            members[_ENTITIES] = [encode_entity(entity) for entity in self.entities]
        members[_TRIPLES] = triples
        members.update(self.extensions.items())
        return cbor.encode(members)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The CoMID that `data` holds, with or without tag 506 around it. Raises `FormatError`."""
        value = cbor.decode(data, what="CoMID", limit=LIMIT)
        if isinstance(value, Tag) and value.number == COMID:
            value = (
                cbor.decode(value.value, what="CoMID", limit=LIMIT) if isinstance(value.value, bytes) else value.value
            )
        members = dict(mapped(value, "CoMID"))
        identity = mapped(members.pop(_IDENTITY, None), "CoMID: identity")
        version = identity.get(1)
        triples = dict(mapped(members.pop(_TRIPLES, None), "CoMID: triples"))
        references = listed(triples.pop(_REFERENCE, []), "CoMID: reference triples")
        if not (version is None or type(version) is int) or len(references) > MAX_TRIPLES:
            msg = f"CoMID: a version that is no number, or over {MAX_TRIPLES} triples"
            raise FormatError(msg)
        return cls(
            identifier=identifier(identity.get(0), what="CoMID: id"),
            version=version,
            entities=tuple(decode_entity(entry) for entry in listed(members.pop(_ENTITIES, []), "CoMID: entities")),
            references=tuple(_triple(entry) for entry in references),
            other_triples=triples,
            extensions=members,
        )


def _triple(value: object) -> ReferenceTriple:
    entries = listed(value, "CoMID: reference triple")
    if len(entries) != 2:  # environment and measurements
        raise FormatError("CoMID: a reference triple is not a pair")
    measurements = entries[1] if isinstance(entries[1], list) else [entries[1]]
    return ReferenceTriple(environment=_environment(entries[0]), measurements=tuple(map(_measurement, measurements)))


def _environment(value: object) -> Environment:
    members = mapped(value, "CoMID: environment")
    named = mapped(members.get(_CLASS, {}), "CoMID: class")
    vendor, model, layer, index = named.get(1, ""), named.get(2, ""), named.get(3), named.get(4)
    if not (isinstance(vendor, str) and isinstance(model, str)):
        raise FormatError("CoMID: vendor and model of a class are not text")
    if not all(number is None or type(number) is int for number in (layer, index)):
        raise FormatError("CoMID: layer and index of a class are not numbers")
    return Environment(
        class_id=named.get(0),
        vendor=vendor,
        model=model,
        layer=layer,
        index=index,
        instance=members.get(_INSTANCE),
        group=members.get(_GROUP),
    )


def _measurement(value: object) -> Measurement:
    members = mapped(value, "CoMID: measurement")
    values = dict(mapped(members.get(1), "CoMID: measurement values"))
    name = values.pop(_NAME, "")
    if not isinstance(name, str):
        raise FormatError("CoMID: the name of a measurement is not text")
    registers = mapped(values.pop(_REGISTERS, {}), "CoMID: integrity registers")
    return Measurement(
        key=members.get(0),
        digests=decode_digests(values.pop(_DIGESTS, [])),
        registers={key: decode_digests(entry) for key, entry in registers.items()},
        name=name,
        others=values,
    )


def decode_digests(value: object) -> tuple[Digest, ...]:
    """The digests that a list of pairs holds. Raises `FormatError`."""
    return tuple(_digest(entry) for entry in listed(value, "CoMID: digests"))


def _digest(value: object) -> Digest:
    match value:
        case [int() | str() as label, bytes(digest)]:
            return Digest(label=label, value=digest)
        case _:
            raise FormatError("CoMID: a digest is not a pair of algorithm and bytes")


def _encode_triple(triple: ReferenceTriple) -> list[object]:
    return [_encode_environment(triple.environment), [_encode_measurement(each) for each in triple.measurements]]


def _encode_environment(place: Environment) -> dict[int, object]:
    named = {0: place.class_id, 1: place.vendor or None, 2: place.model or None, 3: place.layer, 4: place.index}
    kept = {key: value for key, value in named.items() if value is not None}
    members = {_CLASS: kept or None, _INSTANCE: place.instance, _GROUP: place.group}
    return {key: value for key, value in members.items() if value is not None}


def _encode_measurement(measurement: Measurement) -> dict[int, object]:
    values: dict[object, object] = dict(measurement.others.items())
    if measurement.digests:
        values[_DIGESTS] = [_encode_digest(digest) for digest in measurement.digests]
    if measurement.name:
        values[_NAME] = measurement.name
    if measurement.registers:
        values[_REGISTERS] = {key: [_encode_digest(d) for d in each] for key, each in measurement.registers.items()}
    return ({} if measurement.key is None else {0: measurement.key}) | {1: values}


def _encode_digest(digest: Digest) -> list[object]:
    return [digest.label, digest.value]
