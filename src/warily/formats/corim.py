"""CoRIM: reference values and endorsements in CBOR, signed or not (draft-ietf-rats-corim-11).

A CoRIM is tag 501 around a map, or a COSE_Sign1 (tag 18) around that. Its tags are byte strings that hold CoMIDs
(506), CoSWIDs (505) or lists of active tags (508). Unknown keys are extensions: they are kept, and not interpreted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from warily.errors import FormatError
from warily.formats import cbor
from warily.formats.cbor import Tag
from warily.formats.cose_sign1 import TAG as SIGNED
from warily.formats.cose_sign1 import CoseSign1

LIMIT: Final = 16 << 20
UNSIGNED: Final = 501
COMID: Final = 506
UUID: Final = 37
URI: Final = 32
OID: Final = 111
EPOCH: Final = 1
CONTENT_TYPE: Final = "application/rim+cbor"
MAX_TAGS: Final = 4096
_ID, _TAGS, _PROFILE, _VALIDITY, _ENTITIES = 0, 1, 3, 4, 5
_WRAPPERS: Final = (500, 502)  # earlier drafts put these around the map and around the signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Who made or signed it. Roles: 0 tag creator, 1 manifest creator, 2 manifest signer, others as drafts say."""

    name: str
    uri: str
    roles: tuple[int, ...]
    extensions: Mapping[int | str | bytes, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corim:
    """The unsigned map. `identifier` is text or a UUID of 16 bytes; times are seconds since 1970, None where open."""

    identifier: str | bytes
    tags: tuple[tuple[int, bytes], ...]
    profile: str
    not_before: int | None
    not_after: int | None
    entities: tuple[Entity, ...]
    extensions: Mapping[int | str | bytes, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The map under tag 501."""
        members: dict[object, object] = {_ID: self.identifier, _TAGS: [Tag(number, body) for number, body in self.tags]}
        if self.profile:
            members[_PROFILE] = Tag(URI, self.profile)
        if self.not_after is not None:
            begin = {} if self.not_before is None else {0: Tag(EPOCH, self.not_before)}
            members[_VALIDITY] = begin | {1: Tag(EPOCH, self.not_after)}
        if self.entities:
            members[_ENTITIES] = [encode_entity(entity) for entity in self.entities]
        return cbor.encode(Tag(UNSIGNED, members | dict(self.extensions)))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The CoRIM that `data` (at most 16 MiB) holds, under tag 501. Raises `FormatError`."""
        value = unwrapped(cbor.decode(data, what="CoRIM", limit=LIMIT))
        if not isinstance(value, Tag) or value.number != UNSIGNED or not isinstance(value.value, dict):
            msg = f"CoRIM: not a map under tag {UNSIGNED}"
            raise FormatError(msg)
        members = dict(value.value)
        begin, end = _validity(members.pop(_VALIDITY, None))
        return cls(
            identifier=identifier(members.pop(_ID, None), what="CoRIM: id"),
            tags=_tags(members.pop(_TAGS, None)),
            profile=_profile(members.pop(_PROFILE, None)),
            not_before=begin,
            not_after=end,
            entities=tuple(decode_entity(entry) for entry in listed(members.pop(_ENTITIES, []), "CoRIM: entities")),
            extensions=members,
        )


def is_signed(data: bytes) -> bool:
    """The first tag says COSE_Sign1, bare or in the wrapper of earlier drafts. Nothing else is looked at."""
    return data[:1] == b"\xd2" or data[:4] in (b"\xd9\x01\xf6\xd2", b"\xd9\x01\xf4\xd9")


def signature_of(data: bytes) -> CoseSign1:
    """The signed message around a CoRIM. Its payload is the CoRIM. Raises `FormatError`."""
    value = unwrapped(cbor.decode(data, what="signed CoRIM", limit=LIMIT))
    if not isinstance(value, Tag) or value.number != SIGNED:
        raise FormatError("signed CoRIM: not a COSE_Sign1")
    return CoseSign1.decode(cbor.encode(value), what="signed CoRIM")


def unwrapped(value: Any) -> Any:  # noqa: ANN401  # CBOR is what it is
    """The value below the outer tags of earlier drafts."""
    while isinstance(value, Tag) and value.number in _WRAPPERS:
        value = value.value
    return value


def identifier(value: object, *, what: str) -> str | bytes:
    """Text, or a UUID of 16 bytes, tagged or not. Raises `FormatError`."""
    if isinstance(value, Tag) and value.number == UUID:
        value = value.value
    if isinstance(value, str) or (isinstance(value, bytes) and len(value) == 16):  # a UUID
        return value
    msg = f"{what} is neither text nor a UUID"
    raise FormatError(msg)


def listed(value: object, what: str) -> list[Any]:
    """The value, which must be a list. Raises `FormatError`."""
    if not isinstance(value, list):
        msg = f"{what} is not a list"
        raise FormatError(msg)
    return value


def mapped(value: object, what: str) -> dict[int | str | bytes, Any]:
    """The value, which must be a map. Raises `FormatError`."""
    if not isinstance(value, dict):
        msg = f"{what} is not a map"
        raise FormatError(msg)
    return value


def encode_entity(entity: Entity) -> dict[object, object]:
    """The entity as a map."""
    uri: dict[object, object] = {1: Tag(URI, entity.uri)} if entity.uri else {}
    return {0: entity.name, **uri, 2: list(entity.roles), **dict(entity.extensions.items())}


def decode_entity(value: object) -> Entity:
    """The entity that a map holds. Raises `FormatError`."""
    members = dict(mapped(value, "CoRIM: entity"))
    name, uri = members.pop(0, None), members.pop(1, "")
    roles = listed(members.pop(2, []), "CoRIM: roles of an entity")
    uri = uri.value if isinstance(uri, Tag) and uri.number == URI else uri
    if not isinstance(name, str) or not isinstance(uri, str) or not all(type(role) is int for role in roles):
        raise FormatError("CoRIM: an entity without name, or with a URI or roles that are none")
    return Entity(name=name, uri=uri, roles=tuple(roles), extensions=members)


def _tags(value: object) -> tuple[tuple[int, bytes], ...]:
    entries = listed(value, "CoRIM: tags")
    if len(entries) > MAX_TAGS or not all(isinstance(tag, Tag) and isinstance(tag.value, bytes) for tag in entries):
        msg = f"CoRIM: tags are not at most {MAX_TAGS} tagged byte strings"
        raise FormatError(msg)
    return tuple((tag.number, tag.value) for tag in entries)


def _profile(value: object) -> str:
    """The profile's URI, or its object identifier in dotted form; empty where there is none."""
    match value:
        case None:
            return ""
        case Tag(number=32, value=str(uri)):
            return uri
        case Tag(number=111, value=bytes(body)):
            return f"oid:{body.hex()}"
        case str():
            return value
        case _:
            raise FormatError("CoRIM: the profile is neither a URI nor an object identifier")


def _validity(value: object) -> tuple[int | None, int | None]:
    if value is None:
        return None, None
    members = mapped(value, "CoRIM: validity")
    return _time(members.get(0)), _time(members.get(1))


def _time(value: object) -> int | None:
    match value:
        case None:
            return None
        case Tag(number=1, value=int(seconds)):
            return seconds
        case _:
            raise FormatError("CoRIM: a time is not in whole seconds since 1970")
