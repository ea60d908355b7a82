"""REPORT_DATA: what ties a report to one nonce, one session key and one body of evidence.

    REPORT_DATA = SHA-512( domain ‖ nonce ‖ SHA-512(session key) ‖ evidence digest )

`domain` is the 24 ASCII bytes below; `nonce` is `NONCE_SIZE` bytes; the session key is an uncompressed
P-256 point (65 bytes); the evidence digest is `digest_without(collection, HARDWARE)`, 64 bytes.
Every part has a fixed length, so no two inputs share an encoding. Test vectors: docs/reference/binding.md.
"""

import hashlib
from typing import Final

from warily.errors import FormatError
from warily.formats.cmw import Collection

DOMAIN: Final = b"warily/report-data/v1\x00\x00\x00"
NONCE_SIZE: Final = 48
SESSION_KEY_SIZE: Final = 65
DIGEST_SIZE: Final = 64
HARDWARE: Final = "hw"  # the record that carries the report itself


def report_data(*, nonce: bytes, session_key: bytes, evidence_digest: bytes) -> bytes:
    """The 64 bytes that the guest asks the hardware to sign."""
    for name, value, size in (
        ("nonce", nonce, NONCE_SIZE),
        ("session key", session_key, SESSION_KEY_SIZE),
        ("evidence digest", evidence_digest, DIGEST_SIZE),
    ):
        if len(value) != size:
            msg = f"report data: the {name} has {len(value)} bytes, not {size}"
            raise FormatError(msg)
    key_digest = hashlib.sha512(session_key).digest()
    return hashlib.sha512(DOMAIN + nonce + key_digest + evidence_digest).digest()


def digest_without(collection: Collection, left_out: str) -> bytes:
    """SHA-512 over every record but one, in label order, each part preceded by its u32 length.

    The digest is over decoded bytes, so that no two JSON spellings of one collection differ.
    """
    state = hashlib.sha512(b"warily/evidence/v1")
    for label, record in sorted(collection.items()):
        if label == left_out:
            continue
        for part in (label.encode(), record.media_type.encode(), record.value):
            state.update(len(part).to_bytes(4, "big") + part)
    return state.digest()
