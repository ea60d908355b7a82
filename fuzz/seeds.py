"""Where fuzzing starts: genuine files of the vectors, and what lies inside them.

A seed is small, so that many mutants of it are tried: at most 64 KiB, and at most twelve for a target.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from fuzz import made
from warily.errors import FormatError
from warily.formats import pem
from warily.formats.x509 import Certificate

MAX_SIZE: Final = 64 << 10
MAX_SEEDS: Final = 12

Seeds = Callable[[Path], Iterable[bytes]]


def files(*patterns: str) -> Seeds:
    """The smallest files of the vectors that the patterns name."""

    def read(vectors: Path) -> Iterator[bytes]:
        found = {path for pattern in patterns for path in vectors.glob(pattern) if path.is_file()}
        for path in sorted(found, key=lambda path: (path.stat().st_size, str(path))):
            if path.stat().st_size <= MAX_SIZE:
                yield path.read_bytes()

    return read


def beginnings(size: int, *patterns: str) -> Seeds:
    """The first bytes of files that are too large to mutate whole."""

    def read(vectors: Path) -> Iterator[bytes]:
        for pattern in patterns:
            for path in sorted(vectors.glob(pattern)):
                with path.open("rb") as file:
                    yield file.read(size)

    return read


def certificates(*patterns: str) -> Seeds:
    """The DER inside PEM files."""

    def read(vectors: Path) -> Iterator[bytes]:
        for text in files(*patterns)(vectors):
            try:
                yield from (block.der for block in pem.decode_blocks(text))
            except FormatError:
                yield text

    return read


def extensions(oid: str, *patterns: str) -> Seeds:
    """The value of one extension of the certificates inside PEM files."""

    def read(vectors: Path) -> Iterator[bytes]:
        for der in certificates(*patterns)(vectors):
            found = Certificate.decode(der).extensions.get(oid)
            if found is not None:
                yield found.value

    return read


def slices(start: int, end: int | None, *patterns: str) -> Seeds:
    """A part of each file."""
    return lambda vectors: (data[start:end] for data in files(*patterns)(vectors))


def members(name: str, *patterns: str) -> Seeds:
    """One member of JSON files, itself as JSON or, where it is text, as that text."""

    def read(vectors: Path) -> Iterator[bytes]:
        for text in files(*patterns)(vectors):
            value = json.loads(text).get(name)
            if value is not None:
                yield value.encode() if isinstance(value, str) else json.dumps(value).encode()

    return read


def mapped(change: Callable[[bytes], bytes], *patterns: str) -> Seeds:
    """What a function makes of each file."""
    return lambda vectors: (change(data) for data in files(*patterns)(vectors))


def written(*makers: Callable[[], bytes]) -> Seeds:
    """What functions write."""
    return lambda _: (make() for make in makers)


def spoken(code: int) -> Seeds:
    """The messages of one SPDM code in the conversations of the vectors."""
    return partial(made.spdm_messages, code)


def literal(*values: bytes | str) -> Seeds:
    """Values that no vector holds, written beside the target."""
    return lambda _: (value.encode() if isinstance(value, str) else value for value in values)


def chosen(seeds: Iterable[Seeds], vectors: Path) -> list[bytes]:
    """The seeds of one target, without duplicates. An empty file is among them, so that there is always one."""
    every = (seed for source in seeds for seed in source(vectors))
    small = dict.fromkeys(seed for seed in every if len(seed) <= MAX_SIZE)
    return [b"", *islice(small, MAX_SEEDS)]
