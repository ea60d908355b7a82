"""Signed manifests as Sigstore bundles, and out of them; and what the statement in an envelope publishes.

The bundle carries the very envelope that an owner signed. Its hint is the base64 of the SHA-256 of the public key's
SubjectPublicKeyInfo, as `cosign` and `sigstore-go` name keys.
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from warily.core.manifest import Manifest
from warily.core.reference_value import ReferenceValue
from warily.errors import FormatError
from warily.formats._json import JsonObject
from warily.formats.dsse import LIMIT, Envelope, pae
from warily.formats.sigstore_bundle import SigstoreBundle, looks_like

PREDICATE: Final = "urn:warily:manifest:1"
STATEMENT: Final = "application/vnd.in-toto+json"
_HASHES: Final = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}


def bundle(envelope: bytes, public: bytes) -> bytes:
    """The bundle of an envelope that the Ed25519 key `public` (32 bytes) alone signed. Raises `FormatError`."""
    return SigstoreBundle(hint=hint_of(public), envelope=Envelope.decode(envelope)).encode()


def hint_of(public: bytes) -> str:
    """How Sigstore names the Ed25519 key (32 bytes)."""
    spki = Ed25519PublicKey.from_public_bytes(public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode("ascii")


def envelope_in(text: bytes) -> bytes:
    """The DSSE envelope that a bundle holds; `text` itself where it is none. Raises `FormatError`."""
    return SigstoreBundle.decode(text).envelope.encode() if looks_like(text) else text


def is_signed_by(envelope: Envelope, pem: bytes) -> bool:
    """Whether a signature of the envelope is by the public key: Ed25519, or ECDSA with the hash of its curve."""
    message = pae(envelope.payload_type, envelope.payload)
    return any(_is_good(pem, entry.sig, message) for entry in envelope.signatures)


def published(envelope: Envelope) -> Iterator[ReferenceValue]:
    """The registers of a manifest of ours; of another statement, the digests of its subjects. Raises `FormatError`."""
    if envelope.payload_type != STATEMENT:
        msg = f"DSSE envelope: holds {envelope.payload_type!r}, not an in-toto statement"
        raise FormatError(msg)
    top = JsonObject.parse(envelope.payload, what="in-toto statement", limit=LIMIT)
    if top.text("predicateType") == PREDICATE:
        for entry in Manifest.read(top.object("predicate")).registers:
            yield ReferenceValue(
                environment=entry.platform.value,
                name=entry.register,
                algorithm="sha384",
                value=entry.value,
                when=dict(entry.when),
            )
        return
    for subject in top.objects("subject", limit=4096):
        name = subject.text("name") if "name" in subject else ""
        digests = subject.object("digest")
        for algorithm in digests.keys():  # noqa: SIM118  # a JsonObject is no mapping
            yield ReferenceValue(
                environment="subject", name=name, algorithm=algorithm, value=digests.hexadecimal(algorithm)
            )


def _is_good(pem: bytes, signature: bytes, message: bytes) -> bool:
    try:
        key = load_pem_public_key(pem)
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
            return True
        if isinstance(key, EllipticCurvePublicKey) and key.curve.name in _HASHES:
            key.verify(signature, message, ECDSA(_HASHES[key.curve.name]))
            return True
    except (InvalidSignature, ValueError):
        return False
    return False
