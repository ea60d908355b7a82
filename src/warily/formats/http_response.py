"""An answer of a web service as `curl -i` keeps it: status line, header fields, an empty line, the content (RFC 9112).

Intel's provisioning service sends the chains of what it signs in header fields, percent-encoded.
"""

import re
from dataclasses import dataclass, field
from typing import Final, Self

from warily.errors import FormatError

HEAD_LIMIT: Final = 1 << 16
MAX_FIELDS: Final = 128
_MARK: Final = b"HTTP/"
_ENCODED: Final = re.compile(rb"%([0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """The header fields in order, names in lower case, values percent-decoded; and the content as it is."""

    fields: tuple[tuple[str, bytes], ...]
    body: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The answer. Raises `FormatError`, also for a head of over 64 KiB."""
        end, width = min(
            ((at, len(mark)) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark, 0, HEAD_LIMIT)) >= 0),
            default=(-1, 0),
        )
        if not looks_like(data) or end < 0:
            msg = "HTTP response: it has no status line, or its head has no end"
            raise FormatError(msg)
        lines = data[:end].split(b"\n")[1:]
        if len(lines) > MAX_FIELDS:
            msg = f"HTTP response: over {MAX_FIELDS} header fields"
            raise FormatError(msg)
        return cls(fields=tuple(_field(line) for line in lines), body=data[end + width :])


def looks_like(data: bytes) -> bool:
    """Whether the bytes begin with a status line."""
    return data.startswith(_MARK) and b" " in data[:16]


def decoded(value: bytes) -> bytes:
    """The bytes that percent-encoded text means."""
    return _ENCODED.sub(lambda found: bytes.fromhex(found[1].decode("ascii")), value)


def _field(line: bytes) -> tuple[str, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name.isascii():
        msg = "HTTP response: a line of its head is no field"
        raise FormatError(msg)
    return name.decode("ascii").strip().lower(), decoded(value.strip())
