"""The certificate table that SNP_GET_EXT_REPORT returns: entries of (GUID, offset, length), then the blobs.

Source: AMD 56421 (GHCB), SNP Extended Guest Request, struct cert_table. GUIDs are in RFC 4122 byte order
as the specification prints them. An all-zero entry ends the list. Linux hands the table over in whole
pages, so zeros after the last certificate are padding, not certificates.
"""

import uuid
from collections.abc import Sequence
from typing import Final

from warily.errors import FormatError

VCEK: Final = "63da758d-e664-4564-adc5-f4b93be8accd"
VLEK: Final = "a8074bc2-a25a-483e-aae6-39c045a0b8a1"
ASK: Final = "4ab7b379-bbac-4fe4-a02f-05aef327c782"
ARK: Final = "c0b406a4-a803-4952-9743-3fb6014cd0ae"
CRL: Final = "92f81bc3-5811-4d3d-97ff-d19f88dc67ea"
EXTRA_PLATFORM_INFO: Final = "ecae0c0f-9502-43b1-afa2-0ae2e0d565b6"

KNOWN: Final = frozenset(uuid.UUID(guid).bytes for guid in (VCEK, VLEK, ASK, ARK, CRL, EXTRA_PLATFORM_INFO))

LIMIT: Final = 4 << 20
MAX_ENTRIES: Final = 32
ENTRY: Final = 24
_END: Final = bytes(ENTRY)


def encode_table(entries: Sequence[tuple[str, bytes]]) -> bytes:
    """The table that holds `entries` (GUID, bytes) in order. No entries give no bytes."""
    if not entries:
        return b""
    if len(entries) > MAX_ENTRIES:
        msg = f"certificate table: {len(entries)} entries are over the limit of {MAX_ENTRIES}"
        raise FormatError(msg)
    at = (len(entries) + 1) * ENTRY
    head = bytearray()
    for guid, blob in entries:
        head += _guid_bytes(guid) + at.to_bytes(4, "little") + len(blob).to_bytes(4, "little")
        at += len(blob)
    table = bytes(head) + _END + b"".join(blob for _, blob in entries)
    decode_table(table)
    return table


def decode_table(data: bytes) -> list[tuple[str, bytes]]:
    """The (GUID, bytes) entries of a table of at most 4 MiB. No bytes give no entries.

    Blobs lie after the list, without overlap; what no entry names is zero. Raises `FormatError` for anything
    else, and for a GUID that appears twice.
    """
    if not data:
        return []
    if len(data) > LIMIT:
        msg = f"certificate table: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    listed = _entries(data)
    at = (len(listed) + 1) * ENTRY
    for guid, offset, length in sorted(listed, key=lambda entry: entry[1]):
        if offset < at or length == 0 or length > len(data) - offset or any(data[at:offset]):
            msg = f"certificate table: {guid}: {length} bytes at offset {offset:#x} overlap, overrun or leave a gap"
            raise FormatError(msg)
        at = offset + length
    if any(data[at:]):
        msg = f"certificate table: unexpected bytes after offset {at:#x}"
        raise FormatError(msg)
    return [(guid, data[offset : offset + length]) for guid, offset, length in listed]


def _entries(data: bytes) -> list[tuple[str, int, int]]:
    """The list at the start: GUID, offset, length of each entry up to the all-zero one."""
    listed: list[tuple[str, int, int]] = []
    for at in range(0, (MAX_ENTRIES + 1) * ENTRY, ENTRY):
        entry = data[at : at + ENTRY]
        if entry == _END:
            break
        guid = str(uuid.UUID(bytes=entry[:16])) if len(entry) == ENTRY else ""
        if not guid or guid in {name for name, _, _ in listed}:
            msg = f"certificate table: entry {len(listed)} is cut short or appears twice"
            raise FormatError(msg)
        listed.append((guid, int.from_bytes(entry[16:20], "little"), int.from_bytes(entry[20:], "little")))
    else:
        msg = f"certificate table: over {MAX_ENTRIES} entries"
        raise FormatError(msg)
    return listed


def _guid_bytes(guid: str) -> bytes:
    try:
        parsed = uuid.UUID(guid)
    except ValueError:
        msg = f"certificate table: {guid!r} is not a GUID"
        raise FormatError(msg) from None
    return parsed.bytes
