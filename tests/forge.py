"""A certificate authority and an AMD-SP of our own, to make SNP evidence with exactly one thing wrong.

Genuine in form, never in trust: what is made here passes only where a test names its root.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from warily.core.collateral import SnpCollateral
from warily.core.evidence import SnpEvidence
from warily.core.expect import SnpExpect
from warily.formats.snp_report import NO_MIGRATION_AGENT, SIGNED_SIZE, SnpReport, Tcb
from warily.verify.snp.presets import BASELINE

NOW = datetime(2026, 3, 15, tzinfo=UTC)
CHIP = bytes(range(64))
TCB = Tcb(bootloader=4, tee=0, snp=24, microcode=219)
REPORT = SnpReport(
    version=3,
    guest_svn=1,
    policy=0x3001F,
    family_id=bytes(16),
    image_id=bytes(16),
    vmpl=0,
    signature_algorithm=1,
    current_tcb=TCB.encode(),
    platform_info=0x25,
    key_info=0,
    report_data=b"\x11" * 64,
    measurement=b"\x22" * 48,
    host_data=b"\x33" * 32,
    id_key_digest=bytes(48),
    author_key_digest=bytes(48),
    report_id=b"\x44" * 32,
    report_id_ma=NO_MIGRATION_AGENT,
    reported_tcb=TCB.encode(),
    cpuid_family=0x19,
    cpuid_model=0x01,
    cpuid_stepping=1,
    chip_id=CHIP,
    committed_tcb=TCB.encode(),
    current_version=bytes([29, 55, 1]),
    committed_version=bytes([29, 55, 1]),
    launch_tcb=TCB.encode(),
    launch_mitigations=0,
    current_mitigations=0,
    signature_r=bytes(72),
    signature_s=bytes(72),
)


@lru_cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """The RSA key of that name: the same one every time in a run."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@lru_cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The P-384 key of that name."""
    assert name
    return ec.generate_private_key(ec.SECP384R1())


def _name(common: str) -> x509.Name:
    """The name as AMD spells it: what is forged differs from the genuine in its key alone."""
    parts = (
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Engineering"),
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.LOCALITY_NAME, "Santa Clara"),
        (NameOID.STATE_OR_PROVINCE_NAME, "CA"),
        (NameOID.ORGANIZATION_NAME, "Advanced Micro Devices"),
        (NameOID.COMMON_NAME, common),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _sign(
    builder: x509.CertificateBuilder, signer: str, *, salt: int = 48, algorithm: HashAlgorithm | None = None
) -> bytes:
    hashed = algorithm or SHA384()
    pss = padding.PSS(padding.MGF1(hashed), salt_length=salt)
    made = builder.sign(rsa_key(signer), hashed, rsa_padding=pss)  # type: ignore[arg-type]  # any hash RSA takes
    return made.public_bytes(Encoding.DER)


def authority(common: str, *, issuer: str, key: str, signer: str, serial: int, ca: bool = True) -> bytes:
    """An authority's certificate in DER."""
    builder = (
        x509.CertificateBuilder(subject_name=_name(common), issuer_name=_name(issuer))
        .public_key(rsa_key(key).public_key())
        .serial_number(serial)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=4000))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return _sign(builder, signer)


ARK_SERIAL, ASK_SERIAL, ASVK_SERIAL = 0x70000, 0x70001, 0x70101


@lru_cache
def ark() -> bytes:
    """The root, self-signed."""
    return authority("ARK-Milan", issuer="ARK-Milan", key="ark", signer="ark", serial=ARK_SERIAL)


@lru_cache
def ask() -> bytes:
    """The authority for VCEKs."""
    return authority("SEV-Milan", issuer="ARK-Milan", key="ask", signer="ark", serial=ASK_SERIAL)


@lru_cache
def asvk() -> bytes:
    """The authority for VLEKs."""
    return authority("SEV-VLEK-Milan", issuer="ARK-Milan", key="asvk", signer="ark", serial=ASVK_SERIAL)


