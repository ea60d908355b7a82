"""X.509 certificates and revocation lists (RFC 5280) as typed values, signatures not yet checked.

Parsed here, and not by a library, because every VCEK and VLEK that AMD issues has the serial number 0,
which RFC 5280 forbids and libraries announce to refuse. Bytes that a signature covers are kept as received.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _der
from warily.formats._der import DerReader

CERTIFICATE_LIMIT: Final = 16 << 10
CRL_LIMIT: Final = 1 << 20
MAX_EXTENSIONS: Final = 64

_TIME: Final = re.compile(rb"[0-9]{14}Z")
_COMMON_NAME: Final = "2.5.4.3"
_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_CRL_NUMBER: Final = "2.5.29.20"
_STRINGS: Final = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One extension: whether it is critical, and the content of its OCTET STRING."""

    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate. `raw` is all of it; `tbs`, `algorithm`, `issuer`, `subject`, `public_key` are DER as received."""

    raw: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    serial: int
    algorithm: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    subject: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    public_key: bytes = field(repr=False)
    extensions: Mapping[str, Extension] = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The common name of the subject, or `?`."""
        return common_name(self.subject)

    @property
    def is_authority(self) -> bool:
        """Whether the basic constraints say CA."""
        basic = self.extensions.get(_BASIC_CONSTRAINTS)
        return basic is not None and basic.value[2:5] == b"\x01\x01\xff"

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The certificate that `data` (DER, at most 16 KiB) is. Raises `FormatError`."""
        tbs, algorithm, signature = _signed(data, what="certificate", limit=CERTIFICATE_LIMIT)
        body = _der.only(tbs, _der.SEQUENCE, what="certificate")
        version = 1
        if body.has(_der.EXPLICIT):
            version = 1 + body.inside(_der.EXPLICIT, "version").integer("version", limit=1)
        serial = body.integer("serial number", limit=32)
        if body.raw(_der.SEQUENCE, "signature algorithm") != algorithm:
            msg = "certificate: the two signature algorithms differ"
            raise FormatError(msg)
        issuer = body.raw(_der.SEQUENCE, "issuer")
        validity = body.inside(_der.SEQUENCE, "validity")
        not_before, not_after = _time(validity, "not before"), _time(validity, "not after")
        validity.finish()
        subject = body.raw(_der.SEQUENCE, "subject")
        public_key = body.raw(_der.SEQUENCE, "public key")
        extensions = (
            _extensions(body.inside(_der.EXPLICIT | 3, "extensions")) if version == 3 and not body.empty else {}
        )
        body.finish()
        return cls(
            raw=data,
            tbs=tbs,
            serial=serial,
            algorithm=algorithm,
            issuer=issuer,
            subject=subject,
            not_before=not_before,
            not_after=not_after,
            public_key=public_key,
            extensions=extensions,
            signature=signature,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """A certificate revocation list. `next_update` and `number` (CRL number) are None where the list does not say."""

    raw: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    algorithm: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    this_update: datetime
    next_update: datetime | None
    serials: frozenset[int]
    number: int | None
    signature: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The common name of the issuer, or `?`."""
        return common_name(self.issuer)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The list that `data` (DER, at most 1 MiB) is. Raises `FormatError`, also for critical extensions."""
        tbs, algorithm, signature = _signed(data, what="CRL", limit=CRL_LIMIT)
        body = _der.only(tbs, _der.SEQUENCE, what="CRL")
        if body.has(_der.INTEGER):
            body.integer("version", limit=1)
        if body.raw(_der.SEQUENCE, "signature algorithm") != algorithm:
            msg = "CRL: the two signature algorithms differ"
            raise FormatError(msg)
        issuer = body.raw(_der.SEQUENCE, "issuer")
        this_update = _time(body, "this update")
        dated = body.has(_der.UTC_TIME) or body.has(_der.GENERALIZED_TIME)
        next_update = _time(body, "next update") if dated else None
        listed = body.inside(_der.SEQUENCE, "revoked certificates") if body.has(_der.SEQUENCE) else None
        extensions = _extensions(body.inside(_der.EXPLICIT, "extensions")) if body.has(_der.EXPLICIT) else {}
        _no_critical(extensions)
        body.finish()
        return cls(
            raw=data,
            tbs=tbs,
            algorithm=algorithm,
            issuer=issuer,
            this_update=this_update,
            next_update=next_update,
            serials=frozenset(_serials(listed)) if listed else frozenset(),
            number=_crl_number(extensions),
            signature=signature,
        )


@lru_cache(maxsize=256)
def common_name(name: bytes) -> str:
    """The first common name of a DER Name, printable and at most 64 characters, or `?`."""
    parts = _der.only(name, _der.SEQUENCE, what="name")
    while not parts.empty:
        attributes = parts.inside(_der.SET, "relative name")
        while not attributes.empty:
            attribute = attributes.inside(_der.SEQUENCE, "attribute")
            kind, value = attribute.oid("type"), attribute.any("value")
            if kind == _COMMON_NAME and value.tag in _STRINGS:
                text = value.content.decode(_STRINGS[value.tag], "replace")[:64]
                return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)
    return "?"


def _signed(data: bytes, *, what: str, limit: int) -> tuple[bytes, bytes, bytes]:
    """What is signed, by which algorithm, and the signature, of any X.509 object."""
    if len(data) > limit:
        msg = f"{what}: {len(data)} bytes are over the limit of {limit}"
        raise FormatError(msg)
    outer = _der.only(data, _der.SEQUENCE, what=what)
    tbs = outer.raw(_der.SEQUENCE, "signed part")
    algorithm = outer.raw(_der.SEQUENCE, "signature algorithm")
    bits = outer.content(_der.BIT_STRING, "signature")
    outer.finish()
    if bits[:1] != b"\x00":
        msg = f"{what}: the signature is not a whole number of bytes"
        raise FormatError(msg)
    return tbs, algorithm, bits[1:]


def _time(source: DerReader, field_name: str) -> datetime:
    """The next element as a time in UTC (RFC 5280 section 4.1.2.5)."""
    element = source.any(field_name)
    text = element.content
    if element.tag == _der.UTC_TIME:
        text = (b"19" if text >= b"50" else b"20") + text
    elif element.tag != _der.GENERALIZED_TIME:
        text = b""
    try:
        return datetime.fromisoformat(f"{text[:8].decode()}T{text[8:].decode()}" if _TIME.fullmatch(text) else "")
    except ValueError:
        msg = f"{field_name} is not a time in UTC"
        raise FormatError(msg) from None


def _extensions(outer: DerReader) -> dict[str, Extension]:
    """The extensions by object identifier; one that appears twice is an error."""
    found: dict[str, Extension] = {}
    listed = outer.inside(_der.SEQUENCE, "list")
    outer.finish()
    for entry in listed.each(_der.SEQUENCE, "entry"):
        oid = entry.oid("identifier")
        critical = entry.has(_der.BOOLEAN) and entry.content(_der.BOOLEAN, "critical") != b"\x00"
        value = entry.content(_der.OCTET_STRING, "value")
        if oid in found or len(found) == MAX_EXTENSIONS:
            msg = f"extension {oid} appears twice, or there are over {MAX_EXTENSIONS}"
            raise FormatError(msg)
        found[oid] = Extension(critical=critical, value=value)
    return found


# A revocation as most authorities write it: a serial number of 17 to 21 bytes, a date, and a reason (RFC 5280, 5.3.1).
_REVOCATION: Final = re.compile(
    b"\x30(?:%s)\x17\x0d.{13}%s."
    % (
        b"|".join(
            b"%c\x02%c(?:[\x01-\x7f].|\x00[\x80-\xff]).{%d}" % (size + 31, size, size - 2) for size in range(17, 22)
        ),
        re.escape(bytes.fromhex("300c300a0603551d1504030a01")),
    ),
    re.DOTALL,
)
_SERIAL: Final = slice(4, -29)  # where such a revocation has the serial number


def _serials(listed: DerReader) -> list[int]:
    """The serial numbers that a list names, whatever the reason and the date."""
    usual = _REVOCATION.findall(listed.rest)
    if sum(map(len, usual)) == len(listed.rest):
        return [int.from_bytes(entry[_SERIAL], "big") for entry in usual]
    found = []
    for entry in listed.each(_der.SEQUENCE, "revoked certificate"):
        found.append(entry.integer("serial number", limit=32))
        if not (entry.has(_der.UTC_TIME) or entry.has(_der.GENERALIZED_TIME)):
            msg = "CRL: a revocation without its date"
            raise FormatError(msg)
        entry.any("revocation date")
        if entry.has(_der.SEQUENCE):
            entry.any("extensions")
    return found


def _crl_number(extensions: Mapping[str, Extension]) -> int | None:
    """The number of the list among its issuer's, which only grows (RFC 5280 section 5.2.3)."""
    extension = extensions.get(_CRL_NUMBER)
    if extension is None:
        return None
    reader = DerReader(extension.value, what="CRL number")
    number = reader.integer("value", limit=21)
    reader.finish()
    return number


def _no_critical(extensions: Mapping[str, Extension]) -> None:
    """A list whose meaning an unknown critical extension changes cannot be used (RFC 5280 section 5.2)."""
    for oid, extension in extensions.items():
        if extension.critical:
            msg = f"CRL: critical extension {oid} is not understood"
            raise FormatError(msg)
