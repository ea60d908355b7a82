"""A TPM, a certificate authority and a firmware of our own, to make quotes and logs with exactly one thing wrong."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tests.forge import NOW, signed
from tests.forge import REPORT as SNP_REPORT
from tests.forge import Forged as ForgedSnp
from warily.core.collateral import TpmCollateral
from warily.core.evidence import TpmEvidence, TpmQuote
from warily.core.expect import TpmExpect
from warily.core.registers import BANKS, HASHES, extend
from warily.formats.hcl_report import HclReport, Header, RuntimeHeader
from warily.formats.tcg_log import SIGNATURE_AGILE, Event, EventLog, EventType
from warily.formats.tpm import Algorithm, Attest, Attribute, Public, Selection, Signature
from warily.formats.uefi_events import EFI_GLOBAL, UefiVariable
from warily.verify.vtpm.presets import baseline

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

NONCE = b"a nonce of ours"
SHA256_BANK = BANKS["sha256"]
GOOD_ATTRIBUTES = (
    Attribute.FIXED_TPM
    | Attribute.FIXED_PARENT
    | Attribute.SENSITIVE_DATA_ORIGIN
    | Attribute.RESTRICTED
    | Attribute.SIGN
)


@lru_cache
def key(name: str) -> Key:
    """The key of that name, the same in a whole run: RSA, or ECC where the name begins so."""
    if name.startswith("ec384"):
        return ec.generate_private_key(ec.SECP384R1())
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if name.startswith("weak") else 2048)


def spki(name: str) -> bytes:
    return key(name).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(name: str) -> bytes:
    return hashlib.sha256(spki(name)).digest()


def public(name: str, attributes: int = GOOD_ATTRIBUTES) -> bytes:
    """The TPMT_PUBLIC of an RSA key with scheme RSASSA over SHA-256, or of one on P-256."""
    made = key(name).public_key()
    if isinstance(made, rsa.RSAPublicKey):
        parameters = bytes.fromhex("0010 0014 000b 0800 00000000")
        unique: tuple[bytes, ...] = (made.public_numbers().n.to_bytes(256, "big"),)
        kind = Algorithm.RSA
    else:
        parameters = bytes.fromhex("0010 0018 000b 0003 0010")
        numbers = made.public_numbers()
        unique = (numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))
        kind = Algorithm.ECC
    return Public(
        type=kind,
        name_hash=Algorithm.SHA256,
        attributes=attributes,
        policy=b"",
        parameters=parameters,
        exponent=65537,
        curve=0,
        unique=unique,
    ).encode()


def sign(message: bytes, name: str, *, scheme: int = Algorithm.RSASSA, hashed: int = Algorithm.SHA256) -> bytes:
    """The TPMT_SIGNATURE over `message` by the key of that name."""
    made, algorithm = key(name), SHA384() if hashed == Algorithm.SHA384 else SHA256()
    if isinstance(made, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(made.sign(message, ec.ECDSA(algorithm)))
        numbers: tuple[bytes, ...] = (r.to_bytes(48, "big"), s.to_bytes(48, "big"))
        return Signature(scheme=Algorithm.ECDSA, hash=hashed, numbers=numbers).encode()
    pss = padding.PSS(padding.MGF1(algorithm), salt_length=algorithm.digest_size)
    pad = pss if scheme == Algorithm.RSAPSS else padding.PKCS1v15()
    return Signature(scheme=scheme, hash=hashed, numbers=(made.sign(message, pad, algorithm),)).encode()


def variable(name: str, value: bytes) -> bytes:
    return UefiVariable(guid=EFI_GLOBAL, name=name, value=value).encode()


def event(
    register: int, kind: int, data: bytes, *, measured: bytes | None = None, banks: tuple[int, ...] = ()
) -> Event:
    """An entry whose digests are of `measured`, or of the data itself."""
    content = data if measured is None else measured
    digests = tuple((bank, hashlib.new(HASHES[bank], content).digest()) for bank in banks or (SHA256_BANK,))
    return Event(offset=0, register=register, type=kind, digests=digests, data=data)


def log(*events: Event, banks: tuple[int, ...] = (SHA256_BANK,), padding: bytes = b"") -> EventLog:
    """A crypto-agile log of these entries."""
    sizes = tuple((bank, hashlib.new(HASHES[bank]).digest_size) for bank in banks)
    listed = b"".join(bank.to_bytes(2, "little") + size.to_bytes(2, "little") for bank, size in sizes)
    spec = SIGNATURE_AGILE + bytes(4) + bytes([0, 2, 0, 2]) + len(sizes).to_bytes(4, "little") + listed + b"\x00"
    header = Event(offset=0, register=0, type=EventType.NO_ACTION, digests=((4, bytes(20)),), data=spec)
    return EventLog(agile=True, algorithms=sizes, header=header, events=events, padding=padding)


def boot(*more: Event, secure: bytes = b"\x01") -> EventLog:
    """A small boot: Secure Boot measured, a separator in each PCR, an application, a command line of GRUB."""
    line = b"kernel_cmdline: /vmlinuz root=/dev/dm-0"
    return log(
        event(0, EventType.S_CRTM_VERSION, "forged".encode("utf-16-le")),
        event(7, EventType.EFI_VARIABLE_DRIVER_CONFIG, variable("SecureBoot", secure)),
        event(4, EventType.EFI_ACTION, b"Calling EFI Application from Boot Option"),
        *(event(pcr, EventType.SEPARATOR, bytes(4)) for pcr in range(8)),
        event(8, EventType.IPL, line + b"\x00", measured=line.removeprefix(b"kernel_cmdline: ")),
        *more,
    )


def pcrs_after(made: EventLog, bank: int = SHA256_BANK) -> dict[int, bytes]:
    """PCRs 0 to 9 as the entries of a log leave them: extended one by one, by the specification."""
    values = {pcr: bytes(hashlib.new(HASHES[bank]).digest_size) for pcr in range(10)}
    for entry in made.events:
        digest = entry.digest(bank)
        if entry.extends and digest is not None:
            values[entry.register] = extend(bank, values[entry.register], digest)
    return values


@dataclass(frozen=True, kw_only=True)
class QuotePlan:
    """One quote; the defaults fit `boot`."""

    ak: str = "ak"
    nonce: bytes = NONCE
    bank: int = SHA256_BANK
    values: dict[int, bytes] = field(default_factory=lambda: pcrs_after(boot()))
    sent: dict[int, bytes] | None = None
    scheme: int = Algorithm.RSASSA
    hashed: int = Algorithm.SHA256
    reset: int = 1
    spoil: bool = False

    def make(self) -> TpmQuote:
        name = HASHES[self.hashed]
        digest = hashlib.new(name, b"".join(self.values[pcr] for pcr in sorted(self.values))).digest()
        message = Attest(
            qualified_signer=b"\x00\x0b" + bytes(32),
            extra_data=self.nonce,
            clock=1000,
            reset_count=self.reset,
            restart_count=0,
            safe=True,
            firmware_version=7,
            selections=(Selection(bank=self.bank, width=3, pcrs=tuple(sorted(self.values))),),
            digest=digest,
        ).encode()
        signature = sign(message, self.ak, scheme=self.scheme, hashed=self.hashed)
        if self.spoil:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        sent = self.values if self.sent is None else self.sent
        return TpmQuote(
            message=message, signature=signature, pcrs=tuple((self.bank, pcr, value) for pcr, value in sent.items())
        )


@dataclass(frozen=True, kw_only=True)
class CertificatePlan:
    """What a certificate shall say."""

    subject: str
    issuer: str
    public: str
    signer: str
    ca: bool
    signs: bool = True
    days: int = 365
    path_length: int | None = None
    critical: str | None = None
    endorsement: bool = False
    serial: int = 5

    def make(self) -> bytes:
        return _certificate(self)


@lru_cache
def _certificate(plan: CertificatePlan) -> bytes:
    others = ("content_commitment", "data_encipherment", "key_agreement")
    usage = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    builder = (
        x509.CertificateBuilder(subject_name=_name(plan.subject), issuer_name=_name(plan.issuer))
        .public_key(key(plan.public).public_key())
        .serial_number(plan.serial)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=plan.days))
        .add_extension(x509.BasicConstraints(ca=plan.ca, path_length=plan.path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=plan.signs and not plan.ca and not plan.endorsement,
                key_encipherment=plan.endorsement,
                key_cert_sign=plan.ca,
                crl_sign=plan.ca,
                **usage,
            ),
            critical=True,
        )
    )
    if plan.endorsement:
        builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.23.133.8.1")]), critical=False)
    if plan.critical:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(plan.critical), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    return builder.sign(key(plan.signer), SHA256()).public_bytes(Encoding.DER)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


ROOT = CertificatePlan(subject="forged root", issuer="forged root", public="root", signer="root", ca=True)
MIDDLE = CertificatePlan(
    subject="forged middle", issuer="forged root", public="middle", signer="root", ca=True, path_length=0
)
LEAF = CertificatePlan(subject="forged AK", issuer="forged middle", public="ak", signer="middle", ca=False)

EK = CertificatePlan(
    subject="forged EK", issuer="forged middle", public="ek", signer="middle", ca=False, endorsement=True
)


def crl(
    *serials: int, signer: str = "middle", issuer: str = "forged middle", days: tuple[int, int] = (-1, 30)
) -> bytes:
    """A revocation list that names `serials`, in date from and until so many days from `NOW`."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=_name(issuer), last_update=NOW + timedelta(days=days[0]), next_update=NOW + timedelta(days=days[1])
    )
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=NOW).build()
        )
    return builder.sign(key(signer), SHA256()).public_bytes(Encoding.DER)


