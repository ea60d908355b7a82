"""From a device's certificate up to a root, with the algorithms that device makers use: ECDSA and RSA.

Nothing is trusted here: whether the top of a path is an anchor, the caller decides.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from warily.errors import FormatError
from warily.formats import _der
from warily.formats._der import DerReader
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509

MAX_DEPTH: Final = 8
MINIMUM_RSA_BITS: Final = 2048
BASIC_CONSTRAINTS: Final = "2.5.29.19"
KEY_USAGE: Final = "2.5.29.15"
# Critical extensions that are looked at, or that limit nothing that is done here.
UNDERSTOOD: Final = frozenset({BASIC_CONSTRAINTS, KEY_USAGE, "2.5.29.17", "2.5.29.37"})
DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN = 0, 5, 6
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
# AlgorithmIdentifiers (RFC 4055 and RFC 5758), whole, as they stand in DER.
PKCS1: Final[dict[bytes, Callable[[], HashAlgorithm]]] = {
    bytes.fromhex(f"300d06092a864886f70d0101{last}0500"): made
    for last, made in (("0b", SHA256), ("0c", SHA384), ("0d", SHA512))
}
ECDSA: Final[dict[bytes, Callable[[], HashAlgorithm]]] = {
    bytes.fromhex(f"300a06082a8648ce3d0403{last}"): made
    for last, made in (("02", SHA256), ("03", SHA384), ("04", SHA512))
}

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@lru_cache(maxsize=x509.REMEMBERED)
def load_key(spki: bytes) -> PublicKey | None:
    """The RSA key of 2048 bits or more, or the key on a NIST curve, of a SubjectPublicKeyInfo; None for any other."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return key if key.key_size >= MINIMUM_RSA_BITS else None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES) else None


def verifies(spki: bytes, algorithm: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature of a certificate, list or status verifies: RSA PKCS#1 or ECDSA, SHA-256 or longer."""
    key = load_key(spki)
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm in PKCS1:
            key.verify(signature, message, padding.PKCS1v15(), PKCS1[algorithm]())
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in ECDSA:
            key.verify(signature, message, ec.ECDSA(ECDSA[algorithm]()))
            return True
    except InvalidSignature:
        return False
    return False


_verified = lru_cache(maxsize=x509.REMEMBERED)(verifies)  # for certificates only: lists are large


def signs(issuer: Certificate, child: Certificate | RevocationList) -> bool:
    """Whether `issuer` has the name that `child` gives as its issuer's, and its key signed `child`."""
    check = verifies if isinstance(child, RevocationList) else _verified
    return issuer.subject == child.issuer and check(issuer.public_key, child.algorithm, child.signature, child.tbs)


def is_self_issued(certificate: Certificate) -> bool:
    """Whether it names itself as its issuer, as roots do."""
    return certificate.issuer == certificate.subject


def may(certificate: Certificate, use: int) -> bool:
    """Whether the key usage allows a use, by the number of its bit; a certificate without key usage allows all."""
    usage = certificate.extensions.get(KEY_USAGE)
    if usage is None:
        return True
    bits = DerReader(usage.value, what="key usage").take(_der.BIT_STRING, "bits").content
    return len(bits) > 1 and bool(bits[1] >> (7 - use) & 1)


def may_certify(issuer: Certificate, below: int) -> bool:
    """Whether an authority may have `below` further authorities under it (RFC 5280, sections 4.2.1.3 and 4.2.1.9)."""
    constraints = issuer.extensions.get(BASIC_CONSTRAINTS)
    if constraints is None or not issuer.is_authority or not may(issuer, KEY_CERT_SIGN):
        return False
    inner = _der.only(constraints.value, _der.SEQUENCE, what="basic constraints")
    inner.any("authority")
    return not inner.has(_der.INTEGER) or inner.integer("path length", limit=2) >= below


def unknown_critical(certificate: Certificate) -> list[str]:
    """Critical extensions that nothing here understands."""
    return [oid for oid, entry in certificate.extensions.items() if entry.critical and oid not in UNDERSTOOD]


def climb(leaf: Certificate, offered: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The leaf, and above each certificate the one that signed it, or else one that has its issuer's name.

    Ends at a certificate that issued itself, where nobody is found, or after eight steps.
    """
    path = [leaf]
    while len(path) <= MAX_DEPTH and not is_self_issued(path[-1]):
        named = [entry for entry in offered if entry.subject == path[-1].issuer and entry not in path]
        found = next((entry for entry in named if signs(entry, path[-1])), named[0] if named else None)
        if found is None:
            break
        path.append(found)
    return tuple(path)


def broken_link(path: Sequence[Certificate]) -> str | None:
    """What is wrong with the first bad link, in words; None where every certificate is signed by the next, which may.

    The last one signs itself where it names itself as its issuer.
    """
    top = path[-1]
    pairs = [*pairwise(path), *([(top, top)] if is_self_issued(top) else [])]
    for below, (child, issuer) in enumerate(pairs):
        unknown = unknown_critical(child)
        if unknown:
            return f"{child.name} has the critical extension {unknown[0]}, which is not understood"
        if not signs(issuer, child):
            return f"the signature on {child.name} is not by {issuer.name}"
        if not _certifies(issuer, max(0, below - (child is issuer))):
            return f"{issuer.name} may not certify {child.name}"
    return None


def _certifies(issuer: Certificate, below: int) -> bool:
    try:
        return may_certify(issuer, below)
    except FormatError:
        return False


def out_of_date(path: Sequence[Certificate], at: datetime) -> Certificate | None:
    """The first certificate that is not valid at the given time."""
    return next((entry for entry in path if not x509.is_valid_at(entry, at)), None)
