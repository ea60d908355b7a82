"""Signed notes: a text, and the signatures of those who vouch for it (C2SP signed-note 1.0.0).

A note is UTF-8 text that ends with a newline, an empty line, and signature lines. Nothing is verified here.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _base64

LIMIT: Final = 1 << 20
MAX_SIGNATURES: Final = 64
KEY_ID: Final = 4
MARK: Final = "\N{EM DASH} "
_SPACE: Final = 0x20
_VKEY_LIMIT: Final = 8192


class SignatureType(IntEnum):
    """The signature type identifiers that warily makes and checks (signed-note, "Signature types")."""

    ED25519 = 0x01
    COSIGNATURE = 0x04  # timestamped Ed25519, C2SP tlog-cosignature


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One line: the key's name, its 4-byte id, and the signature bytes that follow it."""

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> str:
        """The line, with its newline."""
        return f"{MARK}{self.name} {_base64.to_text(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """`text` ends with a newline; it is what was signed. The signatures may be by anyone."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """The note as bytes."""
        return (self.text + "\n" + "".join(line.encode() for line in self.signatures)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The note that `data` holds. Raises `FormatError`; `encode` gives the same bytes back."""
        text, found, lines = _text(data).rpartition("\n\n")
        if not found or not text or not lines.endswith("\n"):
            raise FormatError("signed note: no empty line between a text and its signatures")
        parts = lines.removesuffix("\n").split("\n")
        if len(parts) > MAX_SIGNATURES:
            msg = f"signed note: over {MAX_SIGNATURES} signatures"
            raise FormatError(msg)
        return cls(text=f"{text}\n", signatures=tuple(_signature(line) for line in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key with its name: `name+id+key` on one line (signed-note, "Verifier keys")."""

    name: str
    key_id: bytes
    type: SignatureType
    public: bytes

    def encode(self) -> str:
        """The key as one word."""
        return f"{self.name}+{self.key_id.hex()}+{_base64.to_text(bytes([self.type]) + self.public)}"

    @classmethod
    def decode(cls, word: str) -> Self:
        """The key that `word` spells. That the id belongs to the key is for `publish.note` to check."""
        parts = word.split("+", 2)
        if len(word) > _VKEY_LIMIT or len(parts) != 3:  # name, id, key
            raise FormatError("verifier key: not of the form name+id+key")
        name, identifier, encoded = parts
        check_name(name)
        try:
            key_id = bytes.fromhex(identifier)
        except ValueError:
            key_id = b""
        material = _from_base64(encoded, "verifier key")
        if key_id.hex() != identifier or len(key_id) != KEY_ID or len(material) != 33:  # type, 32 bytes
            raise FormatError("verifier key: needs an id of 8 hexadecimal digits and a key of 32 bytes")
        if material[0] not in tuple(SignatureType):
            msg = f"verifier key: signature type {material[0]:#04x} is not known here"
            raise FormatError(msg)
        return cls(name=name, key_id=key_id, type=SignatureType(material[0]), public=material[1:])


def check_name(name: str) -> None:
    """A key name is not empty and has no space and no plus sign. Raises `FormatError`."""
    if not name or "+" in name or any(character.isspace() for character in name) or len(name) > 255:  # bytes
        msg = f"signed note: {name[:64]!r} cannot be the name of a key"
        raise FormatError(msg)


def _text(data: bytes) -> str:
    if len(data) > LIMIT:
        msg = f"signed note: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("signed note: not UTF-8") from None
    if any(ord(character) < _SPACE and character != "\n" for character in text):
        raise FormatError("signed note: has control characters")
    return text


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(MARK).partition(" ")
    if not line.startswith(MARK):
        raise FormatError("signed note: a signature line does not begin with a dash")
    check_name(name)
    blob = _from_base64(encoded, "signed note")
    if len(blob) <= KEY_ID:
        raise FormatError("signed note: a signature line has no signature")
    return NoteSignature(name=name, key_id=blob[:KEY_ID], signature=blob[KEY_ID:])


def _from_base64(text: str, what: str) -> bytes:
    """The bytes of canonical, padded base64, at least one."""
    data = _base64.from_text(text)
    if not data:
        msg = f"{what}: not canonical base64"
        raise FormatError(msg)
    return data