@dataclass(frozen=True, kw_only=True)
class Forged:
    """Everything that `appraise` takes: a quote whose key a certificate of ours vouches for. As it is, accepted."""

    quotes: tuple[QuotePlan, ...] = field(default_factory=lambda: (QuotePlan(),))
    attestation_key: bytes = field(default_factory=lambda: public("ak"))
    certificates: tuple[CertificatePlan, ...] = (LEAF, MIDDLE, ROOT)
    crls: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = ()
    logs: tuple[EventLog, ...] = ()
    activated: bytes = b""
    trusts: tuple[CertificatePlan, ...] = (ROOT,)
    expect: TpmExpect = field(default_factory=lambda: replace(baseline(None), nonce=NONCE))

    @property
    def evidence(self) -> TpmEvidence:
        return TpmEvidence(
            quotes=tuple(quote.make() for quote in self.quotes),
            attestation_key=self.attestation_key,
            activated=self.activated,
            event_logs=tuple(entry.encode() for entry in self.logs),
        )

    @property
    def collateral(self) -> TpmCollateral:
        return TpmCollateral(
            certificates=tuple(plan.make() for plan in self.certificates), crls=self.crls, keys=self.keys
        )

    @property
    def expectation(self) -> TpmExpect:
        prints = frozenset(hashlib.sha256(plan.make()).digest() for plan in self.trusts)
        return replace(self.expect, authorities=prints)


