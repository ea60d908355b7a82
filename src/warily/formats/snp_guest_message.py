"""A guest asks its SNP processor for a report: MSG_REPORT_REQ, MSG_REPORT_RSP, and a frame around the answer.

On real hardware the kernel carries these messages. A rehearsal guest writes the 96-byte request to a
virtio-serial port; the answer is a u32 little-endian length, the response and the certificate table,
in the order in which SNP_GET_EXT_REPORT gives them.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._layout import Layout, layout, octets, u32

REPORT_DATA_SIZE: Final = 64
REPORT_SIZE: Final = 0x4A0
PREFIX_SIZE: Final = 4
ANSWER_LIMIT: Final = 1 << 18  # a report, and what is far more than any certificate table

SUCCESS: Final = 0x00
INVALID_PARAMETERS: Final = 0x16


@layout(0x60, source="AMD 56860 SEV-SNP Firmware ABI, MSG_REPORT_REQ")
class ReportRequest(Layout):
    """What a guest asks for: 64 bytes to sign, and the VMPL to name in the report.

    KEY_SEL (0x44) must be zero: whichever key the processor prefers.
    """

    report_data: Annotated[bytes, octets(0x00, REPORT_DATA_SIZE)]
    vmpl: Annotated[int, u32(0x40)]


@layout(0x20, source="AMD 56860 SEV-SNP Firmware ABI, MSG_REPORT_RSP")
class ReportResponse(Layout):
    """How it went, and how many bytes of report follow."""

    status: Annotated[int, u32(0x00)]
    report_size: Annotated[int, u32(0x04)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAnswer:
    """One whole answer. Unless `status` is `SUCCESS`, report and certificate table are empty."""

    status: int
    report: bytes = b""
    certificates: bytes = b""

    def encode(self) -> bytes:
        """The response, the report and the certificate table."""
        return ReportResponse(status=self.status, report_size=len(self.report)).pack() + self.report + self.certificates

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """The answer in the bytes of one frame. Raises `FormatError`."""
        if len(payload) > ANSWER_LIMIT:
            msg = f"report answer: {len(payload)} bytes are over the limit of {ANSWER_LIMIT}"
            raise FormatError(msg)
        cursor = Cursor(payload, what="report answer")
        head = cursor.read(ReportResponse, "MSG_REPORT_RSP")
        if head.report_size != (REPORT_SIZE if head.status == SUCCESS else 0):
            msg = f"report answer: a report of {head.report_size} bytes with status {head.status:#x}"
            raise FormatError(msg)
        report = cursor.take(head.report_size, "report")
        certificates = cursor.take(cursor.remaining if head.status == SUCCESS else 0, "certificate table")
        cursor.finish()
        return cls(status=head.status, report=report, certificates=certificates)


def frame(payload: bytes) -> bytes:
    """The payload behind its length."""
    if len(payload) > ANSWER_LIMIT:
        msg = f"report answer: {len(payload)} bytes are over the limit of {ANSWER_LIMIT}"
        raise FormatError(msg)
    return len(payload).to_bytes(PREFIX_SIZE, "little") + payload


def frame_length(prefix: bytes) -> int:
    """How many bytes follow a 4-byte prefix. Raises `FormatError` for more than `ANSWER_LIMIT`."""
    if len(prefix) != PREFIX_SIZE:
        msg = f"report answer: a prefix of {len(prefix)} bytes"
        raise FormatError(msg)
    length = int.from_bytes(prefix, "little")
    if not ReportResponse.SIZE <= length <= ANSWER_LIMIT:
        msg = f"report answer: a length of {length}, not in {ReportResponse.SIZE}..{ANSWER_LIMIT}"
        raise FormatError(msg)
    return length
