"""A certificate authority, a quoting enclave and a PCS of our own, to make quotes with exactly one thing wrong.

Genuine in form, never in trust: what is made here passes only where a test names its root.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from warily.core.collateral import TdxCollateral
from warily.core.evidence import TdxEvidence
from warily.core.expect import TdxExpect
from warily.formats import pck, pem
from warily.formats.intel_collateral import Statement
from warily.formats.sgx_report import SgxReport
from warily.formats.tdx_quote import (
    BODIES,
    INTEL,
    TDX,
    Body,
    Quote,
    QuoteHeader,
    TdReport10,
    TdReport15,
)
from warily.verify.tdx.presets import BASELINE

NOW = datetime(2026, 3, 15, tzinfo=UTC)
ROOT, PLATFORM, PCK, SIGNING = (
    "Intel SGX Root CA",
    "Intel SGX PCK Platform CA",
    "Intel SGX PCK Certificate",
    "Intel SGX TCB Signing",
)
FMSPC = bytes.fromhex("90c06f000000")
PPID, INSTANCE = bytes(range(16)), bytes(range(16, 32))
ROOT_SERIAL, PLATFORM_SERIAL, PCK_SERIAL, SIGNING_SERIAL = 1, 2, 3, 4

TD = TdReport10(
    tee_tcb_svn=bytes([5, 1, 3]) + bytes(13),
    mrseam=b"\x11" * 48,
    mrsignerseam=bytes(48),
    seam_attributes=0,
    td_attributes=1 << 28,
    xfam=0x602E7,
    mrtd=b"\x22" * 48,
    mrconfigid=b"\x33" * 48,
    mrowner=bytes(48),
    mrownerconfig=bytes(48),
    rtmr0=b"\x40" * 48,
    rtmr1=b"\x41" * 48,
    rtmr2=b"\x42" * 48,
    rtmr3=bytes(48),
    report_data=b"\x55" * 64,
)
TD15 = TdReport15(base=TD, tee_tcb_svn2=bytes([6, 1, 3]) + bytes(13), mrservicetd=bytes(48))
QE = SgxReport(
    cpusvn=bytes(16),
    miscselect=0,
    isvextprodid=bytes(16),
    flags=0x15,
    xfrm=0xE7,
    mrenclave=b"\x66" * 32,
    mrsigner=b"\x77" * 32,
    configid=bytes(64),
    isvprodid=2,
    isvsvn=4,
    configsvn=0,
    isvfamilyid=bytes(16),
    report_data=bytes(64),
)
ENCLAVE = replace(QE, mrenclave=b"\x88" * 32, isvprodid=7, report_data=b"\x55" * 64)


@lru_cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of that name: the same one every time in a run."""
    assert name
    return ec.generate_private_key(ec.SECP256R1())


