"""Bytes written as text, as tools print them and people paste them: hexadecimal or base64; and gzip around bytes.

Hexadecimal in either case, with or without `0x`; base64 of both alphabets (RFC 4648, sections 4 and 5), padded or not.
White space anywhere, a byte order mark and one pair of quotes around it all mean nothing. What is meant decides whoever
reads the bytes: nothing here is trusted, and nothing signed is text.
"""

import base64
import binascii
import string
import zlib
from typing import Final

LIMIT: Final = 16 << 20
SHORTEST: Final = 64  # bytes: shorter is no evidence and no collateral, and any word is base64 of something
UNZIPPED_LIMIT: Final = 1 << 20
_HEX: Final = frozenset(string.hexdigits.encode())
_BASE64: Final = frozenset((string.ascii_letters + string.digits + "+/-_=").encode())
_SPACE: Final = string.whitespace.encode()
_BOM: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b\x08"
_GZIP_WINDOW: Final = 31  # zlib's number for a gzip header and the largest window


def unarmoured(text: bytes) -> bytes | None:
    """The bytes that text of at most 16 MiB means, 64 at least; None for anything else."""
    if len(text) > LIMIT or not (_BASE64 | set(_SPACE) | set(b"\"'")).issuperset(text[:16].removeprefix(_BOM)):
        return None  # most files are no such text, and need not be read whole
    plain = text.removeprefix(_BOM).strip()
    if plain[:1] in (b'"', b"'") and plain[-1:] == plain[:1]:
        plain = plain[1:-1]
    plain = plain.translate(None, _SPACE)
    found = _unhexed(plain)
    if found is None and _BASE64.issuperset(plain):
        found = _from_base64(plain)
    return found if found is not None and len(found) >= SHORTEST else None


def unzipped(data: bytes) -> bytes | None:
    """What one gzip member of at most 1 MiB of content holds; None where the bytes are none, or more follows it."""
    if not data.startswith(_GZIP):
        return None
    opened = zlib.decompressobj(_GZIP_WINDOW)
    try:
        found = opened.decompress(data, UNZIPPED_LIMIT + 1)
    except zlib.error:
        return None
    return found if opened.eof and not opened.unused_data and len(found) <= UNZIPPED_LIMIT else None


def _unhexed(plain: bytes) -> bytes | None:
    digits = plain[2:] if plain[:2] in (b"0x", b"0X") else plain
    if len(digits) % 2 or not _HEX.issuperset(digits):
        return None
    return bytes.fromhex(digits.decode("ascii"))


def _from_base64(plain: bytes) -> bytes | None:
    body = plain.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    if len(plain) - len(body) > 2:  # no base64 ends in three
        return None
    try:
        return base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        return None
