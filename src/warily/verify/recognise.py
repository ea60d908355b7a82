"""What kind of bytes a file is, found by content and never by name; then evidence and collateral out of it."""

import string
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from warily.core.collateral import SnpCollateral
from warily.core.evidence import SnpEvidence
from warily.errors import FormatError
from warily.formats import _der, cmw, pem, snp_certs, tsm_report
from warily.formats._der import DerReader
from warily.formats._json import JsonObject
from warily.formats.snp_guest_message import ReportAnswer
from warily.formats.snp_report import SIZE as REPORT_SIZE
from warily.formats.snp_report import VERSIONS
from warily.formats.tsm_report import TsmReport

LIMIT: Final = 16 << 20
_HARDWARE: Final = "hw"  # the label of the record that carries the report (release/binding.py)
_HEX: Final = frozenset(string.hexdigits.encode() + string.whitespace.encode())
_OTHER_BEGINNINGS: Final = b"\x30{-"  # DER, JSON, PEM
_BOM: Final = b"\xef\xbb\xbf"


class Kind(StrEnum):
    """Every kind of file that can be told apart."""

    REPORT = "SEV-SNP report"
    REPORT_HEX = "SEV-SNP report in hexadecimal"
    RESPONSE = "SEV-SNP report in a MSG_REPORT_RSP"
    TSM_REPORT = "configfs-tsm report (JSON)"
    COLLECTION = "evidence collection (JSON)"
    PEM = "PEM bundle"
    CERTIFICATE = "X.509 certificate (DER)"
    CRL = "X.509 revocation list (DER)"
    CERTIFICATE_TABLE = "SEV-SNP certificate table"
    UNKNOWN = "unknown"


EVIDENCE: Final = frozenset(
    {Kind.REPORT, Kind.REPORT_HEX, Kind.RESPONSE, Kind.TSM_REPORT, Kind.COLLECTION},
)
COLLATERAL: Final = frozenset({Kind.PEM, Kind.CERTIFICATE, Kind.CRL, Kind.CERTIFICATE_TABLE})


def recognise(data: bytes) -> Kind:
    """What `data` is by its first bytes and its length. That it is well formed is not said."""
    if len(data) > LIMIT:
        return Kind.UNKNOWN
    for fits, kind in (
        (_is_table, Kind.CERTIFICATE_TABLE),
        (_is_report, Kind.REPORT),
        (_is_response, Kind.RESPONSE),
        (lambda blob: pem.MARK in blob, Kind.PEM),
        (_is_report_hex, Kind.REPORT_HEX),
    ):
        if fits(data):
            return kind
    return _json_kind(data) if data.removeprefix(_BOM).lstrip()[:1] == b"{" else _der_kind(data)


def evidence_from(data: bytes) -> SnpEvidence:
    """The evidence that a file holds. Raises `FormatError` where it holds none, or is malformed."""
    match recognise(data):
        case Kind.REPORT:
            return SnpEvidence(report=data)
        case Kind.REPORT_HEX:
            return SnpEvidence(report=bytes.fromhex(data.decode("ascii")))
        case Kind.RESPONSE:
            answer = ReportAnswer.decode(data)
            return evidence_with_table(answer.report, answer.certificates)
        case Kind.TSM_REPORT:
            return _from_tsm(TsmReport.decode(data.removeprefix(_BOM)))
        case Kind.COLLECTION:
            return evidence_from_collection(_collection(data))
        case Kind.UNKNOWN:
            msg = f"{len(data)} bytes that are no evidence of a known kind"
            hint = f"an SEV-SNP report has {REPORT_SIZE} bytes and a version of {VERSIONS[0]} to {VERSIONS[-1]}"
            raise FormatError(msg, hint=hint)
        case kind:
            msg = f"a {kind} is no evidence"
            raise FormatError(msg, hint="pass certificates and revocation lists with --collateral")


def evidence_from_collection(collection: cmw.Collection) -> SnpEvidence:
    """The report in the `hw` record of an evidence collection, and the certificates beside it."""
    record = collection.get(_HARDWARE)
    if record is None or record.media_type != tsm_report.MEDIA_TYPE:
        msg = f"the collection has no {_HARDWARE} record of type {tsm_report.MEDIA_TYPE}"
        raise FormatError(msg)
    return _from_tsm(TsmReport.decode(record.value))


