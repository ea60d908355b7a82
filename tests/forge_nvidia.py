"""A maker of GPUs of our own: reports, certificates, manifests and OCSP answers with exactly one thing wrong."""

import base64
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.forge import ec_key
from warily.core.collateral import NvidiaCollateral
from warily.core.evidence import NvidiaDevice, NvidiaEvidence
from warily.core.expect import NvidiaExpect
from warily.formats.nvidia_report import Field, encode_fields, request_bytes
from warily.formats.spdm import MeasurementBlock, Measurements
from warily.formats.swid_rim import SwidRim
from warily.verify.nvidia.presets import BASELINE

MADE = datetime(2026, 3, 15, 12, 0, 0, tzinfo=UTC)
NOW = MADE + timedelta(minutes=1)
NONCE = bytes(range(32))
FWID = hashlib.sha384(b"firmware").digest()
VALUES = {index: hashlib.sha384(bytes([index])).digest() for index in range(8)}
DRIVER = "550.90.07"
VBIOS = "96.00.9F.00.01"
SHA384_OID = bytes.fromhex("06096086480165030402 02".replace(" ", ""))


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])
    return bytes([tag]) + size + body


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def firmware_id(digest: bytes) -> bytes:
    return tlv(0x30, SHA384_OID, tlv(0x04, digest))


def composite(digest: bytes) -> tuple[str, bytes]:
    return "2.23.133.5.4.1", tlv(0x30, tlv(0x02, b"\x01"), tlv(0x30), firmware_id(digest))


