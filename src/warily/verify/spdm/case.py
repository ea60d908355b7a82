"""One recorded conversation, the chain of the slot that signed it, and what is offered beside. Nothing is trusted."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from warily.core.collateral import SpdmCollateral
from warily.core.evidence import SpdmEvidence
from warily.errors import FormatError
from warily.formats import spdm
from warily.formats.ocsp import OcspResponse
from warily.formats.spdm import BaseHash, CertificateChain
from warily.formats.spdm_transcript import Transcript
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import certificate_path, x509
from warily.verify.revocation import Statements

# By the one bit of BaseHashSel: the hash as `hashlib` and as `cryptography` know it.
HASHES: Final[dict[int, tuple[Callable[[bytes], Any], Callable[[], HashAlgorithm]]]] = {
    BaseHash.SHA256: (hashlib.sha256, SHA256),
    BaseHash.SHA384: (hashlib.sha384, SHA384),
    BaseHash.SHA512: (hashlib.sha512, SHA512),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Whose word authenticity rests on."""

    name: str
    rehearsal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A conversation and everything its checks look at.

    `chain` is the certificate chain of the slot, as the device sent it, or None; `path` goes from its leaf upwards.
    """

    transcript: Transcript = field(repr=False)
    chain: CertificateChain | None
    path: tuple[Certificate, ...]
    said: Statements
    authorities: frozenset[bytes]
    rehearsal_roots: frozenset[bytes]
    at: datetime

    @property
    def leaf(self) -> Certificate:
        """The certificate of the device. Only for checks after the one that finds it."""
        return self.path[0]

    @property
    def slot(self) -> int:
        """The slot whose key signed."""
        return self.transcript.measured.request.slot & 0x0F

    @property
    def anchor(self) -> Anchor | None:
        """The trust anchor at the top of the path: a named authority, or a rehearsal root."""
        if not self.path:
            return None
        top = self.path[-1]
        print_ = x509.fingerprint(top)
        if print_ in self.authorities:
            return Anchor(name=f"named authority {top.name}", rehearsal=False)
        if print_ in self.rehearsal_roots:
            return Anchor(name=f"rehearsal root {print_.hex()[:16]}", rehearsal=True)
        return None


def pick(
    evidence: SpdmEvidence,
    collateral: SpdmCollateral,
    *,
    authorities: frozenset[bytes],
    rehearsal_roots: frozenset[bytes],
    at: datetime,
) -> Case:
    """The case that a conversation makes. Raises `FormatError` for anything malformed."""
    transcript = Transcript.decode(evidence.transcript)
    offered = tuple(x509.decoded(der) for der in collateral.certificates)
    raw = transcript.chains.get(transcript.measured.request.slot & 0x0F)
    chain: CertificateChain | None = None
    path: tuple[Certificate, ...] = ()
    if raw is not None:
        chain = CertificateChain.decode(raw, hash_size=spdm.HASH_SIZES[transcript.algorithms.hash])
        sent = tuple(x509.decoded(der) for der in chain.certificates)
        path = certificate_path.climb(sent[-1], (*sent, *offered))
    elif offered:
        leaves = [entry for entry in offered if not entry.is_authority]
        path = certificate_path.climb(leaves[0], offered) if len(leaves) == 1 else ()
    return Case(
        transcript=transcript,
        chain=chain,
        path=path,
        said=Statements(
            answers=tuple(OcspResponse.decode(der) for der in collateral.answers),
            lists=tuple(RevocationList.decode(der) for der in collateral.crls),
        ),
        authorities=authorities,
        rehearsal_roots=rehearsal_roots,
        at=at,
    )


def hash_of(case: Case, data: bytes) -> bytes:
    """The agreed hash over `data`. Raises `FormatError` for one that is not SHA-2."""
    known = HASHES.get(case.transcript.algorithms.hash)
    if known is None:
        msg = f"SPDM transcript: hash algorithm {case.transcript.algorithms.hash:#x} is not supported"
        raise FormatError(msg)
    digest: bytes = known[0](data).digest()
    return digest
