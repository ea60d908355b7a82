"""Any supported file as a readable tree with offsets. What it is, its content says, never its name.

`FORMATS` is the table: the first entry that fits shows the file. A new format is a new line here, made of
`layout_node` over its declared layouts. Nothing is judged, and malformed files are shown as far as they go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError
from warily.formats import armour, collateral_bundle, http_response, nitro, pem, snp_certs
from warily.formats._guid import guid
from warily.formats.collateral_bundle import CollateralBundle
from warily.formats.http_response import HttpResponse
from warily.formats.snp_guest_message import ReportResponse
from warily.formats.snp_report import SIZE as REPORT_SIZE
from warily.formats.snp_report import VERSIONS
from warily.formats.x509 import Certificate, RevocationList
from warily.verify.inspect import device, tpm
from warily.verify.inspect.certificates import certificate_node, crl_node, pem_node, table_node
from warily.verify.inspect.eventlog import is_log, log_node
from warily.verify.inspect.firmware import cpio_node, elf_node, is_cpio, is_elf, is_ovmf, ovmf_node
from warily.verify.inspect.igvm import igvm_node, is_igvm
from warily.verify.inspect.node import MAX_NODES, Node, clean, few
from warily.verify.inspect.quote import is_quote, quote_node
from warily.verify.inspect.snp import hashes_node, report_node, response_node
from warily.verify.inspect.text import cose_node, is_cose, is_json, is_jwt, json_node, jwt_node

MAX_LAYERS: Final = 4
_HASHES: Final = guid("9438d606-4f22-4cc9-b479-a793d411fd21")
_TSM: Final = "application/vnd.veraison.configfs-tsm+json"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file: its name, whether bytes are of it, and the tree of such bytes."""

    name: str
    fits: Callable[[bytes], bool]
    tree: Callable[[bytes], Node]


def inspect(data: bytes) -> Node:
    """The tree of a file. Raises `FormatError` where its kind is not known, or it is too broken to be shown."""
    found = format_of(data)
    if found is None:
        msg = f"{len(data)} bytes of no kind that can be shown"
        raise FormatError(msg, hint=f"kinds that can: {', '.join(entry.name for entry in FORMATS)}")
    tree = found.tree(data)
    if tree.count() > MAX_NODES:
        msg = f"a {found.name} of over {MAX_NODES} pieces"
        raise FormatError(msg)
    return tree


def format_of(data: bytes) -> Format | None:
    """The first format that fits, None where none does."""
    return next((entry for entry in FORMATS if entry.fits(data)), None)


def _is_report(data: bytes) -> bool:
    return len(data) == REPORT_SIZE and int.from_bytes(data[:4], "little") in VERSIONS


def _is_response(data: bytes) -> bool:
    head = bytes(4) + REPORT_SIZE.to_bytes(4, "little") + bytes(24)
    return data.startswith(head) and len(data) >= ReportResponse.SIZE + REPORT_SIZE


def _decodes(kind: type[Certificate | RevocationList]) -> Callable[[bytes], bool]:
    def fits(data: bytes) -> bool:
        if not data.startswith(b"\x30"):
            return False
        try:
            kind.decode(data)
        except FormatError:
            return False
        return True

    return fits


def _inside(data: bytes) -> bytes | None:
    """The bytes that text or gzip of something that can be shown means; None for anything else.

    A few layers at most: gzip that unpacks to itself exists.
    """
    for _ in range(MAX_LAYERS):
        inside = armour.unzipped(data) or armour.unarmoured(data)
        if inside is None or any(entry.fits(inside) for entry in FORMATS if entry.tree is not _holding_node):
            return inside
        data = inside
    return None


def _holds_something(data: bytes) -> bool:
    return _inside(data) is not None


def _holding_node(data: bytes) -> Node:
    name = "text" if armour.unzipped(data) is None else "gzip"
    note = "offsets are those of the bytes that it means"
    return Node(name=name, size=len(data), note=note, parts=(inspect(_inside(data) or b""),))


def _guessed(data: bytes) -> Node | None:
    """The tree of what a value inside JSON holds, None where that is nothing known. A short one is only itself."""
    if len(data) < armour.SHORTEST or is_json(data):
        return None
    try:
        return None if format_of(data) is None else inspect(data)
    except FormatError:
        return None


