"""ECDSA on P-256 with SHA-256, the one algorithm of Intel's attestation: keys, signatures, who signed what.

Answers about certificates are remembered, and about the quoting enclave's report, which is one in all but name: a
platform's chain is the same for every quote it makes, and so is the report that vouches for its attestation key.
"""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.tdx.roots import certificate_of, intel_root, known

REMEMBERED: Final = 256
ECDSA_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
_KEY_USAGE: Final = "2.5.29.15"
_UNDERSTOOD: Final = frozenset({_KEY_USAGE, "2.5.29.19"})  # key usage and basic constraints
_SIGNS: Final = 0x06  # keyCertSign and cRLSign, in the first byte of the BIT STRING
_ALGORITHM: Final = ec.ECDSA(SHA256())
_CURVE: Final = ec.SECP256R1()


def is_signed_by(child: Certificate | RevocationList, issuer: Certificate) -> bool:
    """Whether `issuer` is an authority of the name that `child` gives, and its key signed `child`.

    A certificate with a critical extension that is not understood is signed by nobody (RFC 5280, section 4.2).
    """
    if isinstance(child, RevocationList):
        return _list_is_signed(child.raw, issuer.raw)
    return (child.raw, issuer.raw) in _known_links() or _certificate_is_signed(child.raw, issuer.raw)


@lru_cache(maxsize=1)
def _known_links() -> frozenset[tuple[bytes, bytes]]:
    """The known certificates, each with the root: that it signed them is verified here, once and for all."""
    root = intel_root().raw
    return frozenset((der, root) for der in known() if _certificate_is_signed(der, root))


@lru_cache(maxsize=REMEMBERED)
def _certificate_is_signed(child_der: bytes, issuer_der: bytes) -> bool:
    child = certificate_of(child_der)
    return _is_understood(child) and _is_signed(child, certificate_of(issuer_der))


@lru_cache(maxsize=8)  # lists are large
def _list_is_signed(child_der: bytes, issuer_der: bytes) -> bool:
    return _is_signed(x509.decoded_list(child_der), certificate_of(issuer_der))


def _is_signed(child: Certificate | RevocationList, issuer: Certificate) -> bool:
    named = child.issuer == issuer.subject and child.algorithm == ECDSA_SHA256
    if not (named and issuer.is_authority and _may_sign(issuer) and _is_understood(issuer)):
        return False
    key = certified_key(issuer.public_key)
    return key is not None and _verifies(key, child.signature, child.tbs)


def _is_understood(one: Certificate) -> bool:
    return all(oid in _UNDERSTOOD for oid, extension in one.extensions.items() if extension.critical)


def _may_sign(authority: Certificate) -> bool:
    """Whether the key usage, where there is one, is to sign certificates and lists."""
    usage = authority.extensions.get(_KEY_USAGE)
    return usage is None or (len(usage.value) >= 4 and usage.value[3] & _SIGNS == _SIGNS)  # noqa: PLR2004  # a BIT STRING of one byte


def certified_key(public_key: bytes) -> ec.EllipticCurvePublicKey | None:
    """The key on P-256 that a SubjectPublicKeyInfo holds; None for anything else."""
    return _known_keys().get(public_key) or _loaded(public_key)


@lru_cache(maxsize=1)
def _known_keys() -> dict[bytes, ec.EllipticCurvePublicKey | None]:
    return {one.public_key: _loaded(one.public_key) for one in known().values()}


@lru_cache(maxsize=REMEMBERED)
def _loaded(public_key: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return None
    return key


@lru_cache(maxsize=REMEMBERED)
def raw_key(point: bytes) -> ec.EllipticCurvePublicKey | None:
    """The key that x‖y is, 32 bytes each; None where that is no point of the curve."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x04" + point)
    except ValueError:
        return None


def raw_verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether r‖s, 32 bytes each, is a signature of `message`."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return _verifies(key, encode_dss_signature(r, s), message)


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=REMEMBERED)
def report_verified(public_key: bytes, signature: bytes, report: bytes) -> bool:
    """Whether the key of a SubjectPublicKeyInfo made the signature r‖s of a quoting enclave's report."""
    key = certified_key(public_key)
    return key is not None and raw_verifies(key, signature, report)


@lru_cache(maxsize=32)
def statement_verified(public_key: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the key of a SubjectPublicKeyInfo made the signature r‖s of `text`."""
    key = certified_key(public_key)
    return key is not None and raw_verifies(key, signature, text)
