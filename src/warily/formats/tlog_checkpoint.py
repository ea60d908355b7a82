"""Checkpoints of a transparency log: origin, size, root hash (C2SP tlog-checkpoint 1.0.0)."""

from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _base64

HASH: Final = 32
MAX_SIZE: Final = (1 << 63) - 1
_MIN_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log's tree: `size` leaves under `root` (SHA-256, RFC 6962). Extension lines are opaque."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def encode(self) -> str:
        """The text of the note that carries it."""
        lines = (self.origin, str(self.size), encode_hash(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def decode(cls, text: str) -> Self:
        """The checkpoint that a note's text holds. Raises `FormatError`."""
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) < _MIN_LINES or not all(lines):
            raise FormatError("checkpoint: needs an origin, a size and a root hash, each on its line")
        origin, size, root, *extensions = lines
        return cls(
            origin=origin,
            size=decode_number(size, what="checkpoint: size"),
            root=decode_hash(root, what="checkpoint: root hash"),
            extensions=tuple(extensions),
        )


def decode_number(text: str, *, what: str) -> int:
    """A decimal without leading zeros, at most 2⁶³ - 1. Raises `FormatError`."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or (text[0] == "0" and text != "0"):  # digits of 2**63
        msg = f"{what} is not a decimal number"
        raise FormatError(msg)
    number = int(text)
    if number > MAX_SIZE:
        msg = f"{what} is over {MAX_SIZE}"
        raise FormatError(msg)
    return number


def encode_hash(value: bytes) -> str:
    """A hash in base64, as checkpoints and proofs write it."""
    return _base64.to_text(value)


def decode_hash(text: str, *, what: str) -> bytes:
    """The 32 bytes of canonical base64. Raises `FormatError`."""
    value = _base64.from_text(text)
    if value is None or len(value) != HASH:
        msg = f"{what} is not a SHA-256 in base64"
        raise FormatError(msg)
    return value