def _answer_node(data: bytes) -> Node:
    """The header fields and the content of an answer, each as what it is where that is known."""
    answer = HttpResponse.decode(data)
    fields = few(
        Node(name=clean(name), value=clean(value.decode("latin-1")))
        if (node := _guessed(value)) is None
        else Node(name=clean(name), size=len(value), parts=(node,))
        for name, value in answer.fields
    )
    return Node(name="HTTP answer", size=len(data), parts=(*fields, _opened_item(answer.body)))


def _record_node(data: bytes) -> Node:
    """What base64url inside JSON holds: a file of a known kind."""
    return inspect(data)


def _json_tree(data: bytes) -> Node:
    opened = dict.fromkeys(("outblob", "auxblob"), _record_node)
    return json_node(data, opened, _guessed)


def _is_bundle(data: bytes) -> bool:
    return is_json(data) and f'"{collateral_bundle.MARK}"'.encode() in data[:64]


def _bundle_tree(data: bytes) -> Node:
    """Every item of a bundle of fetched collateral, as the file that it is."""
    items = CollateralBundle.decode(data).items
    parts = (
        Node(
            name=entry.name,
            size=len(entry.data),
            value=clean(entry.source),
            note=f"fetched {entry.fetched:%Y-%m-%d %H:%M:%S} UTC, sha256 {entry.sha256.hex()}",
            parts=(_opened_item(entry.data),),
        )
        for entry in items
    )
    return Node(name="collateral bundle", size=len(data), value=f"{len(items)} items", parts=few(parts))


def _opened_item(data: bytes) -> Node:
    try:
        return Node(name="bytes", size=len(data)) if _is_bundle(data) else inspect(data)
    except FormatError as error:
        return Node(name="bytes", size=len(data), note=str(error))


def _cose_tree(data: bytes) -> Node:
    return cose_node(data, dict.fromkeys(("certificate", "cabundle"), _record_node))


FORMATS: Final = (
    Format("SEV-SNP certificate table", lambda data: data[:16] in snp_certs.KNOWN, lambda data: table_node(data, at=0)),
    Format("Intel quote", is_quote, quote_node),
    Format("SEV-SNP report", _is_report, report_node),
    Format("NVIDIA report", device.IS_NVIDIA, device.nvidia_node),
    Format("SPDM conversation", device.is_transcript, device.transcript_node),
    Format("MSG_REPORT_RSP", _is_response, response_node),
    Format("HCL report", tpm.is_hcl, lambda data: tpm.hcl_node(data, lambda raw: report_node(raw, at=tpm.HARDWARE_AT))),
    Format("TPMS_ATTEST", tpm.is_attest, tpm.attest_node),
    Format("kernel hashes", lambda data: data.startswith(_HASHES), hashes_node),
    Format("OVMF firmware", is_ovmf, ovmf_node),
    Format("IGVM file", is_igvm, igvm_node),
    Format("cpio archive", is_cpio, cpio_node),
    Format("ELF file", is_elf, elf_node),
    Format("NVIDIA evidence", device.is_evidence, device.evidence_node),
    Format("reference manifest", device.IS_MANIFEST, device.manifest_node),
    Format("collateral bundle", _is_bundle, _bundle_tree),
    Format("JSON", is_json, _json_tree),
    Format("PEM bundle", pem.looks_like, pem_node),
    Format("JWT", is_jwt, jwt_node),
    Format("certificate", _decodes(Certificate), lambda data: certificate_node(data, at=0)),
    Format("revocation list", _decodes(RevocationList), lambda data: crl_node(data, at=0)),
    Format("OCSP response", device.IS_OCSP, device.ocsp_node),
    Format("certificates", device.is_certificates, device.certificates_node),
    Format("AWS Nitro document", nitro.looks_like, lambda data: _cose_tree(nitro.message_in(data))),
    Format("COSE_Sign1", is_cose, _cose_tree),
    Format("TPMT_SIGNATURE", tpm.is_signature, tpm.signature_node),
    Format("TPMT_PUBLIC", tpm.is_public, tpm.public_node),
    Format("event log", is_log, log_node),
    Format("HTTP answer", http_response.looks_like, _answer_node),
    Format("text or gzip around any of these", _holds_something, _holding_node),
    Format("TDISP report", device.is_interface_report, device.interface_node),
    Format("SPDM message", device.is_message, device.message_node),
)
