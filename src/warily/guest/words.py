"""What the measured command line tells the first program of the guest, read strictly."""

import re
from dataclasses import dataclass
from typing import Final, Self

from warily.guest.refusal import Refused

PREFIX: Final = "warily."
LIMIT: Final = 4096
NAMES: Final = ("root", "salt", "blocks", "hash", "devices", "grantor")
SHA256: Final = "sha256"
DECLARED: Final = "declared"
MAX_BLOCKS: Final = 1 << 32
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SALT: Final = re.compile(r"(?:[0-9a-f]{2}){8,64}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootWords:
    """The root's SHA-256 tree (root hash, salt, number of 4 KiB data blocks) and the grantor's public key.

    That declared devices alone are bound is no choice, but a word all the same: who reads the measured line learns
    it there, and a first program that does not know the word starts nothing.
    """

    root: bytes
    salt: bytes
    blocks: int
    grantor: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """The `warily.*` words of a command line: each exactly once, and no other. Raises `Refused`."""
        found: dict[str, str] = {}
        for word in _words(text):
            name, _, value = word[len(PREFIX) :].partition("=")
            if name not in NAMES:
                raise Refused("cmdline.unknown", f"{PREFIX}{name} is not a word of this version")
            if name in found:
                raise Refused("cmdline.duplicate", f"{PREFIX}{name} stands there twice")
            found[name] = value
        missing = [name for name in NAMES if name not in found]
        if missing:
            raise Refused("cmdline.missing", f"{PREFIX}{missing[0]} is missing")
        if found["hash"] != SHA256:
            raise Refused("cmdline.malformed", f"{PREFIX}hash is not {SHA256}")
        if found["devices"] != DECLARED:
            raise Refused("cmdline.malformed", f"{PREFIX}devices is not {DECLARED}")
        blocks = int(_matching(_NUMBER, "blocks", found))
        if blocks > MAX_BLOCKS:
            raise Refused("cmdline.malformed", f"{PREFIX}blocks is over {MAX_BLOCKS}")
        return cls(
            root=bytes.fromhex(_matching(_DIGEST, "root", found)),
            salt=bytes.fromhex(_matching(_SALT, "salt", found)),
            blocks=blocks,
            grantor=bytes.fromhex(_matching(_DIGEST, "grantor", found)),
        )


def _words(text: str) -> list[str]:
    """The words that begin with `warily.`; quotes, which the kernel would read differently, are refused."""
    if len(text) > LIMIT:
        raise Refused("cmdline.malformed", f"over {LIMIT} characters")
    if '"' in text:
        raise Refused("cmdline.malformed", "a quotation mark")
    return [word for word in text.split() if word.startswith(PREFIX)]


def _matching(pattern: re.Pattern[str], name: str, found: dict[str, str]) -> str:
    if not pattern.fullmatch(found[name]):
        raise Refused("cmdline.malformed", f"{PREFIX}{name} is not what it must be")
    return found[name]
