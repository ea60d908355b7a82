"""Answers kept on this machine: bodies named by their digest, and beside them which address gave which, and when.

Files are readable by their owner alone and appear whole or not at all. A file that is damaged counts as absent.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from warily.errors import FormatError, HostError
from warily.fetch.request import FOR_EVER, Answer
from warily.formats._json import JsonObject, canonical

MAX_BODY: Final = 4 << 20
MAX_NOTE: Final = 1 << 18
_PRIVATE: Final = 0o600


class Cache:
    """The answers in one folder, which is made when something is first kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, url: str, *, at: datetime, keeps: timedelta) -> Answer | None:
        """What the address answered, where that is at most `keeps` old at the time given; None otherwise."""
        note = read_private(self._note(url), MAX_NOTE)
        if note is None:
            return None
        try:
            digest, fetched, headers = _decoded(note, url)
        except FormatError:
            return None
        body = read_private(self._object(digest), MAX_BODY)
        fresh = keeps == FOR_EVER or timedelta(0) <= at - fetched <= keeps
        if body is None or not fresh or hashlib.sha256(body).hexdigest() != digest:
            return None
        return Answer(url=url, fetched=fetched, body=body, headers=headers)

    def keep(self, answer: Answer) -> None:
        """Keep an answer under its address. Raises `HostError` where this machine does not let it."""
        digest = hashlib.sha256(answer.body).hexdigest()
        note = {
            "url": answer.url,
            "sha256": digest,
            "fetched": answer.fetched.astimezone(UTC).isoformat(),
            "headers": dict(answer.headers),
        }
        write_private(self._object(digest), answer.body)
        write_private(self._note(answer.url), canonical(note))

    def _object(self, digest: str) -> Path:
        return self._folder / "objects" / digest

    def _note(self, url: str) -> Path:
        return self._folder / "answers" / f"{hashlib.sha256(url.encode()).hexdigest()}.json"


def _decoded(note: bytes, url: str) -> tuple[str, datetime, Mapping[str, str]]:
    """Digest, time and headers that a note holds. Raises `FormatError`, also for a note on another address."""
    top = JsonObject.parse(note, what="cache", limit=MAX_NOTE)
    said, digest, fetched = top.text("url"), top.hexadecimal("sha256", width=32).hex(), top.text("fetched", limit=64)
    listed = top.object("headers")
    headers = {name: listed.text(name, limit=MAX_NOTE) for name in listed.keys()}  # noqa: SIM118  # no mapping
    try:
        at = datetime.fromisoformat(fetched)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or said != url:
        msg = "cache: a note that is not of this address, or without a time"
        raise FormatError(msg)
    return digest, at, headers


def read_private(path: Path, limit: int) -> bytes | None:
    """The content of a file; None where there is none, or it is longer than `limit`. Raises `HostError`."""
    try:
        with path.open("rb") as source:
            data = source.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise HostError(msg) from None
    return data if len(data) <= limit else None


def write_private(path: Path, data: bytes) -> None:
    """The file holds `data`, readable by its owner alone; it never holds half of it. Raises `HostError`."""
    write_whole(path, data, mode=_PRIVATE)


def write_whole(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """The file holds `data`, with `mode` less the user's mask; it never holds half of it. Raises `HostError`."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700 if mode == _PRIVATE else 0o777, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as target:
                target.write(data)
                target.flush()
                os.fsync(target.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise HostError(msg) from None
