"""What kind of bytes a file is, found by content and never by name; then evidence and collateral out of it."""

import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from warily.core.collateral import Collateral, NitroCollateral, SnpCollateral, TdxCollateral
from warily.core.evidence import (
    Evidence,
    NitroEvidence,
    NvidiaEvidence,
    SnpEvidence,
    SpdmEvidence,
    TdxEvidence,
    TpmEvidence,
)
from warily.errors import FormatError
from warily.formats import (
    _der,
    cmw,
    collateral_bundle,
    intel_collateral,
    nitro,
    nvidia_evidence,
    ocsp,
    pem,
    snp_certs,
    spdm,
    swid_rim,
    tdx_quote,
    tsm_report,
    vtpm_evidence,
)
from warily.formats._der import DerReader
from warily.formats._json import JsonObject
from warily.formats.intel_collateral import Bundle
from warily.formats.snp_guest_message import ReportAnswer
from warily.formats.snp_report import SIZE as REPORT_SIZE
from warily.formats.snp_report import VERSIONS
from warily.formats.tdx_quote import QuoteHeader
from warily.formats.tsm_report import TsmReport
from warily.formats.x509 import RevocationList
from warily.verify import bundled, recognise_device, recognise_tpm
from warily.verify.tdx.roots import NAME as INTEL_ROOT

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
    QUOTE = "Intel quote"
    QUOTE_HEX = "Intel quote in hexadecimal"
    NITRO = "AWS Nitro attestation document"
    PEM = "PEM bundle"
    CERTIFICATE = "X.509 certificate (DER)"
    CRL = "X.509 revocation list (DER)"
    CERTIFICATE_TABLE = "SEV-SNP certificate table"
    CRL_HEX = "X.509 revocation list (DER in hexadecimal)"
    INTEL_BUNDLE = "bundle of Intel collateral (JSON)"
    BUNDLE = "bundle of fetched collateral (JSON)"
    INTEL_STATEMENT = "TCB info or QE identity (JSON)"
    VTPM_JSON = "TPM quote (JSON)"
    GO_ATTESTATION = "attestation of go-tpm-tools (protobuf)"
    NVIDIA = "report of an NVIDIA device"
    NVIDIA_HEX = "report of an NVIDIA device in hexadecimal"
    NVIDIA_JSON = "evidence of NVIDIA devices (JSON)"
    SPDM = "SPDM conversation"
    CERTIFICATES = "X.509 certificates (DER, in a row)"
    MANIFEST = "reference manifest (XML)"
    MANIFEST_JSON = "reference manifest (JSON)"
    OCSP = "OCSP response"
    UNKNOWN = "unknown"


EVIDENCE: Final = frozenset({
    Kind.REPORT, Kind.REPORT_HEX, Kind.RESPONSE, Kind.TSM_REPORT, Kind.COLLECTION, Kind.QUOTE, Kind.QUOTE_HEX,
    Kind.NITRO, Kind.VTPM_JSON, Kind.GO_ATTESTATION, Kind.NVIDIA, Kind.NVIDIA_HEX, Kind.NVIDIA_JSON, Kind.SPDM,
})  # fmt: skip
COLLATERAL: Final = frozenset({
    Kind.PEM, Kind.CERTIFICATE, Kind.CRL, Kind.CRL_HEX, Kind.CERTIFICATE_TABLE, Kind.INTEL_BUNDLE, Kind.INTEL_STATEMENT,
    Kind.BUNDLE, Kind.CERTIFICATES, Kind.MANIFEST, Kind.MANIFEST_JSON, Kind.OCSP,
})  # fmt: skip


def recognise(data: bytes) -> Kind:
    """What `data` is by its first bytes and its length. That it is well formed is not said."""
    if len(data) > LIMIT:
        return Kind.UNKNOWN
    for fits, kind in (
        (_is_table, Kind.CERTIFICATE_TABLE),
        (nitro.looks_like, Kind.NITRO),
        (recognise_device.is_report, Kind.NVIDIA),
        (recognise_device.is_transcript, Kind.SPDM),
        (_is_quote, Kind.QUOTE),
        (_is_report, Kind.REPORT),
        (_is_response, Kind.RESPONSE),
        (nvidia_evidence.is_list, Kind.NVIDIA_JSON),
        (swid_rim.looks_like, Kind.MANIFEST),
        (lambda blob: pem.MARK in blob and not _is_json(blob), Kind.PEM),
        (_is_report_hex, Kind.REPORT_HEX),
        (_is_quote_hex, Kind.QUOTE_HEX),
        (_is_crl_hex, Kind.CRL_HEX),
        (recognise_device.is_report_hex, Kind.NVIDIA_HEX),
        (ocsp.looks_like, Kind.OCSP),
        (recognise_device.is_certificates, Kind.CERTIFICATES),
        (recognise_tpm.is_go, Kind.GO_ATTESTATION),
    ):
        if fits(data):
            return kind
    return _json_kind(data) if _is_json(data) else _der_kind(data)


