"""Who signed which certificate. AMD's chains use one algorithm: RSA-PSS, SHA-384, MGF1 with SHA-384, salt 48.

Answers are remembered: the same bytes give the same answer, and a chain is the same for every report of a chip.
"""

import hashlib
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from warily.formats.x509 import Certificate, RevocationList

REMEMBERED: Final = 256
SALT: Final = 48
MINIMUM_RSA_BITS: Final = 3072

# The one AlgorithmIdentifier (RFC 4055), without its outer header. The trailer field is the default, which AMD's
# authorities spell out and other issuers leave away.
_SHA384: Final = bytes.fromhex("300d06096086480165030402020500")
_PSS_OID: Final = bytes.fromhex("06092a864886f70d01010a")
_MGF1_OID: Final = bytes.fromhex("06092a864886f70d010108")
_PARAMETERS: Final = b"\xa0\x0f" + _SHA384 + b"\xa1\x1c\x30\x1a" + _MGF1_OID + _SHA384 + b"\xa2\x03\x02\x01\x30"
_TRAILER: Final = b"\xa3\x03\x02\x01\x01"
PSS_SHA384: Final = frozenset(
    bytes([0x30, len(_PSS_OID) + 2 + len(body), *_PSS_OID, 0x30, len(body)]) + body
    for body in (_PARAMETERS, _PARAMETERS + _TRAILER)
)


def is_signed_by(child: Certificate | RevocationList, issuer: Certificate) -> bool:
    """Whether `issuer` is an authority of the name that `child` gives, and its key signed `child`."""
    if isinstance(child, RevocationList):  # lists are large: they are not kept for being asked again
        return _is_signed(child, issuer)
    return _certificate_is_signed(child.raw, issuer.raw)


@lru_cache(maxsize=REMEMBERED)
def _certificate_is_signed(child: bytes, issuer: bytes) -> bool:
    return _is_signed(decoded(child), decoded(issuer))


def _is_signed(child: Certificate | RevocationList, issuer: Certificate) -> bool:
    return (
        child.issuer == issuer.subject
        and issuer.is_authority
        and child.algorithm in PSS_SHA384
        and _pss_verifies(issuer.public_key, child.signature, child.tbs)
    )


@lru_cache(maxsize=REMEMBERED)
def decoded(der: bytes) -> Certificate:
    """The certificate that `der` is. Raises `FormatError`."""
    return Certificate.decode(der)


@lru_cache(maxsize=8)  # lists are large
def decoded_list(der: bytes) -> RevocationList:
    """The revocation list that `der` is. Raises `FormatError`."""
    return RevocationList.decode(der)


def fingerprint(certificate: Certificate) -> bytes:
    """SHA-256 over the whole DER."""
    return hashlib.sha256(certificate.raw).digest()


def is_valid_at(certificate: Certificate, at: datetime) -> bool:
    """Whether `at` lies within the certificate's validity, both ends included."""
    return certificate.not_before <= at <= certificate.not_after


@lru_cache(maxsize=REMEMBERED)
def p384_key(public_key: bytes) -> ec.EllipticCurvePublicKey | None:
    """The key on curve P-384 that the SubjectPublicKeyInfo holds; None for anything else."""
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        return None
    return key


def _pss_verifies(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MINIMUM_RSA_BITS:
        return False
    try:
        key.verify(signature, message, padding.PSS(padding.MGF1(SHA384()), salt_length=SALT), SHA384())
    except InvalidSignature:
        return False
    return True
