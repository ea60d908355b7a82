"""A document, the certificates it brings, and the root that Amazon publishes. Nothing is trusted here."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384

from warily.core.evidence import NitroEvidence
from warily.errors import FormatError
from warily.formats import nitro, pem
from warily.formats._der import DerReader, only
from warily.formats.cose_sign1 import CoseSign1
from warily.formats.nitro import NitroDocument
from warily.formats.x509 import Certificate
from warily.verify import x509

ROOT: Final = "AWS Nitro Root-G1"
# ecdsa-with-SHA384 (RFC 5758): the one algorithm of all Nitro certificates.
_ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_SEQUENCE: Final = 0x30
_BOOLEAN: Final = 0x01
_INTEGER: Final = 0x02


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Whose word authenticity rests on."""

    name: str
    rehearsal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A document and everything its checks look at. `chain` begins with the root and ends with the leaf."""

    message: CoseSign1 = field(repr=False)
    document: NitroDocument
    at: datetime
    rehearsal_roots: frozenset[bytes]
    chain: tuple[Certificate, ...]

    @property
    def made_at(self) -> datetime:
        """When the document says it was made."""
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self.document.timestamp)

    @property
    def anchor(self) -> Anchor | None:
        """The trust anchor that the first certificate is: Amazon's own, or a rehearsal root by its fingerprint."""
        root = self.chain[0]
        if root.raw == pinned().raw:
            return Anchor(name=ROOT, rehearsal=False)
        print_ = x509.fingerprint(root)
        if print_ in self.rehearsal_roots:
            return Anchor(name=f"rehearsal root {print_.hex()[:16]}", rehearsal=True)
        return None


@lru_cache(maxsize=1)
def pinned() -> Certificate:
    """Amazon's root, built in."""
    text = resources.files("warily.verify").joinpath("roots", "aws_nitro_g1.pem").read_bytes()
    return x509.decoded(pem.decode_blocks(text)[0].der)


def pick(evidence: NitroEvidence, *, rehearsal_roots: frozenset[bytes], at: datetime) -> Case:
    """The case that a document makes. Raises `FormatError` for a malformed document or certificate."""
    message, document = nitro.decode_message(evidence.document)
    ders = (*document.cabundle, document.certificate)
    return Case(
        message=message,
        document=document,
        at=at,
        rehearsal_roots=rehearsal_roots,
        chain=tuple(x509.decoded(der) for der in ders),
    )


def is_signed_by(child: Certificate, issuer: Certificate) -> bool:
    """Whether `issuer` is an authority of the name that `child` gives, and its P-384 key signed `child`."""
    return (
        child.issuer == issuer.subject
        and issuer.is_authority
        and child.algorithm == _ECDSA_SHA384
        and _verifies(issuer.public_key, child.signature, child.tbs)
    )


def path_length(authority: Certificate) -> int | None:
    """How many authorities may stand between this one and the leaf (RFC 5280, section 4.2.1.9); None: any number."""
    extension = authority.extensions.get(_BASIC_CONSTRAINTS)
    if extension is None:
        return 0
    inside = only(extension.value, _SEQUENCE, what="basic constraints")
    if inside.has(_BOOLEAN):
        inside.take(_BOOLEAN, "authority")
    limit = _limit(inside)
    inside.finish()
    return limit


def _limit(inside: DerReader) -> int | None:
    return inside.integer("path length", limit=2) if inside.has(_INTEGER) else None


@lru_cache(maxsize=x509.REMEMBERED)
def _verifies(public_key: bytes, signature: bytes, message: bytes) -> bool:
    key = x509.p384_key(public_key)
    if key is None:
        return False
    try:
        key.verify(signature, message, ec.ECDSA(SHA384()))
    except InvalidSignature:
        return False
    return True


def path_is_allowed(chain: tuple[Certificate, ...]) -> bool:
    """Whether no authority of the chain has more authorities below it than it allows."""
    try:
        limits = [path_length(authority) for authority in chain[:-1]]
    except FormatError:
        return False
    below = range(len(limits) - 1, -1, -1)
    return all(limit is None or count <= limit for limit, count in zip(limits, below, strict=True))
