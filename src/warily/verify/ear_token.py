"""Signed attestation results: a set of EAR claims as JWT (RFC 7519) or CWT (RFC 8392), media types of RFC 9782."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from warily.errors import UsageError
from warily.formats import cbor
from warily.formats._json import b64url, canonical
from warily.formats.cose_sign1 import ALGORITHM, EDDSA, ES256, ES384, KEY_ID, CoseSign1
from warily.verify.ear import as_cwt_claims, as_jwt_claims

SigningKey = EllipticCurvePrivateKey | Ed25519PrivateKey

JWT_TYPE: Final = "eat+jwt"
CWT_TYPE: Final = "application/eat+cwt"
_TYPE: Final = 16  # the COSE header parameter `typ` (RFC 9596)
_COSE: Final = {"ES256": ES256, "ES384": ES384, "EdDSA": EDDSA}
_KEYS: Final = "a P-256, P-384 or Ed25519 private key in PEM, without a password"


def read_signing_key(pem: bytes) -> SigningKey:
    """The key that signs results. Raises `UsageError`, which never quotes the file, for anything else."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey | Ed25519PrivateKey) or not algorithm(key):
        msg = f"the key is not {_KEYS}"
        raise UsageError(msg, hint="`openssl genpkey -algorithm ed25519` makes one")
    return key


def algorithm(key: SigningKey) -> str:
    """ES256, ES384 or EdDSA, as the key says; empty for a curve that is none of these."""
    if isinstance(key, Ed25519PrivateKey):
        return "EdDSA"
    return {SECP256R1: "ES256", SECP384R1: "ES384"}.get(type(key.curve), "")


def key_id(key: SigningKey) -> bytes:
    """SHA-256 of the public key's SubjectPublicKeyInfo: names the key, and holds nothing secret."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).digest()


def sign_jwt(claims: Mapping[str, Any], key: SigningKey) -> str:
    """The compact JWT of the claims."""
    header = {"alg": algorithm(key), "kid": b64url(key_id(key)), "typ": JWT_TYPE}
    signing = f"{b64url(canonical(header).strip())}.{b64url(canonical(as_jwt_claims(claims)).strip())}"
    return f"{signing}.{b64url(_signature(signing.encode(), key))}"


def sign_cwt(claims: Mapping[str, Any], key: SigningKey) -> bytes:
    """The CWT of the claims: a tagged COSE_Sign1."""
    header = {ALGORITHM: _COSE[algorithm(key)], KEY_ID: key_id(key), _TYPE: CWT_TYPE}
    unsigned = CoseSign1(
        protected=cbor.encode(header), unprotected={}, payload=cbor.encode(as_cwt_claims(claims)), signature=b""
    )
    signed = CoseSign1(
        protected=unsigned.protected,
        unprotected={},
        payload=unsigned.payload,
        signature=_signature(unsigned.signed_bytes(), key),
    )
    return signed.encode(tagged=True)


def _signature(message: bytes, key: SigningKey) -> bytes:
    """The signature as JOSE and COSE pack it: R and S of fixed width (RFC 7518, section 3.4; RFC 9053, section 2.1)."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(message)
    width = key.key_size // 8
    r, s = decode_dss_signature(key.sign(message, ECDSA(SHA256() if width == 32 else SHA384())))  # noqa: PLR2004  # P-256
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")
