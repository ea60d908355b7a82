"""The ID block and its authentication: what a guest's owner lets the SNP firmware check before it starts.

The processor refuses a launch whose digest or policy differs from the ID block, and puts the digests of
the keys into every report (ID_KEY_DIGEST, AUTHOR_KEY_DIGEST: SHA-384 of the 0x404 bytes of a key).
"""

from enum import IntEnum
from typing import Annotated, Final

from warily.formats._layout import Layout, layout, octets, u32, u64

_ABI: Final = "AMD 56860 SEV-SNP Firmware ABI, "
ID_BLOCK_VERSION: Final = 1
COMPONENT_SIZE: Final = 72  # of a signature or a point, little-endian; P-384 uses 48 of them


class KeyAlgorithm(IntEnum):
    """How the ID block and the ID key are signed. NONE means that there is no author key."""

    NONE = 0
    ECDSA_P384_SHA384 = 1


class Curve(IntEnum):
    """The curve of a public key."""

    NONE = 0
    P384 = 2


@layout(0x60, source=_ABI + "ID Block")
class IdBlock(Layout):
    """What must be launched: digest, policy and names chosen by the owner."""

    launch_digest: Annotated[bytes, octets(0x00, 48)]
    family_id: Annotated[bytes, octets(0x30, 16)]
    image_id: Annotated[bytes, octets(0x40, 16)]
    version: Annotated[int, u32(0x50)]
    guest_svn: Annotated[int, u32(0x54)]
    policy: Annotated[int, u64(0x58)]


@layout(0x200, source=_ABI + "ECDSA signature format")
class EcdsaSignature(Layout):
    """R and S, little-endian."""

    r: Annotated[bytes, octets(0x00, COMPONENT_SIZE)]
    s: Annotated[bytes, octets(0x48, COMPONENT_SIZE)]


@layout(0x404, source=_ABI + "ECDSA public key format")
class EcdsaPublicKey(Layout):
    """A point, little-endian, and its curve."""

    curve: Annotated[Curve, u32(0x00)]
    x: Annotated[bytes, octets(0x04, COMPONENT_SIZE)]
    y: Annotated[bytes, octets(0x4C, COMPONENT_SIZE)]


@layout(0x1000, source=_ABI + "ID Authentication Information Structure")
class IdAuth(Layout):
    """The ID key's signature over the ID block, and the author key's over the ID key."""

    id_key_algorithm: Annotated[KeyAlgorithm, u32(0x000)]
    author_key_algorithm: Annotated[KeyAlgorithm, u32(0x004)]
    id_block_signature: Annotated[EcdsaSignature, octets(0x040, 0x200)]
    id_key: Annotated[EcdsaPublicKey, octets(0x240, 0x404)]
    id_key_signature: Annotated[EcdsaSignature, octets(0x680, 0x200)]
    author_key: Annotated[EcdsaPublicKey, octets(0x880, 0x404)]


NO_SIGNATURE: Final = EcdsaSignature(r=bytes(COMPONENT_SIZE), s=bytes(COMPONENT_SIZE))
NO_KEY: Final = EcdsaPublicKey(curve=Curve.NONE, x=bytes(COMPONENT_SIZE), y=bytes(COMPONENT_SIZE))
