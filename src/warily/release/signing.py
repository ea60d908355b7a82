"""Signing a manifest, and refusing one that is not what its signer signed.

A signed manifest is an in-toto Statement v1 in a DSSE envelope: the subjects are the image's files by
SHA-256, the predicate is the manifest itself. Signatures are Ed25519 by an owner's key.
"""

import hashlib
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from warily.core.manifest import LIMIT, Manifest
from warily.errors import WarilyError
from warily.formats._json import JsonObject, canonical
from warily.formats.dsse import Envelope, Signature, pae

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:warily:manifest:1"


class ManifestRefused(WarilyError):  # noqa: N818  # a decision, named as one
    """The manifest's signature does not make it trustworthy. `check` says which step refused it."""

    exit_status: ClassVar[int] = 10
    code: ClassVar[str] = "manifest"

    def __init__(self, check: str, what: str, *, hint: str | None = None) -> None:
        super().__init__(f"the manifest is refused: {what}", hint=hint)
        self.check = check


def key_id(public: bytes) -> str:
    """The name of a key: the SHA-256 of its 32 raw bytes, in hexadecimal."""
    return hashlib.sha256(public).hexdigest()


def sign_manifest(manifest: Manifest, key: Ed25519PrivateKey) -> bytes:
    """The signed manifest as a DSSE envelope. The same manifest and key give the same bytes."""
    statement = canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": part.name, "digest": {"sha256": part.sha256.hex()}} for part in manifest.ingredients],
            "predicateType": PREDICATE_TYPE,
            "predicate": manifest.as_json(),
        }
    )
    signature = key.sign(pae(PAYLOAD_TYPE, statement))
    name = key_id(key.public_key().public_bytes_raw())
    envelope = Envelope(
        payload_type=PAYLOAD_TYPE, payload=statement, signatures=(Signature(keyid=name, sig=signature),)
    )
    return envelope.encode()


def verify_manifest(envelope: bytes, trusted: frozenset[bytes]) -> Manifest:
    """The manifest, once a trusted owner's signature over the very bytes received is found good.

    `trusted` holds raw Ed25519 public keys. Raises `ManifestRefused` with the reason, or `FormatError`.
    """
    opened = Envelope.decode(envelope)
    if not opened.signatures:
        raise ManifestRefused("manifest.signed", "nobody signed it", hint="sign it with `warily manifest sign`")
    if opened.payload_type != PAYLOAD_TYPE:
        raise ManifestRefused("manifest.type", f"its payload is {opened.payload_type!r}, not {PAYLOAD_TYPE}")
    known = {key_id(public): public for public in trusted}
    ours = [(known[s.keyid], s.sig) for s in opened.signatures if s.keyid in known]
    ours += [(public, s.sig) for s in opened.signatures if not s.keyid for public in trusted]
    if not ours:
        names = ", ".join(s.keyid[:16] for s in opened.signatures)
        raise ManifestRefused(
            "manifest.signer",
            f"it is signed by {names}…, not by an owner you trust",
            hint="name the owner's key with --owner; `warily key` shows yours",
        )
    message = pae(opened.payload_type, opened.payload)
    if not any(_is_good(public, sig, message) for public, sig in ours):
        raise ManifestRefused("manifest.signature", "its content is not what the owner signed")
    return _manifest_of(opened.payload)


def _is_good(public: bytes, sig: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _manifest_of(statement: bytes) -> Manifest:
    top = JsonObject.parse(statement, what="in-toto statement", limit=LIMIT)
    if top.text("_type") != STATEMENT_TYPE or top.text("predicateType") != PREDICATE_TYPE:
        raise ManifestRefused("manifest.type", f"the statement is not a {PREDICATE_TYPE}")
    manifest = Manifest.read(top.object("predicate"))
    subjects = set()
    for entry in top.objects("subject"):
        digest = entry.object("digest")
        subjects.add((entry.text("name"), digest.hexadecimal("sha256", width=32)))
        digest.finish()
        entry.finish()
    top.finish()
    if subjects != {(part.name, part.sha256) for part in manifest.ingredients}:
        raise ManifestRefused("manifest.subjects", "its subjects are not its ingredients")
    return manifest