@dataclass(frozen=True, kw_only=True)
class LeafPlan:
    """What a leaf certificate shall say; the defaults fit `REPORT`."""

    kind: str = "SEV-VCEK"
    issuer: str = "SEV-Milan"
    signer: str = "ask"
    key: str = "vcek"
    product: str = "Milan-B0"
    levels: tuple[tuple[int, int], ...] = ((1, 4), (2, 0), (3, 24), (4, 0), (5, 0), (6, 0), (7, 0), (8, 219))
    hardware_id: bytes | None = CHIP
    wrapped: bool = False
    days: int = 365
    salt: int = 48
    serial: int = 1


def _integer(value: int) -> bytes:
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([2, len(body)]) + body


@lru_cache
def leaf(plan: LeafPlan = LeafPlan()) -> bytes:  # frozen
    """A VCEK or VLEK certificate in DER."""
    arc = "1.3.6.1.4.1.3704.1"
    values = {f"{arc}.1": _integer(0), f"{arc}.2": bytes([0x16, len(plan.product)]) + plan.product.encode()}
    values |= {f"{arc}.3.{number}": _integer(level) for number, level in plan.levels}
    if plan.hardware_id is not None:
        head = bytes([4, len(plan.hardware_id)]) if plan.wrapped else b""
        values[f"{arc}.4"] = head + plan.hardware_id
    builder = (
        x509.CertificateBuilder(subject_name=_name(plan.kind), issuer_name=_name(plan.issuer))
        .public_key(ec_key(plan.key).public_key())
        .serial_number(plan.serial)
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=plan.days))
    )
    for oid, value in values.items():
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical=False)
    return _sign(builder, plan.signer, salt=plan.salt, algorithm=SHA384() if plan.salt == 48 else SHA256())


VLEK = LeafPlan(kind="SEV-VLEK", issuer="SEV-VLEK-Milan", signer="asvk", key="vlek", product="Milan", hardware_id=None)


def signed(report: SnpReport | bytes, *, key: str = "vcek") -> bytes:
    """The report with its signature made by the key of that name."""
    raw = report if isinstance(report, bytes) else report.pack()
    r, s = decode_dss_signature(ec_key(key).sign(raw[:SIGNED_SIZE], ec.ECDSA(SHA384())))
    return raw[:SIGNED_SIZE] + r.to_bytes(72, "little") + s.to_bytes(72, "little") + bytes(len(raw) - 0x330)


def crl(*serials: int, signer: str = "ark", issuer: str = "ARK-Milan", days: tuple[int, int] = (-1, 30)) -> bytes:
    """A revocation list in DER that names `serials`, in date from and until so many days from `NOW`."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=_name(issuer),
        last_update=NOW + timedelta(days=days[0]),
        next_update=NOW + timedelta(days=days[1]),
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=NOW).build()
        builder = builder.add_revoked_certificate(revoked)
    pss = padding.PSS(padding.MGF1(SHA384()), salt_length=48)
    return builder.sign(rsa_key(signer), SHA384(), rsa_padding=pss).public_bytes(Encoding.DER)


@dataclass(frozen=True, kw_only=True)
class Forged:
    """Everything that `appraise` takes. As it stands it is accepted, as a rehearsal."""

    report: SnpReport = REPORT
    raw: bytes | None = None
    key: str = "vcek"
    certificates: tuple[bytes, ...] = field(default_factory=lambda: (leaf(), ask(), ark()))
    crls: tuple[bytes, ...] = ()
    expect: SnpExpect = BASELINE
    trusts: bytes | None = field(default_factory=ark)

    @property
    def evidence(self) -> SnpEvidence:
        return SnpEvidence(report=self.raw if self.raw is not None else signed(self.report, key=self.key))

    @property
    def collateral(self) -> SnpCollateral:
        return SnpCollateral(certificates=self.certificates, crls=self.crls)

    @property
    def expectation(self) -> SnpExpect:
        roots = frozenset() if self.trusts is None else frozenset({hashlib.sha256(self.trusts).digest()})
        return replace(self.expect, rehearsal_roots=roots)
