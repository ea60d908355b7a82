"""COSE_Sign1 (RFC 9052, section 4.2): one payload, one signature. What is signed is rebuilt from bytes as received."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from warily.errors import FormatError
from warily.formats import cbor
from warily.formats.cbor import Tag

TAG: Final = 18
LIMIT: Final = 1 << 20
ALGORITHM: Final = 1  # the header parameter `alg`
KEY_ID: Final = 4
ES256: Final = -7
ES384: Final = -35
EDDSA: Final = -8
_CONTEXT: Final = "Signature1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoseSign1:
    """A signed message. `protected` is the encoded header as received, `signature` as RFC 9053 packs it."""

    protected: bytes
    unprotected: Mapping[int | str | bytes, Any]
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def algorithm(self) -> int | None:
        """The algorithm that the protected header names; None where it does not, or not as a number."""
        named = _header(self.protected).get(ALGORITHM)
        return named if type(named) is int else None

    def signed_bytes(self) -> bytes:
        """The Sig_structure: what the signature is over (RFC 9052, section 4.4), without external data."""
        return cbor.encode([_CONTEXT, self.protected, b"", self.payload])

    def encode(self, *, tagged: bool) -> bytes:
        """The message in CBOR, with or without tag 18."""
        parts = [self.protected, dict(self.unprotected), self.payload, self.signature]
        return cbor.encode(Tag(TAG, parts) if tagged else parts)

    @classmethod
    def decode(cls, data: bytes, *, what: str) -> Self:
        """The message that `data` (at most 1 MiB, tag 18 or none) is. Raises `FormatError`."""
        value = cbor.decode(data, what=what, limit=LIMIT)
        if isinstance(value, Tag) and value.number == TAG:
            value = value.value
        match value:
            case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]:
                _header(protected)
                return cls(protected=protected, unprotected=unprotected, payload=payload, signature=signature)
            case _:
                msg = f"{what}: not a COSE_Sign1 message"
                raise FormatError(msg)


def _header(protected: bytes) -> dict[int | str | bytes, Any]:
    """The protected header, which may be no bytes at all."""
    if not protected:
        return {}
    header = cbor.decode(protected, what="protected header", limit=LIMIT)
    if not isinstance(header, dict):
        msg = "protected header: not a map"
        raise FormatError(msg)
    return header