def tcb_info(digest: bytes, flags: bytes) -> tuple[str, bytes]:
    return "2.23.133.5.4.1.1", tlv(0x30, tlv(0x80, b"TEST"), tlv(0xA6, firmware_id(digest)), tlv(0x87, b"\x00" + flags))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One certificate: who it is for, who signs it, and how."""

    common: str
    issuer: str
    signer: str = ""
    key: str = ""
    ca: bool = True
    length: int | None = None
    days: tuple[float, float] = (-30, 3000)
    may_sign: bool = True
    extra: tuple[tuple[str, bytes], ...] = ()
    points: bool = False
    purpose: bool = False


@lru_cache
def certificate(plan: Plan) -> bytes:
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder(subject_name=name(plan.common), issuer_name=name(plan.issuer))
        .public_key(ec_key(plan.key or plan.common).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(plan.common.encode()).digest()[:8], "big"))
        .not_valid_before(MADE + timedelta(days=plan.days[0]))
        .not_valid_after(MADE + timedelta(days=plan.days[1]))
        .add_extension(x509.BasicConstraints(ca=plan.ca, path_length=plan.length), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=plan.may_sign, key_cert_sign=plan.ca, crl_sign=plan.ca, **usage),
            critical=True,
        )
    )
    for oid, value in plan.extra:
        builder = builder.add_extension(x509.UnrecognizedExtension(ObjectIdentifier(oid), value), critical=False)
    if plan.points:
        where = x509.AccessDescription(
            x509.oid.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.test")
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([where]), critical=False)
    if plan.purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
    return builder.sign(ec_key(plan.signer or plan.issuer), SHA384()).public_bytes(Encoding.DER)


ROOT = Plan(common="device root", issuer="device root")
MIDDLE = Plan(common="identity", issuer="device root", points=True)
LEAF = Plan(common="GH100 A01 TEST LF", issuer="identity", ca=False, extra=(composite(FWID),))
RIM_ROOT = Plan(common="manifest root", issuer="manifest root")
RIM_SIGNER = Plan(common="signer", issuer="manifest root", ca=False, points=True)


def raw_signature(key: str, message: bytes) -> bytes:
    r, s = decode_dss_signature(ec_key(key).sign(message, ec.ECDSA(SHA384())))
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def fields(*, driver: str | None = DRIVER, fwid: bytes | None = FWID, extra: dict[int, bytes] | None = None) -> bytes:
    found: dict[int, bytes] = {Field.VBIOS_VERSION: bytes.fromhex("009f009601000000")}
    if driver is None:
        found[Field.VBIOS_VERSION] = VBIOS.encode()
    else:
        found |= {Field.DRIVER_VERSION: driver.encode() + b"\x00", Field.NVDEC0_STATUS: b"\xaa"}
    if fwid is not None:
        found[Field.FWID] = fwid
    return encode_fields(found | (extra or {Field.FEATURE_FLAG: b"\x00\x00"}))


BLOCKS = tuple(MeasurementBlock(index=at + 1, type=1, raw=False, value=value) for at, value in VALUES.items())


@dataclass(frozen=True, kw_only=True)
class ForgedDevice:
    """One device. As it stands it is genuine."""

    leaf: Plan = LEAF
    authorities: tuple[Plan, ...] = (MIDDLE, ROOT)
    key: str = "GH100 A01 TEST LF"
    request: bytes = request_bytes(NONCE)
    blocks: tuple[MeasurementBlock, ...] = BLOCKS
    opaque: bytes = field(default_factory=fields)
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def report(self) -> bytes:
        response = Measurements(
            version=0x11,
            total=0,
            slot=0,
            blocks=self.blocks,
            nonce=bytes(32),
            opaque=self.opaque,
            context=b"",
            signature=b"",
        )
        signed = self.request + response.encode()
        return signed + raw_signature(self.key, signed)

    @property
    def evidence(self) -> NvidiaDevice:
        ders = tuple(certificate(plan) for plan in (self.leaf, *self.authorities))
        return NvidiaDevice(report=self.report, certificates=ders, nonce=self.request[4:36], **self.beside)


@dataclass(frozen=True, kw_only=True)
class ForgedManifest:
    """One manifest. As it stands it is genuine."""

    version: str
    golden: dict[int, tuple[bytes, ...]]
    product: str = "GH100"
    edition: str = "GPU"
    signer: Plan = RIM_SIGNER
    authorities: tuple[Plan, ...] = (RIM_ROOT,)
    key: str = "signer"
    digest: bytes | None = None
    inactive: tuple[int, ...] = (0,)

    @property
    def xml(self) -> bytes:
        return _signed(self._text(b"", b""), self)

    def _text(self, digest: bytes, signature: bytes) -> str:
        rows = [self._row(index, values, active=True) for index, values in self.golden.items()]
        rows += [self._row(index, (bytes(48),), active=False) for index in self.inactive if index not in self.golden]
        ders = [certificate(plan) for plan in (self.signer, *self.authorities)]
        held = "".join(f"<ds:X509Certificate>{base64.b64encode(der).decode()}\n</ds:X509Certificate>" for der in ders)
        c14n = "http://www.w3.org/2006/12/xml-c14n11"
        return (
            '<SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" '
            'xmlns:n="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" '
            f'xmlns:h="http://www.w3.org/2001/04/xmlenc#sha384" name="{self.product}" tagId="tag">\n'
            f' <n:Meta colloquialVersion="{self.version}" edition="{self.edition}"/>\n'
            f" <n:Payload>{''.join(rows)}</n:Payload>\n"
            '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>'
            f'<ds:CanonicalizationMethod Algorithm="{c14n}"/>'
            '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"/>'
            '<ds:Reference URI=""><ds:Transforms>'
            '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
            f'<ds:Transform Algorithm="{c14n}"/></ds:Transforms>'
            '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#sha384"/>'
            f"<ds:DigestValue>{base64.b64encode(digest.ljust(48, bytes(1))).decode()}</ds:DigestValue>"
            "</ds:Reference></ds:SignedInfo>"
            f"<ds:SignatureValue>{base64.b64encode(signature).decode()}</ds:SignatureValue>"
            f"<ds:KeyInfo><ds:X509Data>{held}</ds:X509Data></ds:KeyInfo></ds:Signature></SoftwareIdentity>\n"
        )

    @staticmethod
    def _row(index: int, values: tuple[bytes, ...], *, active: bool) -> str:
        hashes = " ".join(f'h:Hash{at}="{value.hex()}"' for at, value in enumerate(values))
        return (
            f'<n:Resource type="Measurement" index="{index}" active="{active}" alternatives="{len(values)}" '
            f'{hashes} name="M{index}" size="{len(values[0])}"/>\n'
        )


def _signed(text: str, plan: ForgedManifest) -> bytes:
    """The document with its digest, then with its signature: over the canonical forms, as `SwidRim` finds them."""
    rim = SwidRim.decode(text.encode())
    digest = plan.digest or hashlib.sha384(rim.content).digest()
    info = SwidRim.decode(plan._text(digest, b"").encode()).signed_info
    return plan._text(digest, raw_signature(plan.key, info)).encode()


DRIVER_MANIFEST = ForgedManifest(version=DRIVER, golden={1: (VALUES[1],), 2: (bytes(48), VALUES[2])})
VBIOS_MANIFEST = ForgedManifest(version=VBIOS, golden={3: (VALUES[3],), 4: (VALUES[4],)})


def answer(
    plan: Plan,
    issuer: Plan,
    *,
    signer: Plan | None = None,
    key: str = "",
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    reason: x509.ReasonFlags | None = None,
    days: tuple[float, float] = (-1, 6),
) -> bytes:
    """An OCSP answer about one certificate."""
    subject, above = (x509.load_der_x509_certificate(certificate(one)) for one in (plan, issuer))
    named = signer or (replace(issuer, key=key, signer=key) if key else issuer)
    by = x509.load_der_x509_certificate(certificate(named))
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=subject,
            issuer=above,
            algorithm=SHA256(),
            cert_status=status,
            this_update=MADE + timedelta(days=days[0]),
            next_update=MADE + timedelta(days=days[1]),
            revocation_time=MADE if revoked else None,
            revocation_reason=reason if revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, by)
    )
    if signer is not None:
        builder = builder.certificates([by])
    return builder.sign(ec_key(named.key or named.common), SHA384()).public_bytes(Encoding.DER)


@dataclass(frozen=True, kw_only=True)
class ForgedNvidia:
    """Everything that `appraise` takes. As it stands it is accepted, as a rehearsal."""

    devices: tuple[ForgedDevice, ...] = (ForgedDevice(),)
    manifests: tuple[ForgedManifest, ...] = (DRIVER_MANIFEST, VBIOS_MANIFEST)
    answers: tuple[bytes, ...] = ()
    expect: NvidiaExpect = BASELINE
    trusted: tuple[Plan, ...] = (ROOT, RIM_ROOT)

    @property
    def evidence(self) -> NvidiaEvidence:
        return NvidiaEvidence(devices=tuple(device.evidence for device in self.devices))

    @property
    def collateral(self) -> NvidiaCollateral:
        return NvidiaCollateral(manifests=tuple(one.xml for one in self.manifests), answers=self.answers)

    @property
    def expectation(self) -> NvidiaExpect:
        roots = frozenset(hashlib.sha256(certificate(plan)).digest() for plan in self.trusted)
        return replace(self.expect, rehearsal_roots=roots)
