"""The JSON Schema of manifests and of the in-toto statement around them, made from the members and an example."""

from typing import Any, Final

from docs.sources import MANIFEST_MEMBERS, example_manifest
from warily.core.manifest import SCHEMA
from warily.core.shape_rules import CONDITIONS, SIZES
from warily.release.signing import PREDICATE_TYPE, STATEMENT_TYPE

IDENTIFIER: Final = "urn:warily:schema:manifest:2"
# Objects whose members are free: the shapes of a value, and digests by algorithm.
FREE: Final = ("when", "digests")
OPTIONAL: Final = ("td_hob",)
WIDTHS: Final = {"sha256": 32, "root_hash": 32, "grantor": 32, "seed": 48}  # bytes in hexadecimal
BYTES: Final = ("salt", "value")


def schema() -> dict[str, Any]:
    """A document that accepts every manifest this version writes, and with `$defs.statement` what is signed."""
    manifest = _object(example_manifest().as_json(), "")
    manifest["properties"]["schema"] = {"const": SCHEMA, "description": MANIFEST_MEMBERS["schema"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": IDENTIFIER,
        "title": "warily manifest",
        "description": "The predicate of a signed in-toto statement, for which see $defs.statement.",
        **manifest,
        "$defs": {"statement": _statement()},
    }


def _statement() -> dict[str, Any]:
    digest = {
        "type": "object",
        "properties": {"sha256": _hexadecimal(WIDTHS["sha256"])},
        "required": ["sha256"],
        "additionalProperties": False,
    }
    subject = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "digest": digest},
        "required": ["name", "digest"],
        "additionalProperties": False,
    }
    properties = {
        "_type": {"const": STATEMENT_TYPE},
        "subject": {"type": "array", "items": subject, "description": "the image's files: exactly the ingredients"},
        "predicateType": {"const": PREDICATE_TYPE},
        "predicate": {"$ref": "#", "description": "the manifest"},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _object(value: dict[str, Any], path: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: _value(key, member, f"{path}{key}") for key, member in value.items()},
        "required": [key for key in value if key not in OPTIONAL],
        "additionalProperties": False,
    }


def _value(key: str, value: object, path: str) -> dict[str, Any]:
    said = {"description": MANIFEST_MEMBERS[path]} if path in MANIFEST_MEMBERS else {}
    match value:
        case dict() if key in FREE:
            return {**said, **_free(key, path)}
        case dict():
            return {**said, **_object(value, f"{path}.")}
        case [dict(first), *_]:
            listed = MANIFEST_MEMBERS[f"{path}[]"]
            return {"type": "array", "items": _object(first, f"{path}[]."), "description": listed}
        case list():
            return {"type": "array", "items": {"type": "string"}, "description": MANIFEST_MEMBERS[f"{path}[]"]}
        case int():
            return {**said, "type": "integer", "minimum": 0}
        case _ if key in WIDTHS:
            return {**said, **_hexadecimal(WIDTHS[key])}
        case _ if key in BYTES:
            return {**said, "type": "string", "pattern": "^(?:[0-9a-f]{2})*$"}
        case _:
            return {**said, "type": "string"}


def _free(key: str, path: str) -> dict[str, Any]:
    if key == "digests":
        sizes = {name: _hexadecimal(size) for name, size in SIZES.items()}
        return {"type": "object", "properties": sizes, "additionalProperties": False}
    found: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
    return found | ({"propertyNames": {"enum": sorted(CONDITIONS)}} if path.startswith("events") else {})


def _hexadecimal(size: int) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^[0-9a-f]{{{2 * size}}}$"}