def runtime_data(ak: str = "ak") -> bytes:
    """JSON as Azure's paravisor writes it, naming the key `ak`."""
    from warily.formats._json import b64url

    numbers = key(ak).public_key().public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    size = (numbers.n.bit_length() + 7) // 8
    entry = f'{{"kid":"HCLAkPub","kty":"RSA","e":"AQAB","n":"{b64url(numbers.n.to_bytes(size, "big"))}"}}'
    settings = '{"secure-boot":true,"vmUniqueId":"F0F0"}'
    return f'{{"keys":[{entry}],"vm-configuration":{settings},"user-data":"{"ab" * 64}"}}'.encode()


@dataclass(frozen=True, kw_only=True)
class ForgedAzure:
    """A quote whose key the paravisor on a forged SNP machine vouches for. As it is, accepted as a rehearsal."""

    quote: QuotePlan = field(default_factory=QuotePlan)
    ak: str = "ak"
    bound: bytes | None = None
    hash_type: int = 1
    snp_key: str = "vcek"
    certificates: tuple[bytes, ...] | None = None
    expect: TpmExpect = field(
        default_factory=lambda: replace(baseline(None), hardware=ForgedSnp().expectation, nonce=NONCE)
    )

    @property
    def evidence(self) -> TpmEvidence:
        said = runtime_data(self.ak)
        data = hashlib.sha256(said).digest() if self.bound is None else self.bound
        report = signed(replace(SNP_REPORT, report_data=data.ljust(64, b"\x00")), key=self.snp_key)
        hcl = HclReport(
            header=Header(magic=b"HCLA", version=2, report_size=1, request_type=2, status=0, reserved=bytes(12)),
            hardware=report,
            runtime=RuntimeHeader(
                data_size=20 + len(said), version=1, report_type=2, hash_type=self.hash_type, variable_size=len(said)
            ),
            runtime_data=said,
            padding=100,
        )
        return TpmEvidence(quotes=(self.quote.make(),), hcl_report=hcl.encode())

    @property
    def collateral(self) -> TpmCollateral:
        made = ForgedSnp().certificates if self.certificates is None else self.certificates
        return TpmCollateral(certificates=made)

    @property
    def expectation(self) -> TpmExpect:
        return self.expect
