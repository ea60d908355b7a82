"""Padded base64 (RFC 4648 section 4) as signed formats write it: one text for the same bytes, and no other."""

import base64
import binascii


def to_text(data: bytes) -> str:
    """The bytes as text."""
    return base64.b64encode(data).decode("ascii")


def from_text(text: str) -> bytes | None:
    """The bytes that `text` is the canonical form of, or None where it is not canonical base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if to_text(data) == text else None
