"""Secrets at rest: AES-256-GCM under a key that scrypt makes of the operator's passphrase.

    wrapped = version (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)

What the secret is for stands in the associated data, so that one wrapped secret cannot be moved to
another volume's row. RFC 7914 (scrypt), NIST SP 800-38D (GCM).
"""

import hmac
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from warily.errors import FormatError, UsageError

SALT: Final = 16
NONCE: Final = 12
TAG: Final = 16
KEY: Final = 32
VERSION: Final = b"\x01"
LEAST: Final = 16  # bytes of passphrase
COST: Final = 1 << 16  # scrypt N; with r = 8 it takes 64 MiB, and about 0.2 s of one core
BLOCK: Final = 8
VOLUME: Final = "volume"


@dataclass(frozen=True, slots=True)
class Kek:
    """A key-encryption key. It never shows in a representation."""

    key: bytes = field(repr=False)

    @classmethod
    def derive(cls, passphrase: bytes, salt: bytes) -> Self:
        """The key that the passphrase (at least 16 bytes) and the salt give. Raises `UsageError`."""
        if len(passphrase) < LEAST:
            msg = f"the passphrase of the key-encryption key has under {LEAST} bytes"
            raise UsageError(msg, hint="make one with `head -c 32 /dev/urandom | base64`")
        return cls(Scrypt(salt=salt, length=KEY, n=COST, r=BLOCK, p=1).derive(passphrase))

    def subkey(self, purpose: str) -> bytes:
        """32 bytes for another purpose, such as the nonces' MAC (HKDF-Expand, RFC 5869)."""
        return HKDFExpand(algorithm=SHA256(), length=KEY, info=b"warily/kek/" + purpose.encode()).derive(self.key)

    def wrap(self, secret: bytes, *, nonce: bytes, purpose: str, identity: bytes, name: str) -> bytes:
        """The secret, readable only with this key and for this purpose. `nonce` is 12 fresh random bytes."""
        aad = _context(purpose, identity, name)
        return VERSION + nonce + AESGCM(self._wrapping_key()).encrypt(nonce, secret, aad)

    def unwrap(self, wrapped: bytes, *, purpose: str, identity: bytes, name: str) -> bytes:
        """The secret. Raises `FormatError` for another key, another purpose or changed bytes."""
        nonce, sealed = wrapped[1 : 1 + NONCE], wrapped[1 + NONCE :]
        if wrapped[:1] != VERSION or len(sealed) < TAG:
            raise FormatError("wrapped secret: unknown version, or cut short")
        try:
            return AESGCM(self._wrapping_key()).decrypt(nonce, sealed, _context(purpose, identity, name))
        except InvalidTag:
            raise FormatError("wrapped secret: it is under another key, for another volume, or was changed") from None

    def check_value(self) -> bytes:
        """32 bytes that tell a wrong passphrase at start, and tell nothing else."""
        return self.subkey("check")

    def is_checked_by(self, value: bytes) -> bool:
        """Whether `value` is this key's own check value."""
        return hmac.compare_digest(self.check_value(), value)

    def _wrapping_key(self) -> bytes:
        return self.subkey("wrap")


def _context(purpose: str, identity: bytes, name: str) -> bytes:
    """The associated data: each part preceded by its u32 length."""
    parts = (b"warily/wrap/v1", purpose.encode(), identity, name.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
