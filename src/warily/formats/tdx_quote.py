"""Intel quotes: TDX in versions 4 and 5, SGX in version 3 (and in the envelope of 4 and 5).

Source: Intel TDX DCAP Quoting Library API, appendix A.3 and A.4; Intel SGX ECDSA QuoteLibReference API, appendix A.4.
"""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Annotated, Final, Self, TypeAlias

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64
from warily.formats.sgx_report import SgxReport

LIMIT: Final = 64 << 10
VERSIONS: Final = range(3, 6)
ECDSA_P256: Final = 2
SGX: Final = 0x00
TDX: Final = 0x81
INTEL: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")  # QE_VENDOR_ID

QE_REPORT_DATA: Final = 6  # the outer certification data of versions 4 and 5
PCK_CHAIN: Final = 5
CERTIFICATION_TYPES: Final = range(1, 6)  # 1 to 4 name the platform and bring no chain


class TdAttribute(IntFlag):
    """TD ATTRIBUTES (Intel 348551, TDX Module ABI, section 3.4.1). Bits 0 to 7 (TUD) take away all protection."""

    DEBUG = 1 << 0
    HGS_PLUS_PROF = 1 << 4
    PERF_PROF = 1 << 5
    PMT_PROF = 1 << 6
    ICSSD = 1 << 16
    LASS = 1 << 27
    SEPT_VE_DISABLE = 1 << 28
    MIGRATABLE = 1 << 29
    PKS = 1 << 30
    KL = 1 << 31
    TPA = 1 << 62
    PERFMON = 1 << 63


UNDER_DEBUG: Final = 0xFF  # TUD: "TD under debug"


class Xfam(IntFlag):
    """XFAM: processor state that the TD may use, in the numbering of XCR0 and IA32_XSS."""

    X87 = 1 << 0
    SSE = 1 << 1
    AVX = 1 << 2
    MPX_BOUND_REGS = 1 << 3
    MPX_BOUND_CONFIG = 1 << 4
    AVX512_MASK = 1 << 5
    AVX512_HIGH = 1 << 6
    AVX512_UPPER = 1 << 7
    PT = 1 << 8
    PKU = 1 << 9
    PASID = 1 << 10
    CET_U = 1 << 11
    CET_S = 1 << 12
    HDC = 1 << 13
    UINTR = 1 << 14
    LBR = 1 << 15
    HWP = 1 << 16
    XTILECFG = 1 << 17
    XTILEDATA = 1 << 18
    APX = 1 << 19


TD_ATTRIBUTES: Final = int(sum(TdAttribute))
XFAM_BITS: Final = int(sum(Xfam))


class BodyKind(IntEnum):
    """The body types of version 5."""

    SGX = 1
    TD10 = 2
    TD15 = 3
    TD15_EXTENDED = 4


@layout(48, source="Intel TDX DCAP Quoting Library API, A.3.1 and A.4.1, quote header")
class QuoteHeader(Layout):
    """The header. `qe_svn` and `pce_svn` mean something in version 3 only; later versions reserve the bytes."""

    version: Annotated[int, u16(0)]
    attestation_key_type: Annotated[int, u16(2)]
    tee_type: Annotated[int, u32(4)]
    qe_svn: Annotated[int, u16(8)]
    pce_svn: Annotated[int, u16(10)]
    qe_vendor_id: Annotated[bytes, octets(12, 16)]
    user_data: Annotated[bytes, octets(28, 20)]

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            msg = f"quote: version {self.version} is not one of {VERSIONS.start}..{VERSIONS.stop - 1}"
            raise FormatError(msg)
        if self.tee_type not in (SGX, TDX) or (self.version == 3 and self.tee_type != SGX):
            msg = f"quote: TEE type {self.tee_type:#x} in version {self.version}"
            raise FormatError(msg)
        if self.attestation_key_type != ECDSA_P256:
            msg = f"quote: attestation key type {self.attestation_key_type} is not 2, ECDSA on P-256"
            raise FormatError(msg)