def point(name: str) -> bytes:
    """The public key of that name as x‖y."""
    return key(name).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def raw_signature(name: str, message: bytes) -> bytes:
    """r‖s by the key of that name."""
    r, s = decode_dss_signature(key(name).sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _name(common: str) -> x509.Name:
    parts = ((NameOID.COMMON_NAME, common), (NameOID.ORGANIZATION_NAME, "Intel Corporation"))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a certificate shall say."""

    name: str
    issuer: str
    key: str
    signer: str
    serial: int
    ca: bool
    days: tuple[int, int] = (-400, 4000)
    extension: bytes | None = None
    critical: bool = False


@lru_cache
def certificate(plan: Plan) -> bytes:
    """The certificate in DER."""
    builder = (
        x509.CertificateBuilder(subject_name=_name(plan.name), issuer_name=_name(plan.issuer))
        .public_key(key(plan.key).public_key())
        .serial_number(plan.serial)
        .not_valid_before(NOW + timedelta(days=plan.days[0]))
        .not_valid_after(NOW + timedelta(days=plan.days[1]))
        .add_extension(x509.BasicConstraints(ca=plan.ca, path_length=None), critical=True)
        .add_extension(_usage(ca=plan.ca), critical=True)
    )
    if plan.extension is not None:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(pck.ARC), plan.extension)
        builder = builder.add_extension(extension, critical=plan.critical)
    return builder.sign(key(plan.signer), SHA256()).public_bytes(Encoding.DER)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def der(tag: int, *parts: bytes) -> bytes:
    """One DER element."""
    body = b"".join(parts)
    head = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + head + body


def _oid(arc: str) -> bytes:
    encoded = x509.UnrecognizedExtension(x509.ObjectIdentifier(arc), b"")
    first, second, *rest = (int(part) for part in encoded.oid.dotted_string.split("."))
    out = bytes([first * 40 + second])
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return der(6, out)


def _entry(arc: str, value: bytes) -> bytes:
    return der(0x30, _oid(arc), value)


def _integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


@lru_cache
def sgx_extensions(
    *,
    svn: int = 5,
    pcesvn: int = 13,
    fmspc: bytes = FMSPC,
    instance: bytes | None = INSTANCE,
    flags: tuple[bool, bool, bool] | None = (True, False, True),
) -> bytes:
    """The content of a PCK certificate's SGX extension; `svn` is that of all 16 components."""
    tcb = [_entry(f"{pck.ARC}.2.{at}", _integer(svn)) for at in range(1, 17)]
    tcb += [_entry(f"{pck.ARC}.2.17", _integer(pcesvn)), _entry(f"{pck.ARC}.2.18", der(4, bytes([svn]) * 16))]
    entries = [
        _entry(f"{pck.ARC}.1", der(4, PPID)),
        _entry(f"{pck.ARC}.2", der(0x30, *tcb)),
        _entry(f"{pck.ARC}.3", der(4, bytes(2))),
        _entry(f"{pck.ARC}.4", der(4, fmspc)),
        _entry(f"{pck.ARC}.5", der(10, b"\x01")),
    ]
    if instance is not None:
        entries.append(_entry(f"{pck.ARC}.6", der(4, instance)))
    if flags is not None:
        said = [_entry(f"{pck.ARC}.7.{at}", der(1, b"\xff" if on else b"\x00")) for at, on in enumerate(flags, 1)]
        entries.append(_entry(f"{pck.ARC}.7", der(0x30, *said)))
    return der(0x30, *entries)


ROOT_PLAN = Plan(name=ROOT, issuer=ROOT, key="root", signer="root", serial=ROOT_SERIAL, ca=True)
PLATFORM_PLAN = Plan(name=PLATFORM, issuer=ROOT, key="platform", signer="root", serial=PLATFORM_SERIAL, ca=True)
SIGNING_PLAN = Plan(name=SIGNING, issuer=ROOT, key="signing", signer="root", serial=SIGNING_SERIAL, ca=False)
PCK_PLAN = Plan(
    name=PCK, issuer=PLATFORM, key="pck", signer="platform", serial=PCK_SERIAL, ca=False, extension=sgx_extensions()
)
CHAIN = (PCK_PLAN, PLATFORM_PLAN, ROOT_PLAN)


@lru_cache
def crl(*serials: int, issuer: str, signer: str, days: tuple[int, int] = (-1, 30)) -> bytes:
    """A revocation list in DER that names `serials`, in date from and until so many days from `NOW`."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=_name(issuer),
        last_update=NOW + timedelta(days=days[0]),
        next_update=NOW + timedelta(days=days[1]),
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=NOW).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(key(signer), SHA256()).public_bytes(Encoding.DER)


ROOT_CRL = crl(99, issuer=ROOT, signer="root")
PCK_CRL = crl(99, issuer=PLATFORM, signer="platform")


def _stamp(days: int) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def level(status: str, *, sgx: int, tdx: tuple[int, int, int], pcesvn: int = 11, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """A TCB level: `sgx` is the SVN of all SGX components, `tdx` the first three of the module's."""
    return {
        "tcb": {
            "sgxtcbcomponents": [{"svn": sgx, "category": "BIOS"}] * 16,
            "pcesvn": pcesvn,
            "tdxtcbcomponents": [{"svn": one} for one in (*tdx, *(0,) * 13)],
        },
        "tcbDate": "2024-11-13T00:00:00Z",
        "tcbStatus": status,
    } | more


def module_level(status: str, svn: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """A level of the TDX module, or of the quoting enclave."""
    return {"tcb": {"isvsvn": svn}, "tcbDate": "2024-12-01T00:00:00Z", "tcbStatus": status} | more


def tcb_info(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """TCB info under which the forged platform is up to date."""
    module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
    identity = module | {"id": "TDX_01", "tcbLevels": [module_level("UpToDate", 5), module_level("OutOfDate", 2)]}
    return {
        "id": "TDX",
        "version": 3,
        "issueDate": _stamp(-10),
        "nextUpdate": _stamp(20),
        "fmspc": FMSPC.hex().upper(),
        "pceId": "0000",
        "tcbType": 0,
        "tcbEvaluationDataNumber": 18,
        "tdxModule": module,
        "tdxModuleIdentities": [identity],
        "tcbLevels": [level("UpToDate", sgx=5, tdx=(5, 0, 3)), level("OutOfDate", sgx=2, tdx=(3, 0, 2))],
    } | changes


def qe_identity(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """QE identity that knows the forged quoting enclave."""
    return {
        "id": "TD_QE",
        "version": 2,
        "issueDate": _stamp(-10),
        "nextUpdate": _stamp(20),
        "tcbEvaluationDataNumber": 18,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": QE.mrsigner.hex().upper(),
        "isvprodid": 2,
        "tcbLevels": [module_level("UpToDate", 4), module_level("OutOfDate", 2)],
    } | changes


def statement(value: dict[str, Any], *, signer: str = "signing", chain: tuple[Plan, ...] = ()) -> Statement:
    """The value as Intel would sign it."""
    text = json.dumps(value, separators=(",", ":")).encode()
    ders = tuple(certificate(plan) for plan in chain or (SIGNING_PLAN, ROOT_PLAN))
    return Statement(text=text, signature=raw_signature(signer, text), chain=ders)


def chain_text(plans: tuple[Plan, ...]) -> bytes:
    """Certificates in PEM, closed by a zero byte as quotes have it."""
    blocks = [pem.Block(label=pem.CERTIFICATE, der=certificate(plan)) for plan in plans]
    return "".join(pem.encode_block(block) for block in blocks).encode() + (b"\x00" if blocks else b"")


@dataclass(frozen=True, kw_only=True)
class Forged:
    """Everything that `appraise` takes. As it stands it is accepted, as a rehearsal."""

    body: Body = TD15
    version: int = 5
    vendor: bytes = INTEL
    qe: SgxReport = QE
    chain: tuple[Plan, ...] = CHAIN
    certification_type: int = 5
    certification: bytes | None = None
    keys: dict[str, str] = field(default_factory=dict)  # which key signs "quote" and "qe", and is "bound"
    trailing: bytes = b""
    raw: bytes | None = None
    tcb_infos: tuple[Statement, ...] = field(default_factory=lambda: (statement(tcb_info()),))
    qe_identities: tuple[Statement, ...] = field(default_factory=lambda: (statement(qe_identity()),))
    root_crls: tuple[bytes, ...] = (ROOT_CRL,)
    pck_crls: tuple[bytes, ...] = (PCK_CRL,)
    certificates: tuple[bytes, ...] = ()
    expect: TdxExpect = BASELINE
    trusts: bytes | None = field(default_factory=lambda: certificate(ROOT_PLAN))

    @property
    def quote(self) -> Quote:
        tee = 0 if isinstance(self.body, SgxReport) else TDX
        header = QuoteHeader(
            version=self.version,
            attestation_key_type=2,
            tee_type=tee,
            qe_svn=0,
            pce_svn=0,
            qe_vendor_id=self.vendor,
            user_data=bytes(20),
        )
        kind = next(kind for kind, made in BODIES.items() if isinstance(self.body, made))
        typed = _typed(kind, self.body) if self.version == 5 else b""
        signed = header.pack() + typed + self.body.pack()
        authentication = b"\x00" * 32
        bound = hashlib.sha256(point(self.keys.get("bound", "ak")) + authentication).digest()
        report = replace(self.qe, report_data=bound.ljust(64, b"\x00")).pack()
        return Quote(
            header=header,
            body=self.body,
            signed=signed,
            signature=raw_signature(self.keys.get("quote", "ak"), signed),
            attestation_key=point("ak"),
            qe_report=SgxReport.unpack(report),
            qe_report_raw=report,
            qe_report_signature=raw_signature(self.keys.get("qe", "pck"), report),
            qe_authentication=authentication,
            certification_type=self.certification_type,
            certification=chain_text(self.chain) if self.certification is None else self.certification,
            trailing=self.trailing,
        )

    @property
    def evidence(self) -> TdxEvidence:
        return TdxEvidence(quote=self.quote.encode() if self.raw is None else self.raw)

    @property
    def collateral(self) -> TdxCollateral:
        return TdxCollateral(
            tcb_infos=self.tcb_infos,
            qe_identities=self.qe_identities,
            root_crls=self.root_crls,
            pck_crls=self.pck_crls,
            certificates=self.certificates,
        )

    @property
    def expectation(self) -> TdxExpect:
        roots = frozenset() if self.trusts is None else frozenset({hashlib.sha256(self.trusts).digest()})
        return replace(self.expect, rehearsal_roots=roots)


def _typed(kind: int, body: Body) -> bytes:
    return kind.to_bytes(2, "little") + body.SIZE.to_bytes(4, "little")
