"""PEM (RFC 7468): labelled base64 blocks in text. Text outside the blocks is commentary and ignored."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError

LIMIT: Final = 4 << 20
MAX_BLOCKS: Final = 256
MARK: Final = b"-----BEGIN "

CERTIFICATE: Final = "CERTIFICATE"
CRL: Final = "X509 CRL"
_JSON: Final = (b"{", b"[", b'"')
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: its label and the DER inside."""

    label: str
    der: bytes


def looks_like(text: bytes) -> bool:
    """Whether it is text with PEM in it, and neither JSON nor an HTTP answer with PEM in its values."""
    return MARK in text and text.removeprefix(_BOM).lstrip()[:1] not in _JSON and not text.startswith(b"HTTP/")


def decode_blocks(text: bytes) -> tuple[Block, ...]:
    """Every block of `text` (at most 4 MiB), in order; at least one. Raises `FormatError`."""
    if len(text) > LIMIT:
        msg = f"PEM: {len(text)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    return _usual(text) or _by_line(text)


# Blocks one after the other, as most files have them: nothing around them, and no white space but the ends of lines.
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\n([^-]+)\n-----END \1-----\n*")


def _usual(text: bytes) -> tuple[Block, ...]:
    """The blocks of text that holds nothing else; none where it does, or where anything is unusual."""
    blocks = []
    at = 0
    while found := _BLOCK.match(text, at):
        label, body = found.groups()
        try:
            der = binascii.a2b_base64(body.replace(b"\n", b""), strict_mode=True)
        except binascii.Error:
            return ()
        blocks.append(Block(label=label.decode("ascii"), der=der))
        at = found.end()
    return tuple(blocks) if at == len(text) and len(blocks) <= MAX_BLOCKS else ()


def _by_line(text: bytes) -> tuple[Block, ...]:
    blocks: list[Block] = []
    label: bytes | None = None
    body: list[bytes] = []
    for line in text.removeprefix(_BOM).splitlines():
        mark = line.strip()
        if label is None and mark.startswith(MARK) and mark.endswith(b"-----"):
            label, body = mark[len(MARK) : -5], []
        elif label is not None and mark == b"-----END " + label + b"-----":
            blocks.append(_block(label, b"".join(body)))
            label = None
        elif label is not None:
            body.append(mark)
    if label is not None or not 1 <= len(blocks) <= MAX_BLOCKS:
        msg = f"PEM: a block is not closed, or there is none, or there are over {MAX_BLOCKS}"
        raise FormatError(msg)
    return tuple(blocks)


def encode_block(block: Block) -> str:
    """The block as text, 64 characters a line."""
    text = base64.b64encode(block.der).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {block.label}-----", *lines, f"-----END {block.label}-----", ""])


def _block(label: bytes, body: bytes) -> Block:
    try:
        return Block(label=label.decode("ascii"), der=base64.b64decode(body, validate=True))
    except (binascii.Error, UnicodeDecodeError):
        msg = "PEM: a block is not base64"
        raise FormatError(msg) from None
