"""Opening a grant, as the guest does: decrypt, verify the grantor, and only then read.

The outer envelope is a compact JWE (RFC 7516) with ECDH-ES in direct agreement mode over P-256 and
A256GCM (RFC 7518 sections 4.6 and 5.3). Its plaintext is a compact JWS (RFC 7515) with EdDSA over
Ed25519 (RFC 8037). Exactly these algorithms and members are accepted, so nothing is negotiated.
"""

import hashlib
import hmac
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from warily.errors import FormatError, WarilyError
from warily.formats._json import JsonObject, from_b64url
from warily.release.messages import GRANT_LIMIT, Grant

JWE_ALG: Final = "ECDH-ES"
JWE_ENC: Final = "A256GCM"
JWS_ALG: Final = "EdDSA"
JWE_LIMIT: Final = 2 * GRANT_LIMIT
HEADER_LIMIT: Final = 1024
COORDINATE: Final = 32
IV: Final = 12
TAG: Final = 16
KEY: Final = 32
JWE_PARTS: Final = 5
JWS_PARTS: Final = 3


class GrantRefused(WarilyError):  # noqa: N818  # a decision, named as one
    """The grant is not one that this broker made for this session."""

    exit_status: ClassVar[int] = 10
    code: ClassVar[str] = "grant"


def uncompressed(key: EllipticCurvePrivateKey) -> bytes:
    """The public point of a P-256 key, 65 bytes (SEC 1, 2.3.3).

    By hand: the library's way imports its serialisation code, which costs an emulated guest a third of a second.
    """
    numbers = key.public_key().public_numbers()
    return b"\x04" + numbers.x.to_bytes(COORDINATE, "big") + numbers.y.to_bytes(COORDINATE, "big")


def session_key_digest(point: bytes) -> bytes:
    """The SHA-256 by which a grant names the session key (its 65-byte uncompressed point)."""
    return hashlib.sha256(point).digest()


def open_grant(
    jwe: str, *, session_key: EllipticCurvePrivateKey, grantor: bytes, nonce: bytes, identity: bytes
) -> Grant:
    """The grant that the holder of `grantor` (raw Ed25519 public key) made for this session and nonce.

    Raises `FormatError` where the envelope is malformed, `GrantRefused` where it is for another key,
    by another grantor, or answers another nonce, session key or identity.
    """
    payload = _verified(_decrypted(jwe, session_key), grantor)
    grant = Grant.decode(payload)
    point = uncompressed(session_key)
    for name, found, wanted in (
        ("nonce", grant.nonce, nonce),
        ("session key", grant.session_key_digest, session_key_digest(point)),
        ("identity", grant.identity, identity),
    ):
        if not hmac.compare_digest(found, wanted):
            message = f"the grant answers another {name}"
            raise GrantRefused(message)
    return grant


def _decrypted(jwe: str, session_key: EllipticCurvePrivateKey) -> bytes:
    """The plaintext of a compact JWE to `session_key`."""
    header, encrypted_key, iv, ciphertext, tag = _parts(jwe, JWE_PARTS, limit=JWE_LIMIT, what="grant envelope")
    if encrypted_key:
        raise FormatError("grant envelope: direct agreement carries no encrypted key")
    ephemeral = _ephemeral_key(header)
    nonce = from_b64url(iv, what="grant envelope: iv")
    mac = from_b64url(tag, what="grant envelope: tag")
    if len(nonce) != IV or len(mac) != TAG:
        msg = f"grant envelope: iv and tag have {len(nonce)} and {len(mac)} bytes, not {IV} and {TAG}"
        raise FormatError(msg)
    body = from_b64url(ciphertext, what="grant envelope: ciphertext")
    if session_key.curve.name != SECP256R1.name:
        raise GrantRefused("the session key is not on P-256")
    key = agreed_key(session_key.exchange(ECDH(), ephemeral))
    try:
        return AESGCM(key).decrypt(nonce, body + mac, header.encode("ascii"))
    except InvalidTag:
        raise GrantRefused("the grant does not decrypt: it is for another session key, or was changed") from None


def agreed_key(shared: bytes) -> bytes:
    """The content key of ECDH-ES in direct mode for A256GCM (RFC 7518 section 4.6.2), no party info."""
    algorithm = JWE_ENC.encode("ascii")
    other = len(algorithm).to_bytes(4, "big") + algorithm + bytes(8) + (KEY * 8).to_bytes(4, "big")
    return ConcatKDFHash(algorithm=SHA256(), length=KEY, otherinfo=other).derive(shared)


def _ephemeral_key(header: str) -> EllipticCurvePublicKey:
    """The sender's key from a protected header that holds `alg`, `enc`, `epk` and nothing else."""
    text = from_b64url(header, what="grant envelope: header")
    top = JsonObject.parse(text, what="grant envelope: header", limit=HEADER_LIMIT)
    _exactly(top, {"alg": JWE_ALG, "enc": JWE_ENC})
    epk = top.object("epk")
    _exactly(epk, {"kty": "EC", "crv": "P-256"})
    x, y = epk.octets("x", limit=COORDINATE), epk.octets("y", limit=COORDINATE)
    epk.finish()
    top.finish()
    if len(x) != COORDINATE or len(y) != COORDINATE:
        raise FormatError("grant envelope: epk: a coordinate is not 32 bytes")
    try:
        numbers = EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1())
        return numbers.public_key()
    except ValueError:
        raise FormatError("grant envelope: epk is not a point of P-256") from None


def _verified(plaintext: bytes, grantor: bytes) -> bytes:
    """The payload of a compact JWS, once the grantor's signature over it is found good."""
    try:
        jws = plaintext.decode("ascii")
    except UnicodeDecodeError:
        raise FormatError("grant signature: not ASCII") from None
    header, payload, signature = _parts(jws, JWS_PARTS, limit=JWE_LIMIT, what="grant signature")
    text = from_b64url(header, what="grant signature: header")
    top = JsonObject.parse(text, what="grant signature: header", limit=HEADER_LIMIT)
    _exactly(top, {"alg": JWS_ALG})
    top.finish()
    try:
        key = Ed25519PublicKey.from_public_bytes(grantor)
        key.verify(from_b64url(signature, what="grant signature"), f"{header}.{payload}".encode("ascii"))
    except (InvalidSignature, ValueError):
        raise GrantRefused("the grant is not signed by the grantor this image accepts") from None
    return from_b64url(payload, what="grant signature: payload")


def _parts(text: str, count: int, *, limit: int, what: str) -> list[str]:
    """The dot-separated parts of a compact serialisation of at most `limit` ASCII characters."""
    if len(text) > limit or not text.isascii():
        msg = f"{what}: over {limit} characters, or not ASCII"
        raise FormatError(msg)
    parts = text.split(".", count)
    if len(parts) != count:
        msg = f"{what}: not {count} parts"
        raise FormatError(msg)
    return parts


def _exactly(source: JsonObject, wanted: dict[str, str]) -> None:
    """Each member is there and is the one accepted value."""
    for key, value in wanted.items():
        found = source.text(key, limit=32)
        if found != value:
            msg = f"{source.what}: {key} is {found!r}, not {value}"
            raise FormatError(msg)
