"""Conceptual message wrapper collections (RFC 9999) in JSON: labelled records of typed bytes.

A record is `["media/type", "base64url"]`; a collection is an object of records under their labels.
Only what warily sends is accepted: a flat collection, no indicators, no nesting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError
from warily.formats._json import JsonObject, b64url, from_b64url

MAX_RECORDS: Final = 16
MAX_VALUE: Final = 16 << 20
TYPE_KEY: Final = "__cmwc_t"
COLLECTION_TYPE: Final = "tag:warily,2026:evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Bytes and their media type."""

    media_type: str
    value: bytes


Collection = Mapping[str, Record]


def encode(collection: Collection) -> dict[str, object]:
    """The collection as a JSON value."""
    records: dict[str, object] = {TYPE_KEY: COLLECTION_TYPE}
    for label, record in sorted(collection.items()):
        records[label] = [record.media_type, b64url(record.value)]
    return records


def decode(source: JsonObject) -> Collection:
    """The collection that a JSON object holds."""
    labels = [key for key in source.keys() if key != TYPE_KEY]  # noqa: SIM118  # a JsonObject is no mapping
    if source.text(TYPE_KEY) != COLLECTION_TYPE or len(labels) > MAX_RECORDS:
        msg = f"{source.what}: not a collection of at most {MAX_RECORDS} records of type {COLLECTION_TYPE}"
        raise FormatError(msg)
    return {label: _record(source, label) for label in labels}


def _record(source: JsonObject, label: str) -> Record:
    match source.array(label, limit=2):
        case [str(media_type), str(text)] if len(text) <= MAX_VALUE * 4 // 3 + 4:
            return Record(media_type=media_type, value=from_b64url(text, what=f"{source.what}: {label}"))
        case _:
            msg = f"{source.what}: {label} is not [media type, base64url]"
            raise FormatError(msg)
