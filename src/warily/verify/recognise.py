"""What kind of bytes a file is, found by content and never by name; then evidence and collateral out of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
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
from warily.errors import FormatError, UsageError
from warily.formats import armour, cmw, intel_collateral, nitro, pem, snp_certs, spdm, tsm_report
from warily.formats._json import JsonObject
from warily.formats.intel_collateral import Bundle
from warily.formats.snp_guest_message import ReportAnswer
from warily.formats.snp_report import SIGNED_SIZE, VERSIONS
from warily.formats.snp_report import SIZE as REPORT_SIZE
from warily.formats.tsm_report import TsmReport
from warily.formats.x509 import RevocationList
from warily.verify import bundled, recognise_device, recognise_tpm, wrapped
from warily.verify.kinds import BOM, COLLATERAL, EVIDENCE, LIMIT, Kind, kind_of, look
from warily.verify.tdx.roots import NAME as INTEL_ROOT
from warily.verify.wrapped import Piece

_TD_REPORT: Final = 1024  # bytes
_HARDWARE: Final = "hw"  # the label of the record that carries the report (release/binding.py)


def recognise(data: bytes) -> Kind:
    """What `data` is by its content, or whether it holds evidence or collateral. That it is well formed is not said."""
    kind = kind_of(data)
    if kind is not Kind.UNKNOWN:
        return kind
    found = {piece.kind for piece in wrapped.pieces(data)}
    if found & EVIDENCE:
        return Kind.WRAPPED_EVIDENCE
    return Kind.WRAPPED_COLLATERAL if found & COLLATERAL else Kind.UNKNOWN


def evidence_from(data: bytes) -> Evidence:
    """The evidence that a file is or holds. Raises `FormatError` where it holds none, or is malformed.

    Event logs, and certificates of an SNP report, that lie in the same file come along. Raises `UsageError` where a
    file holds several pieces of evidence, or something that is none without another file.
    """
    kind = recognise(data)
    if kind is Kind.WRAPPED_EVIDENCE:
        return _from_wrapped(wrapped.pieces(data))
    if kind in _EVIDENCE:
        return _EVIDENCE[kind](data)
    if kind is not Kind.UNKNOWN:
        msg = f"a {kind} is no evidence"
        raise FormatError(msg, hint="pass certificates and revocation lists with --collateral")
    for raw in (data, armour.unarmoured(data) or b"", *(piece.data for piece in wrapped.pieces(data))):
        recognise_tpm.refuse_alone(raw)
        recognise_device.refuse_alone(raw)
        _refuse_td_report(raw)
    if len(data) >= SIGNED_SIZE and int.from_bytes(data[:4], "little") in VERSIONS:
        msg = f"{len(data)} bytes that begin as an SEV-SNP report does, which has exactly {REPORT_SIZE}"
        raise FormatError(msg, hint="the file was cut, or something follows the report that is no certificate table")
    msg = f"{len(data)} bytes that are no evidence of a known kind, and hold none"
    hint = f"an SEV-SNP report has {REPORT_SIZE} bytes and a version of {VERSIONS[0]} to {VERSIONS[-1]}"
    raise FormatError(msg, hint=f"{hint}; `warily inspect` shows what a file is")


def _refuse_td_report(data: bytes) -> None:
    """Raises `UsageError` for a TDREPORT_STRUCT (Intel 344425): what a TD gets, and not yet a quote."""
    if len(data) == _TD_REPORT and data[:2] == b"\x81\x00" and not any(data[3:16]):
        msg = "a TDREPORT can be checked on its own machine alone: the processor seals it with a key that never leaves"
        raise UsageError(msg, hint="ask for a quote, which Intel's certificates stand behind")


def collateral_beside(data: bytes) -> list[bytes]:
    """The collateral that lies in the same file as evidence: a quote together with what its verifier needs."""
    if recognise(data) is not Kind.WRAPPED_EVIDENCE:
        return []
    return [piece.data for piece in wrapped.pieces(data) if piece.kind in COLLATERAL]


def _from_wrapped(found: Sequence[Piece]) -> Evidence:
    """The one piece of evidence among others, and what belongs to it."""
    given = [piece for piece in found if piece.kind in EVIDENCE]
    if len(given) > 1:
        listed = ", ".join(f"{piece.kind} at {piece.where}" for piece in given[:4])
        msg = f"the file holds {len(given)} pieces of evidence: {listed}"
        raise UsageError(msg, hint="put the one that is to be judged into a file of its own")
    evidence = _EVIDENCE[given[0].kind](given[0].data)
    logs = tuple(piece.data for piece in found if piece.is_log)
    if isinstance(evidence, SnpEvidence):
        beside = collateral_from(piece.data for piece in found if piece.kind in COLLATERAL)
        return replace(evidence, certificates=(*evidence.certificates, *beside.certificates))
    if isinstance(evidence, TdxEvidence | TpmEvidence):
        return replace(evidence, event_logs=(*evidence.event_logs, *logs))
    return evidence


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
    for kind, blob, members in _recognised(blobs):
        match kind:
            case Kind.INTEL_BUNDLE:
                bundle = Bundle.decode(blob, members)
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
    return (blob for _, blob, _ in _recognised(blobs))


def _recognised(blobs: Iterable[bytes]) -> Iterator[tuple[Kind, bytes, Mapping[str, Any]]]:
    """The kind of each file, or of what is inside, and the members of what has been read as JSON."""
    for blob in blobs:
        kind, members = look(blob)
        match kind if kind is not Kind.UNKNOWN else recognise(blob):
            case Kind.BUNDLE:
                for one in bundled.contents(blob):
                    kind, members = look(one)
                    yield kind, one, members
            case Kind.WRAPPED_COLLATERAL:
                yield from ((piece.kind, piece.data, {}) for piece in wrapped.pieces(blob) if piece.kind in COLLATERAL)
            case kind:
                yield kind, blob, members


def _shelf(piece: _Piece) -> str:
    """Where a certificate or list belongs; which authority a list is of, its issuer's name tells."""
    if not piece.is_crl:
        return "certificates"
    return "root_crls" if RevocationList.decode(piece.der).name == INTEL_ROOT else "pck_crls"


