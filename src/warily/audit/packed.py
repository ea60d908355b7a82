"""Compressed streams, unpacked within bounds: what the first one in some bytes holds, and where the next begins."""

import bz2
import lzma
import zlib
from typing import Final

from warily.errors import FormatError
from warily.formats import lz4_block

GZIP_WINDOW: Final = 31  # zlib's own number for a gzip header and the largest window
STEP: Final = 1 << 10  # what zstd is fed with at once: a block of a few bytes may stand for 128 KiB
LZ4_MAGIC: Final = b"\x02\x21\x4c\x18"
LZ4_CHUNK: Final = 8 << 20  # unpacked, as Linux and `lz4 -l` make them
LZ4_BOUND: Final = LZ4_CHUNK + LZ4_CHUNK // 255 + 16  # packed, at most
PEEK: Final = 1 << 17


def first(data: bytes, kind: str, *, limit: int) -> tuple[bytes, bytes]:
    """What the compressed stream at the beginning of `data` holds, at most `limit` bytes, and what follows it.

    Raises `FormatError` for a kind that is not known, for a stream that is wrong or cut off, and beyond the limit.
    """
    content, rest, ended = _unpacked(data, kind, limit + 1)
    if len(content) > limit:
        msg = f"{kind}: over {limit} bytes unpacked"
        raise FormatError(msg)
    if not ended:
        msg = f"{kind}: it ends too early"
        raise FormatError(msg)
    return content, rest


def peek(data: bytes, kind: str) -> bytes:
    """The first 128 KiB of what a stream holds; less where it holds less, is wrong, or is not known."""
    try:
        return _unpacked(data, kind, PEEK)[0][:PEEK]
    except FormatError:
        return b""


def _unpacked(data: bytes, kind: str, enough: int) -> tuple[bytes, bytes, bool]:
    """Content, what follows, and whether the stream came to its end; about `enough` bytes at most."""
    try:
        match kind:
            case "gzip":
                inflate = zlib.decompressobj(GZIP_WINDOW)
                return inflate.decompress(data, enough), inflate.unused_data, inflate.eof
            case "xz" | "lzma":
                unpack = lzma.LZMADecompressor()
                return unpack.decompress(data, enough), unpack.unused_data, unpack.eof
            case "bzip2":
                burrows = bz2.BZ2Decompressor()
                return burrows.decompress(data, enough), burrows.unused_data, burrows.eof
            case "zstd":
                return _zstd(data, enough)
            case "lz4":
                return _lz4(data, enough)
            case _:
                msg = f"compressed in a way that is not read here ({kind or 'unknown'})"
                raise FormatError(msg)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        msg = f"{kind}: {error}"
        raise FormatError(msg) from None


def _zstd(data: bytes, enough: int) -> tuple[bytes, bytes, bool]:
    import zstandard  # noqa: PLC0415  # most audits do without

    stream = zstandard.ZstdDecompressor().decompressobj()
    out, at = bytearray(), 0
    try:
        while at < len(data) and not stream.eof and len(out) < enough:
            out += stream.decompress(data[at : at + STEP])
            at += STEP
    except zstandard.ZstdError as error:
        msg = f"zstd: {error}"
        raise FormatError(msg) from None
    return bytes(out), stream.unused_data + data[at:], stream.eof


def _lz4(data: bytes, enough: int) -> tuple[bytes, bytes, bool]:
    """The legacy frame that Linux reads (lz4 doc/lz4_Frame_format.md): a magic, then chunks with their sizes before."""
    out, at = bytearray(), len(LZ4_MAGIC)
    while at + 4 <= len(data) and len(out) < enough:
        size = int.from_bytes(data[at : at + 4], "little")
        if data[at : at + 4] == LZ4_MAGIC:
            at += 4
            continue
        if not 0 < size <= LZ4_BOUND or at + 4 + size > len(data):
            break
        out += lz4_block.decompress_whole(data[at + 4 : at + 4 + size], LZ4_CHUNK)
        at += 4 + size
    return bytes(out), data[at:], at > len(LZ4_MAGIC)
