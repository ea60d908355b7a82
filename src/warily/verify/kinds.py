"""What kind of bytes these are, by their beginning and their length and never by a name. No text is opened here."""

from enum import StrEnum
from typing import Any, Final

from warily.errors import FormatError
from warily.formats import (
    _der,
    cmw,
    collateral_bundle,
    hcl_report,
    intel_collateral,
    nitro,
    nvidia_evidence,
    ocsp,
    pem,
    snp_certs,
    swid_rim,
    tdx_quote,
    vtpm_evidence,
)
from warily.formats._der import DerReader
from warily.formats._json import JsonObject
from warily.formats.snp_report import SIZE as REPORT_SIZE
from warily.formats.tdx_quote import QuoteHeader
from warily.verify import recognise_device, recognise_tpm

LIMIT: Final = 16 << 20
BOM: Final = b"\xef\xbb\xbf"
_OTHER_BEGINNINGS: Final = b"\x30{-"  # DER, JSON, PEM


class Kind(StrEnum):
    """Every kind of file that can be told apart."""

    REPORT = "SEV-SNP report"
    EXTENDED_REPORT = "SEV-SNP report with its certificate table"
    RESPONSE = "SEV-SNP report in a MSG_REPORT_RSP"
    TSM_REPORT = "configfs-tsm report (JSON)"
    COLLECTION = "evidence collection (JSON)"
    QUOTE = "Intel quote"
    NITRO = "AWS Nitro attestation document"
    HCL_REPORT = "report of Azure's paravisor"
    PEM = "PEM bundle"
    CERTIFICATE = "X.509 certificate (DER)"
    CRL = "X.509 revocation list (DER)"
    CERTIFICATE_TABLE = "SEV-SNP certificate table"
    INTEL_BUNDLE = "bundle of Intel collateral (JSON)"
    BUNDLE = "bundle of fetched collateral (JSON)"
    INTEL_STATEMENT = "TCB info or QE identity (JSON)"
    VTPM_JSON = "TPM quote (JSON)"
    GO_ATTESTATION = "attestation of go-tpm-tools (protobuf)"
    NVIDIA = "report of an NVIDIA device"
    NVIDIA_JSON = "evidence of NVIDIA devices (JSON)"
    SPDM = "SPDM conversation"
    CERTIFICATES = "X.509 certificates (DER, in a row)"
    MANIFEST = "reference manifest (XML)"
    MANIFEST_JSON = "reference manifest (JSON)"
    OCSP = "OCSP response"
    WRAPPED_EVIDENCE = "file with evidence inside"
    WRAPPED_COLLATERAL = "file with collateral inside"
    UNKNOWN = "unknown"


EVIDENCE: Final = frozenset({
    Kind.REPORT, Kind.EXTENDED_REPORT, Kind.RESPONSE, Kind.TSM_REPORT, Kind.COLLECTION, Kind.QUOTE, Kind.NITRO,
    Kind.HCL_REPORT, Kind.VTPM_JSON, Kind.GO_ATTESTATION, Kind.NVIDIA, Kind.NVIDIA_JSON, Kind.SPDM,
    Kind.WRAPPED_EVIDENCE,
})  # fmt: skip
COLLATERAL: Final = frozenset({
    Kind.PEM, Kind.CERTIFICATE, Kind.CRL, Kind.CERTIFICATE_TABLE, Kind.INTEL_BUNDLE, Kind.INTEL_STATEMENT,
    Kind.BUNDLE, Kind.CERTIFICATES, Kind.MANIFEST, Kind.MANIFEST_JSON, Kind.OCSP, Kind.WRAPPED_COLLATERAL,
})  # fmt: skip


def kind_of(data: bytes) -> Kind:
    """What `data` is by its first bytes and its length. That it is well formed is not said."""
    return look(data)[0]


