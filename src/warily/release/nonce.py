"""Nonces that need no memory until they are used: an expiry and randomness under the broker's own MAC.

    nonce = expiry (u64, big-endian, seconds since 1970) ‖ random (16) ‖ HMAC-SHA256 of both (first 24 bytes)

Single use is the store's part: it remembers a used nonce until the nonce has expired anyway.
"""

import hmac
from typing import Final

from warily.core.finding import Finding, failed, passed
from warily.errors import FormatError
from warily.release.binding import NONCE_SIZE

CHECK: Final = "release.nonce"
EXPIRY: Final = 8
RANDOM: Final = 16
TAG: Final = NONCE_SIZE - EXPIRY - RANDOM
LIFETIME: Final = 300  # seconds: an emulated guest takes half a minute to gather its evidence
DOMAIN: Final = b"warily/nonce/v1"


def mint(key: bytes, now: int, random: bytes) -> bytes:
    """A nonce of 48 bytes that holds for `LIFETIME` seconds from `now`. `random` is 16 fresh bytes."""
    if len(random) != RANDOM:
        msg = f"nonce: {len(random)} random bytes, not {RANDOM}"
        raise FormatError(msg)
    head = (now + LIFETIME).to_bytes(EXPIRY, "big") + random
    return head + _tag(key, head)


def check(key: bytes, nonce: bytes, now: int) -> Finding:
    """The nonce is one that `key` minted, and it has not expired at `now` (seconds since 1970)."""
    head, tag = nonce[: EXPIRY + RANDOM], nonce[EXPIRY + RANDOM :]
    if len(nonce) != NONCE_SIZE or not hmac.compare_digest(_tag(key, head), tag):
        return failed(CHECK, expected="a nonce of this broker", found="another", hint="ask /v1/nonce for one")
    late = now - expiry(nonce)
    if late > 0:
        return failed(CHECK, expected="a nonce that holds", found=f"one {late} s over", hint="ask /v1/nonce again")
    return passed(CHECK)


def expiry(nonce: bytes) -> int:
    """The last second at which the nonce holds. It means something only after `check`."""
    return int.from_bytes(nonce[:EXPIRY], "big")


def _tag(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, DOMAIN + head, "sha256")[:TAG]
