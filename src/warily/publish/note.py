"""Keys of logs and witnesses, and the signatures they put on notes.

Sources: C2SP signed-note 1.0.0 (Ed25519) and tlog-cosignature (timestamped Ed25519).
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from warily.errors import FormatError
from warily.formats.signed_note import KEY_ID, NoteSignature, SignatureType, SignedNote, VerifierKey, check_name

_STAMP: Final = 8
_LATEST: Final = (1 << 63) - 1  # tlog-cosignature, "Format"
_COSIGNATURE: Final = _STAMP + 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A good signature: whose it is, and for a cosignature when it was made (seconds since 1970), else None."""

    name: str
    time: int | None


def verifier_key(name: str, public: bytes, kind: SignatureType) -> VerifierKey:
    """The key under its name, with the id that belongs to both. Raises `FormatError` for an impossible name."""
    check_name(name)
    return VerifierKey(name=name, key_id=_key_id(name, public, kind), type=kind, public=public)


def read_key(word: str) -> VerifierKey:
    """The key that `word` spells, once its id is found to belong to it. Raises `FormatError`."""
    key = VerifierKey.decode(word.strip())
    if key.key_id != _key_id(key.name, key.public, key.type):
        msg = f"verifier key: the id {key.key_id.hex()} is not that of the key {key.name}"
        raise FormatError(msg)
    return key


def sign(text: str, name: str, key: Ed25519PrivateKey) -> NoteSignature:
    """The log's own signature over a note's text."""
    public = verifier_key(name, key.public_key().public_bytes_raw(), SignatureType.ED25519)
    return NoteSignature(name=name, key_id=public.key_id, signature=key.sign(text.encode()))


def cosign(text: str, name: str, key: Ed25519PrivateKey, *, time: int) -> NoteSignature:
    """A witness's signature: as of `time` (seconds since 1970), the largest consistent tree it has seen."""
    public = verifier_key(name, key.public_key().public_bytes_raw(), SignatureType.COSIGNATURE)
    signature = time.to_bytes(_STAMP, "big") + key.sign(_cosigned(text, time))
    return NoteSignature(name=name, key_id=public.key_id, signature=signature)


def seen_by(note: SignedNote, key: VerifierKey) -> Seen | None:
    """The signature of `key` on the note, or None where there is none. One that does not verify counts as none."""
    for line in note.signatures:
        if (line.name, line.key_id) != (key.name, key.key_id):
            continue
        if key.type is SignatureType.ED25519:
            return Seen(name=key.name, time=None) if _good(key, line.signature, note.text.encode()) else None
        if len(line.signature) != _COSIGNATURE:
            return None
        time = int.from_bytes(line.signature[:_STAMP], "big")
        if time > _LATEST:
            return None
        good = _good(key, line.signature[_STAMP:], _cosigned(note.text, time))
        return Seen(name=key.name, time=time) if good else None
    return None


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _good(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _key_id(name: str, public: bytes, kind: SignatureType) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:KEY_ID]
