"""Whose signature on a manifest counts."""

from collections.abc import Iterable
from typing import Final

from warily.errors import UsageError
from warily.host import keys, paths

KEY_SIZE: Final = 32  # a raw Ed25519 public key, RFC 8032


def owners(named: Iterable[str]) -> frozenset[bytes]:
    """The owner keys to trust: the named ones, and the user's own where there is one. Raises `UsageError`."""
    found = {_public_key(text) for text in named}
    if (paths.keys() / "owner.key").exists():
        found.add(keys.public_bytes(keys.signing_key("owner")))
    return frozenset(found)


def _public_key(text: str) -> bytes:
    try:
        public = bytes.fromhex(text)
    except ValueError:
        public = b""
    if len(public) != KEY_SIZE:
        message = f"--owner {text}: not {KEY_SIZE} bytes in hexadecimal"
        raise UsageError(message, hint="`warily key` shows such a key")
    return public
