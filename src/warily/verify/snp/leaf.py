"""The certificate of the key that signs reports: VCEK or VLEK, with what AMD's extensions say of it."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from warily.errors import FormatError
from warily.formats import _der
from warily.formats._der import DerReader
from warily.formats.snp_report import SigningKey, TcbLayout
from warily.formats.x509 import Certificate

# AMD 57230, section 3.1: the extensions of a VCEK or VLEK.
ARC: Final = "1.3.6.1.4.1.3704.1"
_PRODUCT_NAME: Final = f"{ARC}.2"
_HARDWARE_ID: Final = f"{ARC}.4"
_CSP_ID: Final = f"{ARC}.5"

# Which extension of the arc `.3` holds which byte of the TCB_VERSION. Absent ones are zero.
_TCB_ARCS: Final[dict[TcbLayout, tuple[int, ...]]] = {
    TcbLayout.LEGACY: (1, 2, 4, 5, 6, 7, 3, 8),
    TcbLayout.TURIN: (9, 1, 2, 3, 5, 6, 7, 8),
}
_REQUIRED_ARCS: Final[dict[TcbLayout, tuple[int, ...]]] = {
    TcbLayout.LEGACY: (1, 2, 3, 8),
    TcbLayout.TURIN: (9, 1, 2, 3, 8),
}
_HARDWARE_ID_SIZES: Final = (64, 8)
_LEVELS: Final = range(256)


class LeafKind(StrEnum):
    """Chip's key or cloud provider's key, as the certificate's subject names it."""

    VCEK = "SEV-VCEK"
    VLEK = "SEV-VLEK"


_KINDS: Final = {kind.value: kind for kind in LeafKind}
KIND_OF: Final = {SigningKey.VCEK: LeafKind.VCEK, SigningKey.VLEK: LeafKind.VLEK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A VCEK or VLEK. `tcbs` has, for each layout, the TCB_VERSION that its extensions under `.3` spell."""

    kind: LeafKind
    certificate: Certificate
    product_name: str
    tcbs: dict[TcbLayout, int | None]
    hardware_id: bytes | None
    csp_id: str | None

    def tcb(self, layout: TcbLayout) -> int | None:
        """The TCB_VERSION the key is derived from; None where the certificate lacks a component of the layout."""
        return self.tcbs[layout]


def leaf_kind(certificate: Certificate) -> LeafKind | None:
    """Which kind of leaf the subject claims to be, None for any other certificate."""
    return _KINDS.get(certificate.name)


@lru_cache(maxsize=256)
def read_leaf(der: bytes) -> Leaf | None:
    """The leaf that a certificate is, None where it is none. Raises `FormatError` for malformed extensions."""
    certificate = Certificate.decode(der)
    kind = leaf_kind(certificate)
    if kind is None:
        return None
    levels: dict[int, int] = {}
    for oid, extension in certificate.extensions.items():
        arc = oid.removeprefix(f"{ARC}.3.")
        if arc != oid and arc.isdecimal():
            levels[int(arc)] = _patch_level(extension.value)
    return Leaf(
        kind=kind,
        certificate=certificate,
        product_name=_text(certificate, _PRODUCT_NAME) or "?",
        tcbs={layout: _tcb(levels, layout) for layout in TcbLayout},
        hardware_id=_hardware_id(certificate),
        csp_id=_text(certificate, _CSP_ID),
    )


def _tcb(levels: dict[int, int], layout: TcbLayout) -> int | None:
    """The levels, by the last number of their extensions, as a TCB_VERSION; None where a required one is missing."""
    if not all(arc in levels for arc in _REQUIRED_ARCS[layout]):
        return None
    return sum(levels.get(arc, 0) << (8 * at) for at, arc in enumerate(_TCB_ARCS[layout]))


def _patch_level(value: bytes) -> int:
    reader = DerReader(value, what="patch level")
    level = reader.integer("value", limit=2)
    reader.finish()
    if level not in _LEVELS:
        msg = f"patch level {level} is over 255"
        raise FormatError(msg)
    return level


def _text(certificate: Certificate, oid: str) -> str | None:
    """An IA5String extension, printable."""
    extension = certificate.extensions.get(oid)
    if extension is None:
        return None
    reader = DerReader(extension.value, what=oid)
    text = reader.take(_der.IA5_STRING, "text").content.decode("ascii", "replace")
    reader.finish()
    if len(text) > 256 or not text.isprintable():  # noqa: PLR2004  # far over any name
        msg = f"extension {oid} is not a short printable text"
        raise FormatError(msg)
    return text


def _hardware_id(certificate: Certificate) -> bytes | None:
    """hwID: raw, or wrapped once more in an OCTET STRING. Told apart by length, since raw bytes may look like DER."""
    extension = certificate.extensions.get(_HARDWARE_ID)
    if extension is None:
        return None
    value = extension.value
    for size in _HARDWARE_ID_SIZES:
        if len(value) == size:
            return value
        if len(value) == size + 2 and value[:2] == bytes([_der.OCTET_STRING, size]):
            return value[2:]
    msg = f"hwID has {len(value)} bytes"
    raise FormatError(msg)