@layout(584, source="Intel TDX DCAP Quoting Library API, A.3.2, TD quote body")
class TdReport10(Layout):
    """What the TDX module says of a TD, version 1.0. Attributes and XFAM are judged elsewhere, not parsed."""

    tee_tcb_svn: Annotated[bytes, octets(0, 16)]
    mrseam: Annotated[bytes, octets(16, 48)]
    mrsignerseam: Annotated[bytes, octets(64, 48)]
    seam_attributes: Annotated[int, u64(112)]
    td_attributes: Annotated[int, u64(120)]
    xfam: Annotated[int, u64(128)]
    mrtd: Annotated[bytes, octets(136, 48)]
    mrconfigid: Annotated[bytes, octets(184, 48)]
    mrowner: Annotated[bytes, octets(232, 48)]
    mrownerconfig: Annotated[bytes, octets(280, 48)]
    rtmr0: Annotated[bytes, octets(328, 48)]
    rtmr1: Annotated[bytes, octets(376, 48)]
    rtmr2: Annotated[bytes, octets(424, 48)]
    rtmr3: Annotated[bytes, octets(472, 48)]
    report_data: Annotated[bytes, octets(520, 64)]


@layout(648, source="Intel TDX DCAP Quoting Library API, A.4.3, TD quote body for TDX 1.5")
class TdReport15(Layout):
    """Version 1.5 adds the TCB of the module that runs now, and the service TDs bound to the TD."""

    base: Annotated[TdReport10, octets(0, 584)]
    tee_tcb_svn2: Annotated[bytes, octets(584, 16)]
    mrservicetd: Annotated[bytes, octets(600, 48)]


@layout(885, source="sgx_quote_5.h of Intel's DCAP, sgx_report2_body_v1_5_extended; field names as in dcap-qvl")
class TdReport15Extended(Layout):
    """Version 1.5 with what a migrated or partitioned TD says besides. No genuine one has been published so far."""

    td15: Annotated[TdReport15, octets(0, 648)]
    vmid: Annotated[int, u8(648)]
    td_id: Annotated[bytes, octets(649, 32)]
    dev_info: Annotated[bytes, octets(681, 48)]
    init_service_td_hash: Annotated[bytes, octets(729, 48)]
    init_service_td_attributes: Annotated[bytes, octets(777, 8)]
    init_cpusvn: Annotated[bytes, octets(785, 16)]
    init_tee_tcb_svn: Annotated[bytes, octets(801, 16)]
    init_tee_fmspc: Annotated[bytes, octets(817, 12)]
    current_service_td_hash: Annotated[bytes, octets(829, 48)]
    current_service_td_attributes: Annotated[bytes, octets(877, 8)]


