"""Public keys of TPMs and of those who certify them: RSA and ECDSA signatures by their standard names."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from warily.errors import FormatError
from warily.formats.tpm import RSA_SCHEMES, Algorithm, Public, Signature

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MINIMUM_RSA_BITS: Final = 2048
REMEMBERED: Final = 256
CURVES: Final[dict[int, type[ec.EllipticCurve]]] = {3: ec.SECP256R1, 4: ec.SECP384R1, 5: ec.SECP521R1}
HASHES: Final[dict[int, Callable[[], HashAlgorithm]]] = {
    Algorithm.SHA256: SHA256,
    Algorithm.SHA384: SHA384,
    Algorithm.SHA512: SHA512,
}
# AlgorithmIdentifiers of certificates (RFC 4055 and RFC 5758), whole, as they stand in DER.
_PKCS1: Final = {
    bytes.fromhex(f"300d06092a864886f70d0101{last}0500"): made
    for last, made in (("0b", SHA256), ("0c", SHA384), ("0d", SHA512))
}
_ECDSA: Final = {
    bytes.fromhex(f"300a06082a8648ce3d0403{last}"): made
    for last, made in (("02", SHA256), ("03", SHA384), ("04", SHA512))
}


@lru_cache(maxsize=REMEMBERED)
def load(spki: bytes) -> PublicKey | None:
    """The RSA key of 2048 bits or more, or the key on a NIST curve, of a SubjectPublicKeyInfo; None for any other."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return key if key.key_size >= MINIMUM_RSA_BITS else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key if isinstance(key.curve, tuple(CURVES.values())) else None
    return None


def encode(key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo of a key."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def from_rsa(modulus: bytes, exponent: bytes) -> bytes:
    """The SubjectPublicKeyInfo of an RSA key. Raises `FormatError` for numbers that make none."""
    try:
        return encode(
            rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")).public_key()
        )
    except ValueError:
        msg = "an attestation key that is no RSA key"
        raise FormatError(msg) from None


def from_tpm(public: Public) -> bytes:
    """The SubjectPublicKeyInfo of a TPM's key. Raises `FormatError` for a curve or numbers that make none."""
    if public.type == Algorithm.RSA:
        return from_rsa(public.unique[0], public.exponent.to_bytes(4, "big"))
    x, y = (int.from_bytes(part, "big") for part in public.unique)
    if public.curve not in CURVES:
        msg = f"an attestation key on curve {public.curve:#06x}"
        raise FormatError(msg)
    try:
        return encode(ec.EllipticCurvePublicNumbers(x, y, CURVES[public.curve]()).public_key())
    except ValueError:
        msg = "an attestation key that is no point of its curve"
        raise FormatError(msg) from None


def signed_quote(spki: bytes, signature: Signature, message: bytes) -> bool:
    """Whether a TPM's signature over `message` verifies: RSASSA, RSAPSS (a salt of any length) or ECDSA."""
    key, make = load(spki), HASHES.get(signature.hash)
    if key is None or make is None:
        return False
    hashed = make()
    try:
        if isinstance(key, rsa.RSAPublicKey) and signature.scheme in RSA_SCHEMES:
            pss = padding.PSS(padding.MGF1(hashed), salt_length=padding.PSS.AUTO)
            scheme = pss if signature.scheme == Algorithm.RSAPSS else padding.PKCS1v15()
            key.verify(signature.numbers[0], message, scheme, hashed)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and signature.scheme == Algorithm.ECDSA:
            r, s = (int.from_bytes(number, "big") for number in signature.numbers)
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashed))
            return True
    except InvalidSignature:
        return False
    return False


def signed_certificate(spki: bytes, algorithm: bytes, signature: bytes, tbs: bytes) -> bool:
    """Whether the signature of a certificate or list verifies: RSA PKCS#1 or ECDSA, with SHA-256 or longer."""
    key = load(spki)
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm in _PKCS1:
            key.verify(signature, tbs, padding.PKCS1v15(), _PKCS1[algorithm]())
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            key.verify(signature, tbs, ec.ECDSA(_ECDSA[algorithm]()))
            return True
    except InvalidSignature:
        return False
    return False
