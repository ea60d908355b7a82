"""Keylime's runtime policy: digests that files may have, as JSON (keylime, `keylime/ima/types.py`)."""

from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject

LIMIT: Final = 256 << 20
MAX_PATHS: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeylimePolicy:
    """What may be measured: path → digests, hexadecimal decoded. `excludes` are regular expressions, not applied here.

    `keyrings` are digests of keys by the keyring they may be loaded into. Other members are not read.
    """

    version: int
    digests: dict[str, tuple[bytes, ...]]
    keyrings: dict[str, tuple[bytes, ...]]
    excludes: tuple[str, ...]

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The policy that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="Keylime policy", limit=LIMIT)
        meta = top.object("meta")
        return cls(
            version=meta.number("version") if "version" in meta else 0,
            digests=_digests(top.object("digests")),
            keyrings=_digests(top.object("keyrings")) if "keyrings" in top else {},
            excludes=top.texts("excludes") if "excludes" in top else (),
        )


def looks_like(top: JsonObject) -> bool:
    """The members that every runtime policy has."""
    return "digests" in top and "meta" in top


def _digests(entries: JsonObject) -> dict[str, tuple[bytes, ...]]:
    if len(entries.keys()) > MAX_PATHS:
        msg = f"Keylime policy: over {MAX_PATHS} paths"
        raise FormatError(msg)
    return {path: tuple(_digest(text) for text in entries.texts(path, limit=1024)) for path in entries.keys()}  # noqa: SIM118  # a JsonObject is no mapping


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        msg = f"Keylime policy: {text[:32]!r} is not a digest in hexadecimal"
        raise FormatError(msg) from None
