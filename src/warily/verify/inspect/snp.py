"""SEV-SNP reports and what carries them, as trees."""

from typing import Final

from warily.errors import FormatError
from warily.formats.sev_hashes import HashTable
from warily.formats.snp_guest_message import ReportResponse
from warily.formats.snp_report import (
    HOST_REQUESTED,
    SIZE,
    PlatformBit,
    PolicyBit,
    SigningKey,
    SnpReport,
    Tcb,
    TcbLayout,
    firmware_version,
)
from warily.verify.comparing import bit_names
from warily.verify.inspect.certificates import table_node
from warily.verify.inspect.node import Decoder, Node, layout_node
from warily.verify.snp.products import by_cpuid


def _policy(value: int) -> str:
    return f"ABI at least {value >> 8 & 0xFF}.{value & 0xFF}; " + " ".join(bit_names(value & ~0xFFFF, PolicyBit))


def _key_info(value: int) -> str:
    keys = {int(key): key.name for key in SigningKey}
    author = ", author key" if value & 1 else ""
    masked = ", chip id masked" if value & 2 else ""
    return f"signed with {keys.get(value >> 2 & 7, 'an unknown key')}{author}{masked}"


def _version(value: bytes) -> str:
    return ".".join(map(str, firmware_version(value)))


DECODERS: Final[dict[str, Decoder]] = {
    "policy": _policy,
    "platform_info": lambda value: " ".join(bit_names(value, PlatformBit)),
    "vmpl": lambda value: "asked for by the host" if value == HOST_REQUESTED else "",
    "key_info": _key_info,
    "current_version": _version,
    "committed_version": _version,
}


def report_node(data: bytes, *, at: int = 0) -> Node:
    """An attestation report, well formed or not."""
    tcb = _tcb_decoder(data)
    levels = dict.fromkeys(("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"), tcb)
    return layout_node(SnpReport, data, at=at, name="ATTESTATION_REPORT", decoders=DECODERS | levels)


def _tcb_decoder(data: bytes) -> Decoder:
    """TCB versions by component, in the layout of the product; the older layout where the report names none."""
    try:
        product = by_cpuid(SnpReport.unpack(data))
    except FormatError:
        product = None
    layout = product.tcb if product else TcbLayout.LEGACY

    def decode(value: int) -> str:
        try:
            return str(Tcb.decode(value, layout)) + ("" if product else " (if of the older layout)")
        except FormatError:
            return "not of this product's layout"

    return decode


def response_node(data: bytes) -> Node:
    """A MSG_REPORT_RSP: the head, the report, and the certificate table or padding after it."""
    head = layout_node(ReportResponse, data[: ReportResponse.SIZE], at=0, name="MSG_REPORT_RSP")
    start = ReportResponse.SIZE
    parts = [head, report_node(data[start : start + SIZE], at=start)]
    rest = data[start + SIZE :]
    if rest:
        try:
            parts.append(table_node(rest, at=start + SIZE))
        except FormatError as error:
            note = "" if not any(rest) else f"no certificate table: {error}"
            parts.append(Node(name="rest", offset=start + SIZE, size=len(rest), note=note))
    return Node(name="report as the firmware hands it out", offset=0, size=len(data), parts=tuple(parts))


def hashes_node(data: bytes) -> Node:
    """A table of kernel hashes, as QEMU puts it into guest memory; zeros may follow."""
    return layout_node(HashTable, data[: HashTable.SIZE], at=0, name="kernel hashes")
