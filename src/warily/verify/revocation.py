"""Is a certificate of a path revoked? Answers of OCSP responders (RFC 6960) and revocation lists, both offline.

A statement counts only where the issuer of the certificate, or a responder that the issuer names, signed it. A good
word counts while it is in date; that a certificate is revoked counts for ever.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from warily.core.finding import Finding, Waived, failed, passed, undecided, waived
from warily.errors import FormatError
from warily.formats import _der, ocsp
from warily.formats._der import DerReader
from warily.formats.ocsp import OcspResponse, SingleStatus, Status
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import certificate_path, x509

SKEW: Final = timedelta(minutes=5)
NOT_JUDGED: Final = Waived("no revocation list and no OCSP answer was given, so revocation was not judged")
_ACCESS: Final = "1.3.6.1.5.5.7.1.1"  # where to ask
_LISTS: Final = "2.5.29.31"
_PURPOSES: Final = "2.5.29.37"
_OCSP_SIGNING: Final = bytes.fromhex("06082b06010505070309")
_HASHES: Final = {
    "1.3.14.3.2.26": hashlib.sha1,  # names an issuer, and protects nothing
    "2.16.840.1.101.3.4.2.1": hashlib.sha256,
    "2.16.840.1.101.3.4.2.2": hashlib.sha384,
    "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Everything offered about revocation."""

    answers: tuple[OcspResponse, ...]
    lists: tuple[RevocationList, ...]


def not_revoked(
    check: str, path: Sequence[Certificate], said: Statements, *, allow_hold: bool, at: datetime
) -> Finding:
    """No certificate of the path is revoked, and each one that says where to ask is covered by a word in date.

    Waived where nothing at all was offered. `allow_hold` lets `certificateHold` pass, visibly.
    """
    if not (said.answers or said.lists):
        return waived(check, NOT_JUDGED)
    held: list[str] = []
    uncovered: list[Certificate] = []
    for child, issuer in pairwise(path):
        verdict = _of_one(child, issuer, said, at)
        if verdict.forged:
            return failed(check, expected=f"a statement signed for {issuer.name}", found="another signature")
        if verdict.on_hold and allow_hold:
            held.append(child.name)
        elif verdict.bad:
            return failed(check, expected=f"{child.name} not revoked", found=verdict.bad)
        elif not verdict.covered and _says_where(child):
            uncovered.append(child)
    if uncovered:
        missing = f"a word in date at {at:%Y-%m-%d} on {uncovered[0].name}"
        return undecided(check, missing=missing, hint="pass current OCSP answers or lists, or --at for old evidence")
    return passed(check, found=f"on hold, and accepted so: {', '.join(held)}" if held else "")


@dataclass(slots=True)
class _Verdict:
    covered: bool = False
    on_hold: bool = False
    forged: bool = False
    bad: str = ""


def _of_one(child: Certificate, issuer: Certificate, said: Statements, at: datetime) -> _Verdict:
    verdict = _Verdict()
    for answer in said.answers:
        for status in answer.statuses:
            if _is_about(status, child, issuer):
                verdict.forged |= not _is_by(answer, issuer, at)
                _add(verdict, status, at)
    for listed in said.lists:
        if listed.issuer == issuer.subject:
            verdict.forged |= not certificate_path.signs(issuer, listed)
            if child.serial in listed.serials:
                verdict.bad, verdict.on_hold = f"serial {child.serial:#x} is on the list of {listed.name}", False
            end = listed.next_update
            verdict.covered |= listed.this_update - SKEW <= at and end is not None and at <= end
    return verdict


def _add(verdict: _Verdict, status: SingleStatus, at: datetime) -> None:
    if status.status is Status.REVOKED:
        verdict.on_hold = status.reason == ocsp.CERTIFICATE_HOLD and not verdict.bad
        verdict.bad = f"revoked: {status.reason_name}"
    elif status.status is Status.UNKNOWN:
        verdict.bad, verdict.on_hold = "the responder does not know it", False
    else:
        end = status.next_update
        verdict.covered |= status.this_update - SKEW <= at and end is not None and at <= end


def _is_about(status: SingleStatus, child: Certificate, issuer: Certificate) -> bool:
    make = _HASHES.get(status.hash_algorithm)
    if make is None or status.serial != child.serial:
        return False
    key = _key_bits(issuer.public_key)
    return (status.issuer_name_hash, status.issuer_key_hash) == (make(issuer.subject).digest(), make(key).digest())


def _key_bits(spki: bytes) -> bytes:
    """The content of the BIT STRING of a key, without the count of unused bits (RFC 6960, section 4.1.1)."""
    reader = _der.only(spki, _der.SEQUENCE, what="public key")
    reader.take(_der.SEQUENCE, "algorithm")
    return reader.take(_der.BIT_STRING, "key").content[1:]


def _is_by(answer: OcspResponse, issuer: Certificate, at: datetime) -> bool:
    """Whether the issuer signed the answer, or a responder whose certificate the issuer signed for that purpose."""
    delegates = [entry for entry in map(_decoded, answer.certificates) if entry and _is_delegate(entry, issuer, at)]
    return any(
        certificate_path.verifies(signer.public_key, answer.algorithm, answer.signature, answer.signed)
        for signer in (issuer, *delegates)
    )


def _decoded(der: bytes) -> Certificate | None:
    try:
        return x509.decoded(der)
    except FormatError:
        return None


def _is_delegate(responder: Certificate, issuer: Certificate, at: datetime) -> bool:
    purposes = responder.extensions.get(_PURPOSES)
    if purposes is None or not certificate_path.signs(issuer, responder):
        return False
    listed = DerReader(purposes.value, what="purposes").inside(_der.SEQUENCE, "purposes")
    named = []
    while not listed.empty:
        named.append(listed.any("purpose").raw)
    return _OCSP_SIGNING in named and x509.is_valid_at(responder, at)


def _says_where(certificate: Certificate) -> bool:
    return _ACCESS in certificate.extensions or _LISTS in certificate.extensions
