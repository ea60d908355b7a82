"""What a device's leaf certificate says of the firmware that its key belongs to (TCG DICE attestation, extensions).

Two forms are in use: CompositeDeviceID (2.23.133.5.4.1) with one firmware id, and DiceTcbInfo (2.23.133.5.4.1.1) with
several, and with flags. And DSP0274's name of a device, in the alternative names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from warily.errors import FormatError
from warily.formats import _der
from warily.formats._der import DerReader
from warily.formats.x509 import Extension

COMPOSITE: Final = "2.23.133.5.4.1"
TCB_INFO: Final = "2.23.133.5.4.1.1"
DEVICE_INFO: Final = "1.3.6.1.4.1.412.274.1"  # DMTF, otherName: "manufacturer:product:serial number"
CMA: Final = "2.23.147"  # PCI-SIG, otherName of component measurement and authentication
ALTERNATIVE_NAMES: Final = "2.5.29.17"
SHA384: Final = "2.16.840.1.101.3.4.2.2"
_FWIDS: Final = 0xA6
_FLAGS: Final = 0x87
_OTHER_NAME: Final = 0xA0


class OperationalFlag(IntEnum):
    """Bits of DiceTcbInfo's flags, by number."""

    NOT_CONFIGURED = 0
    NOT_SECURE = 1
    RECOVERY = 2
    DEBUG = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """Firmware ids (hash algorithm, digest), and the flags that are set; `flags` is None where none are said."""

    ids: tuple[tuple[str, bytes], ...]
    flags: frozenset[int] | None


def firmware_of(extensions: Mapping[str, Extension]) -> Firmware | None:
    """What the extensions say; None where they have neither form. Raises `FormatError`."""
    if COMPOSITE in extensions:
        body = _der.only(extensions[COMPOSITE].value, _der.SEQUENCE, what="CompositeDeviceID")
        body.integer("version", limit=4)
        body.take(_der.SEQUENCE, "device key")
        return Firmware(ids=(_firmware_id(body),), flags=None)
    if TCB_INFO not in extensions:
        return None
    body = _der.only(extensions[TCB_INFO].value, _der.SEQUENCE, what="DiceTcbInfo")
    ids: list[tuple[str, bytes]] = []
    flags: frozenset[int] | None = None
    while not body.empty:
        part = body.any("member")
        if part.tag == _FWIDS:
            listed = DerReader(part.content, what="DiceTcbInfo firmware ids")
            while not listed.empty:
                ids.append(_firmware_id(listed))
        elif part.tag == _FLAGS:
            flags = _bits(part.content)
    return Firmware(ids=tuple(ids), flags=flags)


def _firmware_id(body: DerReader) -> tuple[str, bytes]:
    inside = body.inside(_der.SEQUENCE, "firmware id")
    return inside.oid("hash"), inside.take(_der.OCTET_STRING, "digest").content


def _bits(content: bytes) -> frozenset[int]:
    """The numbers of the set bits of a BIT STRING, counted from the most significant one."""
    if not 1 <= len(content) <= 9 or content[0] > 7:
        msg = "DiceTcbInfo: flags are not a short bit string"
        raise FormatError(msg)
    bits = content[1:]
    return frozenset(bit for bit in range(8 * len(bits)) if bits[bit // 8] >> (7 - bit % 8) & 1)


def device_names(extensions: Mapping[str, Extension]) -> dict[str, str]:
    """The other names of a certificate by object identifier: texts of DMTF and of the PCI-SIG. Raises `FormatError`."""
    if ALTERNATIVE_NAMES not in extensions:
        return {}
    names = _der.only(extensions[ALTERNATIVE_NAMES].value, _der.SEQUENCE, what="alternative names")
    found: dict[str, str] = {}
    while not names.empty:
        entry = names.any("name")
        if entry.tag != _OTHER_NAME:
            continue
        inside = DerReader(entry.content, what="other name")
        kind = inside.oid("type")
        value = inside.inside(_der.EXPLICIT, "value").any("value").content
        text = value.decode("utf-8", "replace")[:256]
        if kind in (DEVICE_INFO, CMA) or kind.startswith(f"{CMA}."):
            found[kind] = "".join(letter if letter.isprintable() else "?" for letter in text)
    return found
