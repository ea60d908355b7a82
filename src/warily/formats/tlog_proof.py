"""Proofs that an entry stands in a transparency log, for use offline (C2SP tlog-proof, version 1)."""

from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _base64
from warily.formats.signed_note import SignedNote
from warily.formats.tlog_checkpoint import decode_hash, decode_number, encode_hash

HEADER: Final = "c2sp.org/tlog-proof@v1"
LIMIT: Final = 1 << 20
MAX_PATH: Final = 63
_EXTRA: Final = "extra "
_INDEX: Final = "index "


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProof:
    """Entry `index` is in the tree that `checkpoint` heads, by `path` (from the leaf's sibling upwards).

    `extra` is opaque and nobody has signed it; warily puts the entry itself there, which the proof then covers.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: SignedNote
    extra: bytes | None

    def encode(self) -> bytes:
        """The proof as a `.tlog-proof` file."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(_EXTRA + _base64.to_text(self.extra))
        lines += [f"{_INDEX}{self.index}", *(encode_hash(value) for value in self.path), "", ""]
        return "\n".join(lines).encode() + self.checkpoint.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The proof that a file holds. Raises `FormatError`; `encode` gives the same bytes back."""
        if len(data) > LIMIT:
            msg = f"log proof: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        head, found, checkpoint = data.partition(b"\n\n")
        if not found or not head.startswith(HEADER.encode()) or not head.isascii():
            msg = f"log proof: does not begin with {HEADER}"
            raise FormatError(msg)
        first, *lines = head.decode("ascii").split("\n")
        if first != HEADER:
            msg = f"log proof: the first line is not {HEADER}"
            raise FormatError(msg)
        extra = _extra(lines.pop(0)) if lines and lines[0].startswith(_EXTRA) else None
        if not lines or not lines[0].startswith(_INDEX):
            raise FormatError("log proof: no index")
        index = decode_number(lines.pop(0).removeprefix(_INDEX), what="log proof: index")
        if len(lines) > MAX_PATH:
            msg = f"log proof: a path of {len(lines)} hashes, over {MAX_PATH}"
            raise FormatError(msg)
        path = tuple(decode_hash(line, what="log proof: a line of the path") for line in lines)
        return cls(index=index, path=path, checkpoint=SignedNote.decode(checkpoint), extra=extra)


def _extra(line: str) -> bytes:
    data = _base64.from_text(line.removeprefix(_EXTRA))
    if data is None:
        raise FormatError("log proof: extra data is not canonical base64")
    return data