Body: TypeAlias = SgxReport | TdReport10 | TdReport15 | TdReport15Extended
BODIES: Final[dict[int, type[Body]]] = {
    BodyKind.SGX: SgxReport,
    BodyKind.TD10: TdReport10,
    BodyKind.TD15: TdReport15,
    BodyKind.TD15_EXTENDED: TdReport15Extended,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A quote, taken apart. Signatures and the attestation key are r‖s and x‖y, 32 bytes each, big-endian.

    `signed` is header and body as received, which `signature` covers. `trailing` is what follows the declared end:
    genuine quotes come in padded buffers, and no signature covers it.
    """

    header: QuoteHeader
    body: Body
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    attestation_key: bytes = field(repr=False)
    qe_report: SgxReport
    qe_report_raw: bytes = field(repr=False)
    qe_report_signature: bytes = field(repr=False)
    qe_authentication: bytes = field(repr=False)
    certification_type: int
    certification: bytes = field(repr=False)
    trailing: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The quote that `data` (at most 64 KiB) begins with. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"quote: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        reader = Cursor(data, what="quote")
        header = reader.read(QuoteHeader, "header")
        body = _read_body(reader, header)
        signed = data[: reader.offset]
        parts = Cursor(reader.counted(4, "signature data", limit=LIMIT), what="quote: signature data")
        signature, key = parts.take(64, "signature"), parts.take(64, "attestation key")
        qe = parts if header.version == 3 else _certified(parts)
        qe_report_raw, qe_report_signature = qe.take(SgxReport.SIZE, "QE report"), qe.take(64, "QE report signature")
        authentication = qe.counted(2, "QE authentication data", limit=LIMIT)
        kind = qe.number(2, "certification data type")
        if kind not in CERTIFICATION_TYPES:
            msg = f"quote: certification data of type {kind} where 1 to 5 are specified"
            raise FormatError(msg)
        certification = qe.counted(4, "certification data", limit=LIMIT)
        qe.finish()
        return cls(
            header=header,
            body=body,
            signed=signed,
            signature=signature,
            attestation_key=key,
            qe_report=SgxReport.unpack(qe_report_raw),
            qe_report_raw=qe_report_raw,
            qe_report_signature=qe_report_signature,
            qe_authentication=authentication,
            certification_type=kind,
            certification=certification,
            trailing=reader.take(reader.remaining, "rest"),
        )

    def encode(self) -> bytes:
        """The bytes of the quote, padding included."""
        inner = b"".join(
            (
                self.qe_report_raw,
                self.qe_report_signature,
                len(self.qe_authentication).to_bytes(2, "little"),
                self.qe_authentication,
                self.certification_type.to_bytes(2, "little"),
                len(self.certification).to_bytes(4, "little"),
                self.certification,
            )
        )
        if self.header.version != 3:
            inner = QE_REPORT_DATA.to_bytes(2, "little") + len(inner).to_bytes(4, "little") + inner
        data = self.signature + self.attestation_key + inner
        return self.signed + len(data).to_bytes(4, "little") + data + self.trailing

    @property
    def enclave(self) -> SgxReport | None:
        """The body of an SGX quote."""
        return self.body if isinstance(self.body, SgxReport) else None

    @property
    def td(self) -> TdReport10 | None:
        """The body of a TDX quote: what every version of it has."""
        body = self.body
        if isinstance(body, TdReport10):
            return body
        td15 = self.td15
        return td15.base if td15 else None

    @property
    def td15(self) -> TdReport15 | None:
        """What version 1.5 adds, where the quote has it."""
        if isinstance(self.body, TdReport15Extended):
            return self.body.td15
        return self.body if isinstance(self.body, TdReport15) else None

    @property
    def report_data(self) -> bytes:
        """REPORTDATA, 64 bytes that the TD or the enclave chose."""
        td = self.td
        if td is not None:
            return td.report_data
        return self.body.report_data if isinstance(self.body, SgxReport) else bytes(64)


def _read_body(reader: Cursor, header: QuoteHeader) -> Body:
    """The body: version 5 says its type and size, which must agree with each other and with the header."""
    if header.version < 5:
        return reader.read(SgxReport, "body") if header.tee_type == SGX else reader.read(TdReport10, "body")
    number, size = reader.number(2, "body type"), reader.number(4, "body size")
    kind = BODIES.get(number)
    if kind is None or size != kind.SIZE or (kind is SgxReport) is not (header.tee_type == SGX):
        msg = f"quote: a body of type {number} and {size} bytes for TEE type {header.tee_type:#x}"
        raise FormatError(msg)
    body: Body = kind.unpack(reader.take(kind.SIZE, "body"))
    return body


def _certified(outer: Cursor) -> Cursor:
    """The QE's part of versions 4 and 5, wrapped in certification data of type 6."""
    kind = outer.number(2, "outer certification data type")
    if kind != QE_REPORT_DATA:
        msg = f"quote: outer certification data of type {kind} where 6 is specified"
        raise FormatError(msg)
    inner = outer.counted(4, "outer certification data", limit=LIMIT)
    outer.finish()
    return Cursor(inner, what="quote: QE report certification data")