def evidence_from(data: bytes) -> Evidence:
    """The evidence that a file holds. Raises `FormatError` where it holds none, or is malformed."""
    kind = recognise(data)
    if kind in _EVIDENCE:
        return _EVIDENCE[kind](data)
    if kind is not Kind.UNKNOWN:
        msg = f"a {kind} is no evidence"
        raise FormatError(msg, hint="pass certificates and revocation lists with --collateral")
    recognise_tpm.refuse_alone(data)
    recognise_device.refuse_alone(data)
    msg = f"{len(data)} bytes that are no evidence of a known kind"
    hint = f"an SEV-SNP report has {REPORT_SIZE} bytes and a version of {VERSIONS[0]} to {VERSIONS[-1]}"
    raise FormatError(msg, hint=hint)


def evidence_from_collection(collection: cmw.Collection) -> Evidence:
    """The report or quote in the `hw` record of an evidence collection, and the certificates beside it."""
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
    pieces = [piece for blob in _unpacked(blobs) for piece in _pieces(blob)]
    return SnpCollateral(
        certificates=tuple(piece.der for piece in pieces if not piece.is_crl),
        crls=tuple(piece.der for piece in pieces if piece.is_crl),
    )


def collateral_for(evidence: Evidence, blobs: Iterable[bytes]) -> Collateral:
    """What all files together say about evidence of this kind. Raises `FormatError` for what is no collateral."""
    match evidence:
        case SnpEvidence():
            return collateral_from(blobs)
        case NitroEvidence():
            for blob in _unpacked(blobs):
                _pieces(blob)  # malformed files are refused, though nothing in them is needed
            return NitroCollateral()
        case TdxEvidence():
            return tdx_collateral_from(blobs)
        case TpmEvidence():
            files = tuple(_unpacked(blobs))
            pieces = [(piece.der, piece.is_crl) for blob in files for piece in _pieces(blob)]
            return replace(recognise_tpm.tpm_collateral(pieces, files), tdx=tdx_collateral_from(files))
        case NvidiaEvidence() | SpdmEvidence():
            files = tuple(_unpacked(blobs))
            pieces = [(piece.der, piece.is_crl) for blob in files for piece in _pieces(blob)]
            gather = (
                recognise_device.nvidia_collateral
                if isinstance(evidence, NvidiaEvidence)
                else recognise_device.spdm_collateral
            )
            return gather(pieces, files)


def tdx_collateral_from(blobs: Iterable[bytes]) -> TdxCollateral:
    """Intel's statements, revocation lists and certificates out of bundles and single files."""
    found: dict[str, list[Any]] = {field.name: [] for field in fields(TdxCollateral)}
    statements = {intel_collateral.TCB_INFO: "tcb_infos", intel_collateral.QE_IDENTITY: "qe_identities"}
    for kind, blob in _recognised(blobs):
        match kind:
            case Kind.INTEL_BUNDLE:
                bundle = Bundle.decode(blob)
                found["tcb_infos"] += [one for one in (bundle.tcb_info,) if one is not None]
                found["qe_identities"] += [one for one in (bundle.qe_identity,) if one is not None]
                found["root_crls"] += [one for one in (bundle.root_crl,) if one is not None]
                found["pck_crls"] += [one for one in (bundle.pck_crl,) if one is not None]
                found["certificates"] += bundle.certificates
            case Kind.INTEL_STATEMENT:
                key, statement = intel_collateral.decode_response(blob)
                found[statements[key]].append(statement)
            case _:
                for piece in _pieces(blob):
                    found[_shelf(piece)].append(piece.der)
    return TdxCollateral(**{name: tuple(values) for name, values in found.items()})


def _unpacked(blobs: Iterable[bytes]) -> Iterator[bytes]:
    """The files, and in the place of a bundle what is inside. A bundle inside a bundle is no collateral."""
    return (blob for _, blob in _recognised(blobs))


def _recognised(blobs: Iterable[bytes]) -> Iterator[tuple[Kind, bytes]]:
    for blob in blobs:
        kind = recognise(blob)
        inner = bundled.contents(blob) if kind is Kind.BUNDLE else None
        yield from ((kind, blob),) if inner is None else ((recognise(one), one) for one in inner)


