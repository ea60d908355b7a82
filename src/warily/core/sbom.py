"""What a software bill of materials says of packages: names, versions, digests. Reads CycloneDX as JSON.

Source: CycloneDX 1.4 to 1.6 (ECMA-424), `components`. Members that say nothing of these are passed over.
"""

import json
from typing import Any, Final, NamedTuple

from warily.errors import FormatError

LIMIT: Final = 64 << 20
MAX_COMPONENTS: Final = 200_000
SHA256_DIGITS: Final = 64


class Component(NamedTuple):
    """A package: `sha256` is empty where the document does not say it, `purl` likewise.

    A named tuple and no record: an image has thousands, and a record takes four times as long to make.
    """

    name: str
    version: str
    purl: str
    sha256: bytes


def read_sbom(text: bytes) -> tuple[Component, ...]:
    """The components in the order of the document. Raises `FormatError`; linear in the size of the text."""
    if len(text) > LIMIT:
        msg = f"SBOM: {len(text)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    try:
        top = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"SBOM: not JSON: {error}"
        raise FormatError(msg) from None
    if not isinstance(top, dict) or top.get("bomFormat") != "CycloneDX":
        raise FormatError("SBOM: not a CycloneDX document")
    entries = top.get("components", [])
    if not isinstance(entries, list) or len(entries) > MAX_COMPONENTS:
        msg = f"SBOM: components are no list of at most {MAX_COMPONENTS}"
        raise FormatError(msg)
    return tuple(_component(entry, at) for at, entry in enumerate(entries))


def _component(entry: Any, at: int) -> Component:  # noqa: ANN401  # whatever JSON holds
    if not isinstance(entry, dict):
        msg = f"SBOM: component {at} is not an object"
        raise FormatError(msg)
    get = entry.get
    name, version, purl = get("name"), get("version", ""), get("purl", "")
    if not (type(name) is type(version) is type(purl) is str):
        msg = f"SBOM: component {at}: name, version or purl is not text"
        raise FormatError(msg)
    return Component(name, version, purl, _sha256(get("hashes", []), at))


def _sha256(hashes: Any, at: int) -> bytes:  # noqa: ANN401  # whatever JSON holds
    if isinstance(hashes, list):
        for entry in hashes:
            if not isinstance(entry, dict):
                break
            if entry.get("alg") == "SHA-256":
                return _bytes(entry.get("content"), at)
        else:
            return b""
    msg = f"SBOM: component {at}: hashes are no list of objects"
    raise FormatError(msg)


def _bytes(content: object, at: int) -> bytes:
    try:
        if isinstance(content, str) and len(content) == SHA256_DIGITS:
            return bytes.fromhex(content)
    except ValueError:
        pass
    msg = f"SBOM: component {at}: its SHA-256 is not {SHA256_DIGITS} hexadecimal digits"
    raise FormatError(msg)
