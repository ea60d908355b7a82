"""Evidence files of NVIDIA's tools, in JSON: reports of one or more devices, each with its chain and nonce.

A list of `{arch, nonce, evidence, certificate}` (attestation SDK; newer ones add `version`, `driver_version` and
`vbios_version`), one such object alone, or the request that the remote service takes:
`{nonce, arch, evidence_list: [{evidence, certificate}]}`. `evidence` and `certificate` are base64; the latter of PEM.
Members that are not known are left unread: none of them proves anything.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import pem
from warily.formats._json import JsonObject

LIMIT: Final = 4 << 20
MAX_DEVICES: Final = 64
_REPORT: Final = 1 << 18
_LIST: Final = "evidence_list"
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaFileEntry:
    """One device: report and certificates (DER); what the file says beside them is None where it does not."""

    report: bytes
    certificates: tuple[bytes, ...]
    nonce: bytes | None
    arch: str | None
    driver_version: str | None
    vbios_version: str | None

    @classmethod
    def read(cls, entry: JsonObject, *, nonce: bytes | None, arch: str | None) -> Self:
        """The device of one object; `nonce` and `arch` are those of the request around it, if any."""
        own = _hexadecimal(entry, "nonce")
        return cls(
            report=_base64(entry, "evidence"),
            certificates=_certificates(entry),
            nonce=nonce if own is None else own,
            arch=_text(entry, "arch") or arch,
            driver_version=_text(entry, "driver_version"),
            vbios_version=_text(entry, "vbios_version"),
        )


def looks_like(keys: tuple[str, ...]) -> bool:
    """Whether an object with these keys is such evidence."""
    return {"evidence", "certificate"} <= set(keys) or {"nonce", _LIST} <= set(keys)


def is_list(data: bytes) -> bool:
    """Whether the text is a JSON list whose first entry is such evidence, by its beginning."""
    text = data.removeprefix(_BOM).lstrip()
    return text[:1] == b"[" and text[1:].lstrip()[:1] == b"{" and b'"evidence"' in data and b'"certificate"' in data


def decode(data: bytes) -> tuple[NvidiaFileEntry, ...]:
    """The devices of a file, at least one and at most 64. Raises `FormatError`."""
    text = data.removeprefix(_BOM).strip()
    if len(text) > LIMIT:
        msg = f"NVIDIA evidence: {len(text)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    if text.startswith(b"["):
        text = b'{"' + _LIST.encode() + b'":' + text + b"}"
    top = JsonObject.parse(text, what="NVIDIA evidence", limit=LIMIT + 32)
    if _LIST not in top:
        return (NvidiaFileEntry.read(top, nonce=None, arch=None),)
    nonce, arch = _hexadecimal(top, "nonce"), _text(top, "arch")
    entries = top.objects(_LIST, limit=MAX_DEVICES)
    found = tuple(NvidiaFileEntry.read(entry, nonce=nonce, arch=arch) for entry in entries)
    if not found:
        msg = "NVIDIA evidence: the list of devices is empty"
        raise FormatError(msg)
    return found


def _base64(entry: JsonObject, key: str) -> bytes:
    try:
        return base64.b64decode(entry.text(key, limit=_REPORT), validate=True)
    except (binascii.Error, ValueError):
        msg = f"NVIDIA evidence: {key} is not base64"
        raise FormatError(msg) from None


def _certificates(entry: JsonObject) -> tuple[bytes, ...]:
    if "certificate" not in entry or not entry.text("certificate", limit=_REPORT):
        return ()
    blocks = pem.decode_blocks(_base64(entry, "certificate"))
    return tuple(block.der for block in blocks if block.label == pem.CERTIFICATE)


def _hexadecimal(entry: JsonObject, key: str) -> bytes | None:
    if key not in entry:
        return None
    try:
        return bytes.fromhex(entry.text(key))
    except ValueError:
        msg = f"NVIDIA evidence: {key} is not hexadecimal"
        raise FormatError(msg) from None


def _text(entry: JsonObject, key: str) -> str | None:
    return entry.text(key, limit=64) if key in entry else None
