"""Answers of the Online Certificate Status Protocol (RFC 6960), in DER: which certificates are good, and until when."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _der
from warily.formats._der import DerReader

LIMIT: Final = 1 << 16
MAX_STATUSES: Final = 64
MAX_CERTIFICATES: Final = 8
BASIC: Final = "1.3.6.1.5.5.7.48.1.1"
CERTIFICATE_HOLD: Final = 6
_ENUMERATED: Final = 0x0A
_GOOD: Final = 0x80
_REVOKED: Final = 0xA1
_UNKNOWN: Final = 0x82
_REASONS: Final = {
    0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded",
    5: "cessationOfOperation", 6: "certificateHold", 8: "removeFromCRL", 9: "privilegeWithdrawn", 10: "aACompromise",
}  # fmt: skip


class Status(StrEnum):
    """What the responder says of one certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleStatus:
    """The status of one certificate, named by hashes of its issuer and its serial number."""

    hash_algorithm: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int
    status: Status
    reason: int | None
    this_update: datetime
    next_update: datetime | None

    @property
    def reason_name(self) -> str:
        """The reason of a revocation, such as `certificateHold`."""
        return _REASONS.get(self.reason or 0, "unspecified")


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspResponse:
    """One answer. `signed` is what the signature covers, `certificates` (DER) may hold that of the responder."""

    signed: bytes = field(repr=False)
    algorithm: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    produced_at: datetime
    statuses: tuple[SingleStatus, ...]
    certificates: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The answer that `data` (DER, at most 64 KiB) is. Raises `FormatError`, also for one that is an error."""
        if len(data) > LIMIT:
            msg = f"OCSP response: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        outer = _der.only(data, _der.SEQUENCE, what="OCSP response")
        code = outer.take(_ENUMERATED, "status").content
        if code != b"\x00":
            msg = f"OCSP response: the responder answered with error {code.hex()}"
            raise FormatError(msg)
        body = outer.inside(_der.EXPLICIT, "response bytes").inside(_der.SEQUENCE, "response bytes")
        if body.oid("type") != BASIC:
            msg = "OCSP response: not a basic response"
            raise FormatError(msg)
        return cls._basic(_der.only(body.take(_der.OCTET_STRING, "response").content, _der.SEQUENCE, what="OCSP"))

    @classmethod
    def _basic(cls, basic: DerReader) -> Self:
        signed = basic.take(_der.SEQUENCE, "response data").raw
        algorithm = basic.take(_der.SEQUENCE, "signature algorithm").raw
        bits = basic.take(_der.BIT_STRING, "signature").content
        certificates: list[bytes] = []
        if basic.has(_der.EXPLICIT):
            listed = basic.inside(_der.EXPLICIT, "certificates").inside(_der.SEQUENCE, "certificates")
            while not listed.empty:
                certificates.append(listed.take(_der.SEQUENCE, "certificate").raw)
        basic.finish()
        if bits[:1] != b"\x00" or len(certificates) > MAX_CERTIFICATES:
            msg = f"OCSP response: a broken signature, or over {MAX_CERTIFICATES} certificates"
            raise FormatError(msg)
        produced_at, statuses = _response_data(_der.only(signed, _der.SEQUENCE, what="OCSP response data"))
        return cls(
            signed=signed,
            algorithm=algorithm,
            signature=bits[1:],
            produced_at=produced_at,
            statuses=statuses,
            certificates=tuple(certificates),
        )


def looks_like(data: bytes) -> bool:
    """Whether the bytes begin as an answer does: a sequence whose first element is an ENUMERATED of one byte."""
    if data[:1] != b"\x30" or len(data) < 8:
        return False
    start = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)
    return data[start : start + 2] == b"\x0a\x01"


def _response_data(data: DerReader) -> tuple[datetime, tuple[SingleStatus, ...]]:
    if data.has(_der.EXPLICIT):
        data.any("version")
    data.any("responder")
    produced_at = _time(data, "produced at")
    listed = data.inside(_der.SEQUENCE, "statuses")
    found: list[SingleStatus] = []
    while not listed.empty:
        if len(found) == MAX_STATUSES:
            msg = f"OCSP response: over {MAX_STATUSES} statuses"
            raise FormatError(msg)
        found.append(_single(listed.inside(_der.SEQUENCE, "status")))
    return produced_at, tuple(found)


def _single(entry: DerReader) -> SingleStatus:
    named = entry.inside(_der.SEQUENCE, "certificate id")
    hash_algorithm = named.inside(_der.SEQUENCE, "hash").oid("hash")
    name_hash, key_hash = (named.take(_der.OCTET_STRING, part).content for part in ("issuer name", "issuer key"))
    serial = named.integer("serial number", limit=32)
    named.finish()
    said = entry.any("status")
    reason = None
    if said.tag == _REVOKED:
        inside = DerReader(said.content, what="OCSP revocation")
        _time(inside, "revoked at")
        if not inside.empty:
            content = inside.inside(_der.EXPLICIT, "reason").take(_ENUMERATED, "reason").content
            reason = _der.unsigned(content, what="OCSP reason", limit=1)
    elif said.tag not in (_GOOD, _UNKNOWN):
        msg = f"OCSP response: a status of kind {said.tag:#x}"
        raise FormatError(msg)
    this_update = _time(entry, "this update")
    next_update = _time(entry.inside(_der.EXPLICIT, "next update"), "next update") if entry.has(_der.EXPLICIT) else None
    return SingleStatus(
        hash_algorithm=hash_algorithm,
        issuer_name_hash=name_hash,
        issuer_key_hash=key_hash,
        serial=serial,
        status={_GOOD: Status.GOOD, _REVOKED: Status.REVOKED, _UNKNOWN: Status.UNKNOWN}[said.tag],
        reason=reason,
        this_update=this_update,
        next_update=next_update,
    )


def _time(source: DerReader, name: str) -> datetime:
    text = source.take(_der.GENERALIZED_TIME, name).content.decode("ascii", "replace")
    try:
        if len(text) != 15 or not text[:14].isdecimal() or text[14] != "Z":
            raise ValueError  # noqa: TRY301  # the same message as for a thirteenth month
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        msg = f"OCSP response: {name} is not a time in UTC"
        raise FormatError(msg) from None
