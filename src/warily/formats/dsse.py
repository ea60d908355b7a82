"""DSSE envelopes (Dead Simple Signing Envelope 1.0.2): a payload, its type, and signatures over both."""

from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _base64 as _b64
from warily.formats._json import JsonObject, canonical

LIMIT: Final = 24 << 20
MAX_SIGNATURES: Final = 16


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature, and the name of the key that is said to have made it (a hint, never trusted)."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload as received, and the signatures over `pae(payload_type, payload)`."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The envelope as canonical JSON."""
        return canonical(
            {
                "payloadType": self.payload_type,
                "payload": _b64.to_text(self.payload),
                "signatures": [{"keyid": s.keyid, "sig": _b64.to_text(s.sig)} for s in self.signatures],
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The envelope that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="DSSE envelope", limit=LIMIT)
        made = cls(
            payload_type=top.text("payloadType", limit=256),
            payload=_base64(top.text("payload", limit=LIMIT), "payload"),
            signatures=tuple(_signature(entry) for entry in top.objects("signatures", limit=MAX_SIGNATURES)),
        )
        top.finish()
        return made


def _signature(entry: JsonObject) -> Signature:
    keyid = entry.text("keyid", limit=256) if "keyid" in entry else ""  # a hint that may be left out
    made = Signature(keyid=keyid, sig=_base64(entry.text("sig", limit=4096), "sig"))
    entry.finish()
    return made


def _base64(text: str, what: str) -> bytes:
    data = _b64.from_text(text)
    if data is None:
        msg = f"DSSE envelope: {what} is not canonical base64"
        raise FormatError(msg)
    return data
