"""What one entry of a manifest log says: this signed manifest, by this owner, is version N of this image."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from warily.core.manifest import Manifest
from warily.errors import FormatError
from warily.formats._json import JsonObject, canonical

SCHEMA: Final = "warily/log-entry/1"
LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One version of one image. `envelope` is the SHA-256 of the signed manifest's bytes; `owner` signed it.

    `root_hash` is the dm-verity root, so that a log can be searched by what a guest runs. `issued` has whole seconds.
    """

    name: str
    version: int
    envelope: bytes
    root_hash: bytes
    owner: bytes
    issued: datetime

    def encode(self) -> bytes:
        """The entry as canonical JSON: the leaf of the log."""
        return canonical(
            {
                "schema": SCHEMA,
                "name": self.name,
                "version": self.version,
                "envelope": self.envelope.hex(),
                "root_hash": self.root_hash.hex(),
                "owner": self.owner.hex(),
                "issued": self.issued.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The entry that a leaf holds, which must be its canonical form. Raises `FormatError`."""
        top = JsonObject.parse(data, what="log entry", limit=LIMIT)
        schema = top.text("schema")
        if schema != SCHEMA:
            msg = f"log entry: schema {schema!r} is not {SCHEMA}"
            raise FormatError(msg)
        made = cls(
            name=top.text("name", limit=256),
            version=top.number("version", low=1),
            envelope=top.hexadecimal("envelope", width=32),
            root_hash=top.hexadecimal("root_hash"),
            owner=top.hexadecimal("owner", width=32),
            issued=_time(top.text("issued", limit=32)),
        )
        top.finish()
        if made.encode() != data:
            raise FormatError("log entry: not in its canonical form")
        return made


def entry_for(envelope: bytes, manifest: Manifest, *, owner: bytes, version: int, issued: datetime) -> LogEntry:
    """The entry that logs the signed manifest `envelope`, already found to hold `manifest` and be signed by `owner`."""
    return LogEntry(
        name=manifest.name,
        version=version,
        envelope=hashlib.sha256(envelope).digest(),
        root_hash=manifest.root.root_hash,
        owner=owner,
        issued=issued.replace(microsecond=0),
    )


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        msg = f"log entry: {text!r} is not a time in UTC"
        raise FormatError(msg) from None