def evidence_with_table(report: bytes, table: bytes) -> SnpEvidence:
    """A report and the certificates of its table (AMD 56421). Entries that are no certificates are left out."""
    kept = (snp_certs.VCEK, snp_certs.VLEK, snp_certs.ASK, snp_certs.ARK)
    return SnpEvidence(report=report, certificates=tuple(der for guid, der in _table(table) if guid in kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """One certificate or one revocation list, in DER."""

    der: bytes
    is_crl: bool


def collateral_from(blobs: Iterable[bytes]) -> SnpCollateral:
    """The certificates and revocation lists of all files together. Raises `FormatError` for any other kind."""
    pieces = [piece for blob in blobs for piece in _pieces(blob)]
    return SnpCollateral(
        certificates=tuple(piece.der for piece in pieces if not piece.is_crl),
        crls=tuple(piece.der for piece in pieces if piece.is_crl),
    )


def _pieces(data: bytes) -> list[_Piece]:
    match recognise(data):
        case Kind.PEM:
            blocks = pem.decode_blocks(data)
            labels = (pem.CERTIFICATE, pem.CRL)
            return [_Piece(der=block.der, is_crl=block.label == pem.CRL) for block in blocks if block.label in labels]
        case Kind.CERTIFICATE:
            return [_Piece(der=data, is_crl=False)]
        case Kind.CRL:
            return [_Piece(der=data, is_crl=True)]
        case Kind.CERTIFICATE_TABLE:
            kept = (snp_certs.VCEK, snp_certs.VLEK, snp_certs.ASK, snp_certs.ARK, snp_certs.CRL)
            return [_Piece(der=der, is_crl=guid == snp_certs.CRL) for guid, der in _table(data) if guid in kept]
        case Kind.UNKNOWN:
            msg = f"{len(data)} bytes that are no collateral of a known kind"
            raise FormatError(msg, hint="collateral is PEM, DER or a certificate table")
        case kind:
            msg = f"a {kind} is no collateral"
            raise FormatError(msg)


def _table(data: bytes) -> list[tuple[str, bytes]]:
    """The entries of a certificate table; a certificate in PEM inside it (some hosts do that) becomes DER."""
    found = []
    for guid, blob in snp_certs.decode_table(data):
        ders = [block.der for block in pem.decode_blocks(blob)] if blob.startswith(pem.MARK) else [blob]
        found += [(guid, der) for der in ders]
    return found


def _from_tsm(report: TsmReport) -> SnpEvidence:
    if report.provider not in (tsm_report.SEV_GUEST, tsm_report.REHEARSAL):
        msg = f"evidence of the provider {report.provider} cannot be judged yet"
        raise FormatError(msg)
    return evidence_with_table(report.outblob, report.auxblob)


def _collection(data: bytes) -> cmw.Collection:
    """A collection as it is, or in the `evidence` member of the request that a guest sends to a broker."""
    top = JsonObject.parse(data.removeprefix(_BOM), what="evidence", limit=LIMIT)
    return cmw.decode(top.object("evidence") if "evidence" in top else top)


def _is_report(data: bytes) -> bool:
    """Exactly as long as a report; any version, so that an unknown one is called by its name."""
    return len(data) == REPORT_SIZE and data[0] not in _OTHER_BEGINNINGS


def _is_response(data: bytes) -> bool:
    """A status of zero, the size of a report, 24 reserved bytes, then a report."""
    head = b"\x00" * 4 + REPORT_SIZE.to_bytes(4, "little") + bytes(24)
    return len(data) >= len(head) + REPORT_SIZE and data.startswith(head)


def _is_report_hex(data: bytes) -> bool:
    """Hexadecimal digits of exactly one report, with any white space."""
    if not 2 * REPORT_SIZE <= len(data) <= 8 * REPORT_SIZE or not _HEX.issuperset(data):
        return False
    return len(b"".join(data.split())) == 2 * REPORT_SIZE


def _is_table(data: bytes) -> bool:
    """The first entry of the list has one of the known GUIDs."""
    return data[:16] in snp_certs.KNOWN


def _json_kind(data: bytes) -> Kind:
    try:
        top = JsonObject.parse(data.removeprefix(_BOM), what="file", limit=LIMIT)
    except FormatError:
        return Kind.UNKNOWN
    if cmw.TYPE_KEY in top or "evidence" in top:
        return Kind.COLLECTION
    return Kind.TSM_REPORT if "provider" in top and "outblob" in top else Kind.UNKNOWN


def _der_kind(data: bytes) -> Kind:
    """Certificates and revocation lists begin alike; what follows the issuer tells them apart."""
    try:
        tbs = _der.only(data, _der.SEQUENCE, what="file").inside(_der.SEQUENCE, "signed part")
        return Kind.CERTIFICATE if tbs.has(_der.EXPLICIT) else _unversioned(tbs)
    except FormatError:
        return Kind.UNKNOWN


def _unversioned(tbs: DerReader) -> Kind:
    """A version 1 certificate has a serial number and a validity, a list has times."""
    if tbs.has(_der.INTEGER):
        tbs.any("version or serial number")
    tbs.take(_der.SEQUENCE, "signature algorithm")
    tbs.take(_der.SEQUENCE, "issuer")
    return Kind.CERTIFICATE if tbs.has(_der.SEQUENCE) else Kind.CRL
