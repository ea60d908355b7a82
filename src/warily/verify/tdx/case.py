"""A quote, and what was picked for judging it from everything offered. Nothing is trusted here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Final

from warily.core.collateral import TdxCollateral
from warily.core.evidence import TdxEvidence
from warily.errors import FormatError
from warily.formats import pck, pem
from warily.formats.intel_collateral import Statement
from warily.formats.intel_tcb import QeIdentity, TcbInfo
from warily.formats.pck import PckExtensions
from warily.formats.tdx_quote import PCK_CHAIN, TDX, Quote
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.tdx.roots import NAME, certificate_of, intel_root
from warily.verify.tdx.tcb import Verdict, judge

MAX_CERTIFICATES: Final = 64
MAX_STATEMENTS: Final = 64
MAX_CRLS: Final = 16
CHAIN: Final = 3  # PCK certificate, authority, root
PCK_NAME: Final = "Intel SGX PCK Certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Whose word authenticity rests on."""

    name: str
    rehearsal: bool


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that checks look at. `chain` is the PCK certificate and what came above it, in the order given."""

    quote: Quote
    at: datetime
    rehearsal_roots: frozenset[bytes]
    chain: tuple[Certificate, ...]
    certificates: tuple[Certificate, ...] = field(repr=False)
    root_crls: tuple[RevocationList, ...] = field(repr=False)
    pck_crls: tuple[RevocationList, ...] = field(repr=False)
    tcb_statement: Statement | None
    tcb_info: TcbInfo | None = field(repr=False)
    qe_statement: Statement | None
    qe_identity: QeIdentity | None = field(repr=False)

    @property
    def is_td(self) -> bool:
        """Whether the quote is of a TD, and not of an SGX enclave."""
        return self.quote.header.tee_type == TDX

    def parties(self) -> tuple[Certificate, Certificate, Certificate]:
        """PCK certificate, its authority, root. Only for checks that come after the one that found all three."""
        leaf, authority, root = self.chain
        return leaf, authority, root

    @cached_property
    def pck(self) -> PckExtensions | None:
        """What the PCK certificate says of the platform, where it is one."""
        return _extensions(self.chain[0]) if self.chain else None

    @cached_property
    def anchor(self) -> Anchor | None:
        """The trust anchor that the root is: Intel's own by its key, or a rehearsal root by its fingerprint."""
        if len(self.chain) != CHAIN:
            return None
        root = self.chain[-1]
        if root.public_key == intel_root().public_key:
            return Anchor(name=NAME, rehearsal=False)
        print_ = x509.fingerprint(root)
        if print_ in self.rehearsal_roots:
            return Anchor(name=f"rehearsal root {print_.hex()[:16]}", rehearsal=True)
        return None

    @cached_property
    def verdict(self) -> Verdict:
        """Where the platform stands. Only for checks that come after those which found what it takes."""
        if self.pck is None or self.tcb_info is None or self.qe_identity is None:
            msg = "the collateral is not complete"
            raise LookupError(msg)
        return judge(self.quote, self.pck, self.tcb_info, self.qe_identity)


def pick(evidence: TdxEvidence, collateral: TdxCollateral, *, rehearsal_roots: frozenset[bytes], at: datetime) -> Case:
    """The case that evidence and collateral make. Raises `FormatError` where either is malformed."""
    _bound(collateral)
    quote = Quote.decode(evidence.quote)
    offered = tuple(map(certificate_of, dict.fromkeys(collateral.certificates)))
    chain = _brought(quote.certification) if quote.certification_type == PCK_CHAIN else _assembled(offered)
    platform = _extensions(chain[0]) if chain else None
    infos = [(statement, tcb_info_of(statement.text)) for statement in collateral.tcb_infos]
    identities = [(statement, qe_identity_of(statement.text)) for statement in collateral.qe_identities]
    tee, qe = ("TDX", "TD_QE") if quote.header.tee_type == TDX else ("SGX", "QE")
    tcb_statement, tcb_info = max(
        infos,
        key=lambda one: (one[1].id == tee, platform is not None and one[1].fmspc == platform.fmspc, one[1].issued),
        default=(None, None),
    )
    qe_statement, identity = max(identities, key=lambda one: (one[1].id == qe, one[1].issued), default=(None, None))
    return Case(
        quote=quote,
        at=at,
        rehearsal_roots=rehearsal_roots,
        chain=chain,
        certificates=offered,
        root_crls=tuple(map(x509.decoded_list, dict.fromkeys(collateral.root_crls))),
        pck_crls=tuple(map(x509.decoded_list, dict.fromkeys(collateral.pck_crls))),
        tcb_statement=tcb_statement,
        tcb_info=tcb_info,
        qe_statement=qe_statement,
        qe_identity=identity,
    )


tcb_info_of = lru_cache(maxsize=16)(TcbInfo.decode)
qe_identity_of = lru_cache(maxsize=16)(QeIdentity.decode)


def _bound(collateral: TdxCollateral) -> None:
    crls = len(collateral.root_crls) + len(collateral.pck_crls)
    statements = len(collateral.tcb_infos) + len(collateral.qe_identities)
    if len(collateral.certificates) > MAX_CERTIFICATES or crls > MAX_CRLS or statements > MAX_STATEMENTS:
        msg = f"over {MAX_CERTIFICATES} certificates, {MAX_CRLS} revocation lists or {MAX_STATEMENTS} statements"
        raise FormatError(msg)


@lru_cache(maxsize=256)
def _brought(certification: bytes) -> tuple[Certificate, ...]:
    """The certificates in the quote, in its order; none where there is no PEM."""
    text = certification.rstrip(b"\x00")
    if pem.MARK not in text:
        return ()
    blocks = pem.decode_blocks(text)
    if len(blocks) > MAX_CERTIFICATES:
        msg = f"quote: over {MAX_CERTIFICATES} certificates"
        raise FormatError(msg)
    return tuple(certificate_of(block.der) for block in blocks if block.label == pem.CERTIFICATE)


def _assembled(offered: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """A chain from what was offered, for quotes that only name their platform: as far as names lead."""
    chain = [one for one in offered if one.name == PCK_NAME][:1]
    while chain and chain[-1].issuer != chain[-1].subject and len(chain) < CHAIN:
        above = next((one for one in (*offered, intel_root()) if one.subject == chain[-1].issuer), None)
        if above is None:
            break
        chain.append(above)
    return tuple(chain)


@lru_cache(maxsize=256)
def _decoded(value: bytes) -> PckExtensions:
    return PckExtensions.decode(value)


def _extensions(certificate: Certificate) -> PckExtensions | None:
    extension = certificate.extensions.get(pck.ARC)
    return None if extension is None else _decoded(extension.value)
