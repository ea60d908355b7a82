"""ID blocks made and signed: what the owner lets the AMD-SP check before the guest starts.

Source: AMD 56860 (SEV-SNP firmware ABI 1.55), section 8.18 (SNP_LAUNCH_FINISH) and appendix on ECDSA formats.
"""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP384R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from warily.errors import UsageError
from warily.formats.snp_id_block import (
    COMPONENT_SIZE,
    NO_KEY,
    NO_SIGNATURE,
    Curve,
    EcdsaPublicKey,
    EcdsaSignature,
    IdAuth,
    IdBlock,
    KeyAlgorithm,
)

USUAL_POLICY: Final = 0x30000  # SMT allowed, and the bit that must be one


def signed(
    block: IdBlock, id_key: EllipticCurvePrivateKey, author_key: EllipticCurvePrivateKey | None = None
) -> IdAuth:
    """The authentication of `block`: the ID key signs it, the author key, where there is one, signs the ID key.

    Deterministic (RFC 6979): the same block and keys, the same bytes. Raises `UsageError` for keys off P-384.
    """
    public = packed(id_key.public_key())
    has_author = author_key is not None
    return IdAuth(
        id_key_algorithm=KeyAlgorithm.ECDSA_P384_SHA384,
        author_key_algorithm=KeyAlgorithm.ECDSA_P384_SHA384 if has_author else KeyAlgorithm.NONE,
        id_block_signature=_signature(id_key, block.pack()),
        id_key=public,
        id_key_signature=NO_SIGNATURE if author_key is None else _signature(author_key, public.pack()),
        author_key=NO_KEY if author_key is None else packed(author_key.public_key()),
    )


def packed(key: EllipticCurvePublicKey) -> EcdsaPublicKey:
    """The key as the AMD-SP takes it. Raises `UsageError` for a key off P-384."""
    if not isinstance(key.curve, SECP384R1):
        msg = f"a key on {key.curve.name}: ID and author keys are on P-384 (secp384r1)"
        raise UsageError(msg)
    point = key.public_numbers()
    return EcdsaPublicKey(curve=Curve.P384, x=_component(point.x), y=_component(point.y))


def digest_of(key: EcdsaPublicKey) -> bytes:
    """What reports show of the key (ID_KEY_DIGEST, AUTHOR_KEY_DIGEST): SHA-384 over its 0x404 bytes."""
    return hashlib.sha384(key.pack()).digest()


def _signature(key: EllipticCurvePrivateKey, data: bytes) -> EcdsaSignature:
    r, s = decode_dss_signature(key.sign(data, ECDSA(SHA384(), deterministic_signing=True)))
    return EcdsaSignature(r=_component(r), s=_component(s))


def _component(number: int) -> bytes:
    return number.to_bytes(COMPONENT_SIZE, "little")