def _shelf(piece: _Piece) -> str:
    """Where a certificate or list belongs; which authority a list is of, its issuer's name tells."""
    if not piece.is_crl:
        return "certificates"
    return "root_crls" if RevocationList.decode(piece.der).name == INTEL_ROOT else "pck_crls"


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
        case Kind.CRL_HEX:
            return [_Piece(der=_unhexed(data) or b"", is_crl=True)]
        case Kind.CERTIFICATES:
            return [_Piece(der=der, is_crl=False) for der in spdm.split_certificates(data)]
        case Kind.INTEL_BUNDLE | Kind.INTEL_STATEMENT | Kind.MANIFEST | Kind.MANIFEST_JSON | Kind.OCSP:
            return []  # collateral for another platform, or taken from the files
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


def _from_tsm(report: TsmReport) -> Evidence:
    if report.provider == tsm_report.TDX_GUEST:
        return TdxEvidence(quote=report.outblob)
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


def _is_quote(data: bytes) -> bool:
    """The header of a quote: Intel's vendor ID, or a known version, key type and technology."""
    version, key, tee = (int.from_bytes(data[at:end], "little") for at, end in ((0, 2), (2, 4), (4, 8)))
    known = version in tdx_quote.VERSIONS and key in (2, 3) and tee in (tdx_quote.SGX, tdx_quote.TDX)
    return len(data) >= QuoteHeader.SIZE and (data[12:28] == tdx_quote.INTEL or known)


def _is_quote_hex(data: bytes) -> bool:
    return len(data) <= 4 * tdx_quote.LIMIT and _is_quote(_unhexed(data) or b"")


def _is_crl_hex(data: bytes) -> bool:
    raw = _unhexed(data) if data[:3] in (b"308", b"0x3") else None
    return raw is not None and _der_kind(raw) is Kind.CRL


def _unhexed(data: bytes) -> bytes | None:
    """The bytes that hexadecimal text means, with any white space and a leading `0x`; None for other text."""
    if not _HEX.issuperset(data[:16].replace(b"x", b"")):  # most files are no such text, and need not be read whole
        return None
    text = b"".join(data.split()).removeprefix(b"0x")
    if not text or len(text) % 2 or not _HEX.issuperset(text):
        return None
    return bytes.fromhex(text.decode("ascii"))


def _is_table(data: bytes) -> bool:
    """The first entry of the list has one of the known GUIDs."""
    return data[:16] in snp_certs.KNOWN


def _is_json(data: bytes) -> bool:
    return data.removeprefix(_BOM).lstrip()[:1] == b"{"


def _json_kind(data: bytes) -> Kind:
    try:
        keys = JsonObject.parse(data.removeprefix(_BOM), what="file", limit=LIMIT).keys()
    except FormatError:
        return Kind.UNKNOWN
    for fits, kind in (
        (nvidia_evidence.looks_like(keys), Kind.NVIDIA_JSON),
        ({"id", "rim"} <= set(keys), Kind.MANIFEST_JSON),
        (cmw.TYPE_KEY in keys or "evidence" in keys, Kind.COLLECTION),
        (collateral_bundle.looks_like(keys), Kind.BUNDLE),
        (intel_collateral.looks_like_bundle(keys), Kind.INTEL_BUNDLE),
        (intel_collateral.TCB_INFO in keys or intel_collateral.QE_IDENTITY in keys, Kind.INTEL_STATEMENT),
        (vtpm_evidence.looks_like(keys), Kind.VTPM_JSON),
        ({"provider", "outblob"} <= set(keys), Kind.TSM_REPORT),
    ):
        if fits:
            return kind
    return Kind.UNKNOWN


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


def _from_response(data: bytes) -> SnpEvidence:
    answer = ReportAnswer.decode(data)
    return evidence_with_table(answer.report, answer.certificates)


# How evidence of each kind is read.
_EVIDENCE: Final[dict[Kind, Callable[[bytes], Evidence]]] = {
    Kind.REPORT: lambda data: SnpEvidence(report=data),
    Kind.REPORT_HEX: lambda data: SnpEvidence(report=bytes.fromhex(data.decode("ascii"))),
    Kind.RESPONSE: _from_response,
    Kind.QUOTE: lambda data: TdxEvidence(quote=data),
    Kind.QUOTE_HEX: lambda data: TdxEvidence(quote=_unhexed(data) or b""),
    Kind.NITRO: lambda data: NitroEvidence(document=nitro.message_in(data)),
    Kind.TSM_REPORT: lambda data: _from_tsm(TsmReport.decode(data.removeprefix(_BOM))),
    Kind.COLLECTION: lambda data: evidence_from_collection(_collection(data)),
    Kind.VTPM_JSON: recognise_tpm.from_json,
    Kind.GO_ATTESTATION: recognise_tpm.from_go,
    Kind.NVIDIA: recognise_device.from_report,
    Kind.NVIDIA_HEX: recognise_device.from_report_hex,
    Kind.NVIDIA_JSON: recognise_device.from_json,
    Kind.SPDM: recognise_device.from_transcript,
}