def look(data: bytes) -> tuple[Kind, dict[str, Any]]:
    """What `data` is, and its members where it is JSON: they have been read then."""
    if len(data) > LIMIT:
        return Kind.UNKNOWN, {}
    for fits, kind in (
        (_is_table, Kind.CERTIFICATE_TABLE),
        (nitro.looks_like, Kind.NITRO),
        (recognise_device.is_report, Kind.NVIDIA),
        (recognise_device.is_transcript, Kind.SPDM),
        (_is_quote, Kind.QUOTE),
        (_is_report, Kind.REPORT),
        (_is_extended, Kind.EXTENDED_REPORT),
        (_is_response, Kind.RESPONSE),
        (lambda blob: blob.startswith(hcl_report.MAGIC), Kind.HCL_REPORT),
        (nvidia_evidence.is_list, Kind.NVIDIA_JSON),
        (swid_rim.looks_like, Kind.MANIFEST),
        (pem.looks_like, Kind.PEM),
        (ocsp.looks_like, Kind.OCSP),
        (recognise_device.is_certificates, Kind.CERTIFICATES),
        (recognise_tpm.is_go, Kind.GO_ATTESTATION),
    ):
        if fits(data):
            return kind, {}
    return _json_kind(data) if is_json(data) else (_der_kind(data), {})


def is_json(data: bytes) -> bool:
    """Whether the bytes begin as a JSON object does."""
    return data.removeprefix(BOM).lstrip()[:1] == b"{"


def _is_report(data: bytes) -> bool:
    """Exactly as long as a report, and no text; any version, so that an unknown one is called by its name."""
    return len(data) == REPORT_SIZE and data[0] not in _OTHER_BEGINNINGS and min(data[:4]) < ord(" ")


def _is_extended(data: bytes) -> bool:
    """A report, and right behind it the list of a certificate table."""
    return _is_table(data[REPORT_SIZE : REPORT_SIZE + 16])


def _is_response(data: bytes) -> bool:
    """A status of zero, the size of a report, 24 reserved bytes, then a report."""
    head = b"\x00" * 4 + REPORT_SIZE.to_bytes(4, "little") + bytes(24)
    return len(data) >= len(head) + REPORT_SIZE and data.startswith(head)


def _is_quote(data: bytes) -> bool:
    """The header of a quote: Intel's vendor ID, or a known version, key type and technology."""
    version, key, tee = (int.from_bytes(data[at:end], "little") for at, end in ((0, 2), (2, 4), (4, 8)))
    known = version in tdx_quote.VERSIONS and key in (2, 3) and tee in (tdx_quote.SGX, tdx_quote.TDX)
    return len(data) >= QuoteHeader.SIZE and (data[12:28] == tdx_quote.INTEL or known)


def _is_table(data: bytes) -> bool:
    """The first entry of the list has one of the known GUIDs."""
    return data[:16] in snp_certs.KNOWN


def _json_kind(data: bytes) -> tuple[Kind, dict[str, Any]]:
    try:
        top = JsonObject.parse(data.removeprefix(BOM), what="file", limit=LIMIT)
    except FormatError:
        return Kind.UNKNOWN, {}
    keys, members = top.keys(), top.members()
    for fits, kind in (
        (nvidia_evidence.looks_like(keys), Kind.NVIDIA_JSON),
        ({"id", "rim"} <= set(keys), Kind.MANIFEST_JSON),
        (_is_collection(top), Kind.COLLECTION),
        (collateral_bundle.looks_like(keys), Kind.BUNDLE),
        (intel_collateral.looks_like_bundle(keys), Kind.INTEL_BUNDLE),
        (intel_collateral.TCB_INFO in keys or intel_collateral.QE_IDENTITY in keys, Kind.INTEL_STATEMENT),
        (vtpm_evidence.looks_like(keys), Kind.VTPM_JSON),
        ({"provider", "outblob"} <= set(keys), Kind.TSM_REPORT),
    ):
        if fits:
            return kind, members
    return Kind.UNKNOWN, members


def _is_collection(top: JsonObject) -> bool:
    """A collection, or the request of a guest with one in its `evidence`."""
    inside = top.members().get("evidence")
    return cmw.TYPE_KEY in top or (isinstance(inside, dict) and cmw.TYPE_KEY in inside)


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
