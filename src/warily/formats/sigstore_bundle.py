"""Sigstore bundles that hold a DSSE envelope: what `cosign` and other clients keep beside an artefact.

Written is version 0.3 with a public key's hint as verification material; read are 0.1 to 0.3. Certificates, entries of
transparency logs and timestamps that others put in are not looked at: an envelope proves itself by an owner's key.
Source: sigstore/protobuf-specs, protos/sigstore_bundle.proto and envelope.proto, in the JSON form of protobuf 3.
"""

from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject, canonical
from warily.formats.dsse import LIMIT as ENVELOPE_LIMIT
from warily.formats.dsse import Envelope

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
LIMIT: Final = ENVELOPE_LIMIT + (1 << 20)
_OLDER: Final = tuple(f"application/vnd.dev.sigstore.bundle+json;version=0.{minor}" for minor in (1, 2, 3))
_KEY: Final = "publicKey"
_MATERIAL: Final = (_KEY, "certificate", "x509CertificateChain")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigstoreBundle:
    """A bundle. `hint` names the public key to whoever has it; empty where the signer is said by a certificate."""

    hint: str
    envelope: Envelope

    def encode(self) -> bytes:
        """The bundle as canonical JSON. Raises `FormatError` unless there is exactly one signature, as 0.3 demands."""
        if len(self.envelope.signatures) != 1:
            msg = f"Sigstore bundle: {len(self.envelope.signatures)} signatures, and exactly one can be"
            raise FormatError(msg)
        envelope = JsonObject.parse(self.envelope.encode(), what="DSSE envelope", limit=ENVELOPE_LIMIT).members()
        return canonical(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {_KEY: {"hint": self.hint}, "tlogEntries": []},
                "dsseEnvelope": envelope,
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The bundle that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="Sigstore bundle", limit=LIMIT)
        kind = top.text("mediaType", limit=128)
        if kind != MEDIA_TYPE and kind not in _OLDER:
            msg = f"Sigstore bundle: media type {kind!r}; 0.1 to 0.3 are read"
            raise FormatError(msg)
        if "messageSignature" in top:
            raise FormatError("Sigstore bundle: signs the digest of a file, and holds no statement")
        hint = _hint(top.object("verificationMaterial"))
        envelope = Envelope.decode(canonical(top.object("dsseEnvelope").members()))
        top.finish()
        return cls(hint=hint, envelope=envelope)


def looks_like(text: bytes) -> bool:
    """Whether the bytes may be a Sigstore bundle."""
    return text.lstrip()[:1] == b"{" and b'"application/vnd.dev.sigstore.bundle' in text


def _hint(material: JsonObject) -> str:
    named = [name for name in _MATERIAL if name in material]
    if len(named) != 1:
        raise FormatError("Sigstore bundle: the verification material names not exactly one signer")
    if named != [_KEY]:
        return ""
    key = material.object(_KEY)
    hint = key.text("hint", limit=4096) if "hint" in key else ""
    key.finish()
    return hint