def _pieces(data: bytes) -> list[_Piece]:
    match kind_of(data):
        case Kind.PEM:
            blocks = pem.decode_blocks(data)
            labels = (pem.CERTIFICATE, pem.CRL)
            return [_Piece(der=block.der, is_crl=block.label == pem.CRL) for block in blocks if block.label in labels]
        case Kind.CERTIFICATE:
            return [_Piece(der=data, is_crl=False)]
        case Kind.CRL:
            return [_Piece(der=data, is_crl=True)]
        case Kind.CERTIFICATES:
            return [_Piece(der=der, is_crl=False) for der in spdm.split_certificates(data)]
        case Kind.INTEL_BUNDLE | Kind.INTEL_STATEMENT | Kind.MANIFEST | Kind.MANIFEST_JSON | Kind.OCSP:
            return []  # collateral for another platform, or taken from the files
        case Kind.CERTIFICATE_TABLE:
            kept = (snp_certs.VCEK, snp_certs.VLEK, snp_certs.ASK, snp_certs.ARK, snp_certs.CRL)
            return [_Piece(der=der, is_crl=guid == snp_certs.CRL) for guid, der in _table(data) if guid in kept]
        case Kind.UNKNOWN:
            msg = f"{len(data)} bytes that are no collateral of a known kind"
            raise FormatError(msg, hint="collateral is PEM, DER, a certificate table, or JSON as vendors serve it")
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
    top = JsonObject.parse(data.removeprefix(BOM), what="evidence", limit=LIMIT)
    return cmw.decode(top.object("evidence") if "evidence" in top else top)


def _from_response(data: bytes) -> SnpEvidence:
    answer = ReportAnswer.decode(data)
    return evidence_with_table(answer.report, answer.certificates)


# How evidence of each kind is read.
_EVIDENCE: Final[dict[Kind, Callable[[bytes], Evidence]]] = {
    Kind.REPORT: lambda data: SnpEvidence(report=data),
    Kind.EXTENDED_REPORT: lambda data: evidence_with_table(data[:REPORT_SIZE], data[REPORT_SIZE:]),
    Kind.RESPONSE: _from_response,
    Kind.QUOTE: lambda data: TdxEvidence(quote=data),
    Kind.NITRO: lambda data: NitroEvidence(document=nitro.message_in(data)),
    Kind.TSM_REPORT: lambda data: _from_tsm(TsmReport.decode(data.removeprefix(BOM))),
    Kind.COLLECTION: lambda data: evidence_from_collection(_collection(data)),
    Kind.HCL_REPORT: lambda data: TpmEvidence(quotes=(), hcl_report=data),
    Kind.VTPM_JSON: recognise_tpm.from_json,
    Kind.GO_ATTESTATION: recognise_tpm.from_go,
    Kind.NVIDIA: recognise_device.from_report,
    Kind.NVIDIA_JSON: recognise_device.from_json,
    Kind.SPDM: recognise_device.from_transcript,
}
