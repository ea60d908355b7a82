"""The audit trail as a hash chain: every row holds SHA-256(hash of the row before ‖ this row).

Changing, removing or inserting a row breaks every hash after it. Cutting off the end, or writing the whole
chain anew, shows only to somebody who noted the head; the operator's audit page prints it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from warily.formats._json import canonical

START: Final = bytes(32)  # what stands before the first row


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One decision. `at` is in seconds since 1970, `identity` in hexadecimal or empty, `detail` is JSON text."""

    sequence: int
    at: int
    event: str
    identity: str
    detail: str
    hash: bytes = b""

    def hash_after(self, previous: bytes) -> bytes:
        """The hash that this row has when `previous` is the hash of the row before it."""
        content = {
            "sequence": self.sequence,
            "at": self.at,
            "event": self.event,
            "identity": self.identity,
            "detail": self.detail,
        }
        return hashlib.sha256(previous + canonical(content)).digest()


def first_break(rows: Iterable[Row], *, previous: bytes = START, after: int = 0) -> int | None:
    """The sequence number at which the chain is broken first, or None where it is whole.

    `rows` follow row `after`, whose hash is `previous`.
    """
    for wanted, row in enumerate(rows, start=after + 1):
        if row.sequence != wanted or row.hash != row.hash_after(previous):
            return wanted
        previous = row.hash
    return None
