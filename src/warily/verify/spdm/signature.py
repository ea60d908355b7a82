"""What an SPDM device signs, and whether the signature verifies (DSP0274, signature generation).

Up to version 1.1 the messages themselves are signed. From 1.2 on, a text of 100 bytes that names version and purpose
is, and behind it the hash of the messages, those of the agreement (VCA) first.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import HashAlgorithm

from warily.formats.spdm import BaseAsym
from warily.verify import certificate_path
from warily.verify.spdm.case import HASHES, Case, hash_of

PREFIXED_FROM: Final = 0x12
PREFIX_SIZE: Final = 100
PURPOSE: Final = b"responder-measurements signing"
_CURVES: Final[dict[int, type[ec.EllipticCurve]]] = {
    BaseAsym.ECDSA_P256: ec.SECP256R1,
    BaseAsym.ECDSA_P384: ec.SECP384R1,
    BaseAsym.ECDSA_P521: ec.SECP521R1,
}
_PKCS1: Final = (BaseAsym.RSASSA_2048, BaseAsym.RSASSA_3072, BaseAsym.RSASSA_4096)
_PSS: Final = (BaseAsym.RSAPSS_2048, BaseAsym.RSAPSS_3072, BaseAsym.RSAPSS_4096)


def signed_bytes(case: Case) -> bytes:
    """What the signature is over, before the hash of the signature algorithm."""
    version, measured = case.transcript.algorithms.version, case.transcript.measured
    if version < PREFIXED_FROM:
        return measured.signed
    return prefix(version) + hash_of(case, case.transcript.agreed + measured.signed)


def prefix(version: int) -> bytes:
    """The 100 bytes before the hash: four times the version, zeros, the purpose."""
    named = f"dmtf-spdm-v{version >> 4}.{version & 0xF}.*".encode() * 4
    return named + bytes(PREFIX_SIZE - len(named) - len(PURPOSE)) + PURPOSE


def verifies(case: Case) -> bool:
    """Whether the device's leaf signed, with the algorithms agreed on. False for algorithms that are not supported."""
    algorithms, signature = case.transcript.algorithms, case.transcript.measured.last.signature
    key = certificate_path.load_key(case.leaf.public_key)
    if algorithms.hash not in HASHES or key is None:
        return False
    hashed, message = HASHES[algorithms.hash][1](), signed_bytes(case)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            curve = _CURVES.get(algorithms.asym)
            if curve is None or not isinstance(key.curve, curve):
                return False
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashed))
            return True
        return _rsa(key, algorithms.asym, signature, message, hashed)
    except InvalidSignature:
        return False


def _rsa(key: rsa.RSAPublicKey, asym: int, signature: bytes, message: bytes, hashed: HashAlgorithm) -> bool:
    if asym in _PKCS1:
        key.verify(signature, message, padding.PKCS1v15(), hashed)
        return True
    if asym in _PSS:
        scheme = padding.PSS(padding.MGF1(hashed), salt_length=hashed.digest_size)
        key.verify(signature, message, scheme, hashed)
        return True
    return False
