"""A hypervisor of our own, to make Nitro documents with exactly one thing wrong."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.forge import ec_key
from warily.core.evidence import NitroEvidence
from warily.core.expect import NitroExpect
from warily.formats import cbor
from warily.formats.cose_sign1 import CoseSign1
from warily.verify.nitro.presets import BASELINE

MADE = datetime(2026, 3, 15, 12, 0, 0, tzinfo=UTC)
NOW = MADE + timedelta(seconds=30)
ES384 = cbor.encode({1: -35})
PCRS = {0: b"\x10" * 48, 1: b"\x11" * 48, 2: b"\x12" * 48, 3: bytes(48)}


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One certificate: who it is for, who signs it, and how."""

    common: str
    issuer: str
    signer: str
    key: str = ""
    ca: bool = True
    length: int | None = None
    days: tuple[float, float] = (-1, 30)
    sha256: bool = False


@lru_cache
def certificate(plan: Plan) -> bytes:
    builder = (
        x509.CertificateBuilder(subject_name=name(plan.common), issuer_name=name(plan.issuer))
        .public_key(ec_key(plan.key or plan.common).public_key())
        .serial_number(7)
        .not_valid_before(MADE + timedelta(days=plan.days[0]))
        .not_valid_after(MADE + timedelta(days=plan.days[1]))
        .add_extension(x509.BasicConstraints(ca=plan.ca, path_length=plan.length), critical=True)
    )
    made = builder.sign(ec_key(plan.signer), SHA256() if plan.sha256 else SHA384())
    return made.public_bytes(Encoding.DER)


ROOT = Plan(common="nitro.test", issuer="nitro.test", signer="nitro.test", days=(-1000, 1000))
ZONE = Plan(common="zone", issuer="nitro.test", signer="nitro.test", length=1)
HOST = Plan(common="host", issuer="zone", signer="zone", length=0)
LEAF = Plan(common="leaf", issuer="host", signer="host", ca=False, days=(-0.01, 0.125))


@dataclass(frozen=True, kw_only=True)
class ForgedNitro:
    """Everything that `appraise` takes. As it stands it is accepted, as a rehearsal."""

    bundle: tuple[Plan, ...] = (ROOT, ZONE, HOST)
    leaf: Plan = LEAF
    key: str = "leaf"
    protected: bytes = ES384
    members: dict[str, Any] = field(default_factory=dict)
    expect: NitroExpect = BASELINE
    trusted: Plan | None = ROOT

    @property
    def payload(self) -> bytes:
        members: dict[str, Any] = {
            "module_id": "i-0-enc0",
            "digest": "SHA384",
            "timestamp": int(MADE.timestamp() * 1000),
            "pcrs": PCRS,
            "certificate": certificate(self.leaf),
            "cabundle": [certificate(plan) for plan in self.bundle],
            "public_key": None,
            "user_data": b"user data",
            "nonce": b"nonce",
        }
        merged = members | self.members
        return cbor.encode({key: value for key, value in merged.items() if value is not ...})

    @property
    def document(self) -> bytes:
        message = CoseSign1(protected=self.protected, unprotected={}, payload=self.payload, signature=b"")
        r, s = decode_dss_signature(ec_key(self.key).sign(message.signed_bytes(), ec.ECDSA(SHA384())))
        return replace(message, signature=r.to_bytes(48, "big") + s.to_bytes(48, "big")).encode(tagged=False)

    @property
    def evidence(self) -> NitroEvidence:
        return NitroEvidence(document=self.document)

    @property
    def expectation(self) -> NitroExpect:
        trusted = self.trusted
        roots = frozenset() if trusted is None else frozenset({hashlib.sha256(certificate(trusted)).digest()})
        return replace(self.expect, rehearsal_roots=roots)
