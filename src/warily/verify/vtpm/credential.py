"""A credential that only one TPM can open: made here in software, opened there by TPM2_ActivateCredential.

Whoever gets the secret back knows that the TPM with that endorsement key holds the key of that name, with the
attributes that are part of the name. No quote says that by itself: an endorsement key cannot sign.

Source: TCG TPM 2.0 Library, Part 1, sections 11.4.10 (KDFa, KDFe), 24 (credential protection), B.10.4 (RSA) and C.6.4
(ECC); what is not said of an endorsement key is as in the TCG EK Credential Profile, templates L-1, L-2 and H-2 to H-7.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from warily.core.registers import HASHES
from warily.errors import FormatError, UsageError
from warily.formats.tpm import Public
from warily.formats.tpm_credential import Credential
from warily.verify.vtpm import keys

try:  # the mode moved between versions of the library
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:
    from cryptography.hazmat.primitives.ciphers.modes import CFB

SECRET_SIZE: Final = 32
_IDENTITY: Final = b"IDENTITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scheme:
    """The name hash of an endorsement key, and the size in bytes of its AES key."""

    hash: str
    make: Callable[[], HashAlgorithm]
    cipher: int


_SHORT: Final = _Scheme(hash="sha256", make=SHA256, cipher=16)
_LONG: Final = _Scheme(hash="sha384", make=SHA384, cipher=32)
_LONGEST: Final = _Scheme(hash="sha512", make=SHA512, cipher=32)
_SCHEMES: Final = {("RSA", 2048): _SHORT, ("RSA", 3072): _LONG, ("RSA", 4096): _LONG}
_CURVES: Final = {"secp256r1": _SHORT, "secp384r1": _LONG, "secp521r1": _LONGEST}


def name_of(public: Public) -> bytes:
    """The name of a TPM's key: the number of its name hash, and the hash over its TPMT_PUBLIC. Raises `FormatError`."""
    if public.name_hash not in HASHES:
        msg = f"a key whose name is made with hash {public.name_hash:#06x}"
        raise FormatError(msg)
    return public.name_hash.to_bytes(2, "big") + hashlib.new(HASHES[public.name_hash], public.encode()).digest()


def make_credential(endorsement_key: bytes, name: bytes, *, secret: bytes, seed: bytes) -> Credential:
    """The credential that the TPM with this endorsement key (SubjectPublicKeyInfo) opens to `secret` for that name.

    `secret` and `seed` are 32 fresh random bytes each; an elliptic curve makes its own seed. Raises `UsageError` for
    a key that is none of the profile's.
    """
    key = keys.load(endorsement_key)
    if isinstance(key, rsa.RSAPublicKey) and ("RSA", key.key_size) in _SCHEMES:
        scheme = _SCHEMES["RSA", key.key_size]
        seed = hashlib.new(scheme.hash, seed).digest()
        oaep = padding.OAEP(padding.MGF1(scheme.make()), scheme.make(), _IDENTITY + b"\x00")
        sealed = key.encrypt(seed, oaep)
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        scheme = _CURVES[key.curve.name]
        seed, point = _shared(key, scheme)
        sealed = b"".join(len(part).to_bytes(2, "big") + part for part in point)
    else:
        msg = "an endorsement key that is neither RSA of 2048, 3072 or 4096 bits nor on a NIST curve"
        raise UsageError(msg)
    plain = len(secret).to_bytes(2, "big") + secret
    cipher = Cipher(algorithms.AES(kdfa(scheme.hash, seed, b"STORAGE", name, size=scheme.cipher)), CFB(bytes(16)))
    encryptor = cipher.encryptor()
    identity = encryptor.update(plain) + encryptor.finalize()
    size = hashlib.new(scheme.hash).digest_size
    integrity = hmac.digest(kdfa(scheme.hash, seed, b"INTEGRITY", b"", size=size), identity + name, scheme.hash)
    return Credential(id_object=len(integrity).to_bytes(2, "big") + integrity + identity, secret=sealed)


def kdfa(hashed: str, key: bytes, label: bytes, context: bytes, *, size: int) -> bytes:
    """KDFa of Part 1, section 11.4.10.2, for at most one digest's worth of bytes."""
    bits = (8 * size).to_bytes(4, "big")
    return hmac.digest(key, (1).to_bytes(4, "big") + label + b"\x00" + context + bits, hashed)[:size]


def _shared(key: ec.EllipticCurvePublicKey, scheme: _Scheme) -> tuple[bytes, tuple[bytes, bytes]]:
    """The seed that an ephemeral key and the endorsement key share (KDFe), and the ephemeral point."""
    ephemeral = ec.generate_private_key(key.curve)
    width = (key.curve.key_size + 7) // 8
    z = ephemeral.exchange(ec.ECDH(), key)
    own, theirs = ephemeral.public_key().public_numbers(), key.public_numbers()
    x, y, party = (number.to_bytes(width, "big") for number in (own.x, own.y, theirs.x))
    hashed = hashlib.new(scheme.hash, (1).to_bytes(4, "big") + z + _IDENTITY + b"\x00" + x + party)
    return hashed.digest(), (x, y)
