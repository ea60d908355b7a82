"""Pick, from everything offered, the certificates that could vouch for one report. Nothing is trusted here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

from warily.core.collateral import SnpCollateral
from warily.core.evidence import SnpEvidence
from warily.errors import FormatError
from warily.formats.snp_report import SnpReport
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.snp.leaf import KIND_OF, Leaf, LeafKind, leaf_kind, read_leaf
from warily.verify.snp.products import Product, by_name, by_root, is_root, pinned

MAX_CERTIFICATES: Final = 64
MAX_CRLS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Whose word authenticity rests on. `product` is what a pinned ARK signs for; a rehearsal root signs for any."""

    name: str
    rehearsal: bool
    product: Product | None


class Case(NamedTuple):  # not a dataclass: one is made for every report, in a sixth of the time
    """A report, the certificates picked for it, and everything else its checks look at.

    `anchor` is the trust anchor that the root is: AMD's own by its key, or a rehearsal root by its fingerprint.
    `product` is the one that the leaf names, None where this version does not know it.
    """

    raw: bytes
    report: SnpReport
    at: datetime
    rehearsal_roots: frozenset[bytes]
    offered: tuple[Certificate, ...]
    crls: tuple[RevocationList, ...]
    leaf: Leaf | None
    intermediate: Certificate | None
    root: Certificate | None
    anchor: Anchor | None
    product: Product | None

    def chain(self) -> tuple[Leaf, Certificate, Certificate]:
        """Leaf, intermediate and root. Only for checks that come after those which found all three."""
        if self.leaf is None or self.intermediate is None or self.root is None:
            msg = "the chain is not complete"
            raise LookupError(msg)
        return self.leaf, self.intermediate, self.root


def pick(evidence: SnpEvidence, collateral: SnpCollateral, *, rehearsal_roots: frozenset[bytes], at: datetime) -> Case:
    """The case that evidence and collateral make. Raises `FormatError` for a malformed report or certificate.

    Collateral comes before the certificates that the evidence brought. Pinned authorities complete the chain
    only where no authority of that rank was offered: what was offered is judged, not silently replaced.
    """
    report = SnpReport.unpack(evidence.report)
    if len(collateral.crls) > MAX_CRLS:
        _refuse_excess()
    offered, leaves = _offered(collateral.certificates, evidence.certificates, KIND_OF.get(report.signing_key))
    crls = tuple(map(x509.decoded_list, collateral.crls))
    leaf = leaves[0] if len(leaves) == 1 else _leaf(report, leaves, at)
    certificate = leaf.certificate.raw if leaf else None
    intermediate, root, anchor = _authorities(certificate, collateral.certificates, evidence.certificates)
    return Case(
        raw=evidence.report,
        report=report,
        at=at,
        rehearsal_roots=rehearsal_roots,
        offered=offered,
        crls=crls,
        leaf=leaf,
        intermediate=intermediate,
        root=root,
        anchor=anchor or _rehearsal(root, rehearsal_roots),
        product=by_name(leaf.product_name) if leaf else None,
    )


def _refuse_excess() -> NoReturn:
    msg = f"over {MAX_CERTIFICATES} certificates or {MAX_CRLS} revocation lists"
    raise FormatError(msg)


def is_intermediate(certificate: Certificate) -> bool:
    """Whether the certificate is an authority, and not by its own word."""
    return certificate.is_authority and not is_root(certificate)


@lru_cache(maxsize=x509.REMEMBERED)
def _offered(
    given: tuple[bytes, ...], sent: tuple[bytes, ...], wanted: LeafKind | None
) -> tuple[tuple[Certificate, ...], tuple[Leaf, ...]]:
    """Certificates from DER, each once, and the leaves of a kind among them."""
    ders = dict.fromkeys((*given, *sent))
    if len(ders) > MAX_CERTIFICATES:
        _refuse_excess()
    offered = tuple(map(x509.decoded, ders))
    leaves = (read_leaf(certificate.raw) for certificate in offered if leaf_kind(certificate) is wanted)
    return offered, tuple(leaf for leaf in leaves if leaf is not None)


def _rehearsal(root: Certificate | None, rehearsal_roots: frozenset[bytes]) -> Anchor | None:
    if root is None:
        return None
    print_ = x509.fingerprint(root)
    if print_ in rehearsal_roots:
        return Anchor(name=f"rehearsal root {print_.hex()[:16]}", rehearsal=True, product=None)
    return None


@lru_cache(maxsize=x509.REMEMBERED)
def _authorities(
    leaf: bytes | None, given: tuple[bytes, ...], sent: tuple[bytes, ...]
) -> tuple[Certificate | None, Certificate | None, Anchor | None]:
    """Intermediate, root, and AMD's anchor if the root is one: from DER, the same for every report of a chip."""
    offered = tuple(map(x509.decoded, dict.fromkeys((*given, *sent))))
    intermediate = _issuer(x509.decoded(leaf) if leaf else None, _rank(offered, is_intermediate))
    root = _issuer(intermediate, _rank(offered, is_root)) or next(filter(is_root, offered), None)
    product = by_root(root) if root else None
    anchor = Anchor(name=f"AMD ARK-{product.kds}", rehearsal=False, product=product) if product else None
    return intermediate, root, anchor


def _rank(offered: Sequence[Certificate], belongs: Callable[[Certificate], bool]) -> tuple[Certificate, ...]:
    """The authorities of one rank that were offered, or else the pinned ones."""
    return tuple(filter(belongs, offered)) or tuple(filter(belongs, pinned()))


def _issuer(child: Certificate | None, candidates: Sequence[Certificate]) -> Certificate | None:
    """The candidate that signed `child`; else one that at least has the right name; else None."""
    if child is None:
        return None
    named = [candidate for candidate in candidates if candidate.subject == child.issuer]
    signers = (candidate for candidate in named if x509.is_signed_by(child, candidate))
    return next(signers, named[0] if named else None)


def _leaf(report: SnpReport, leaves: Sequence[Leaf], at: datetime) -> Leaf | None:
    """The leaf that fits the report best: of its chip and TCB, and in date."""
    return max(leaves, key=lambda leaf: _fit(leaf, report, at), default=None)


def _fit(leaf: Leaf, report: SnpReport, at: datetime) -> tuple[bool, bool, bool]:
    product = by_name(leaf.product_name)
    return (
        leaf.hardware_id is None or report.chip_id.startswith(leaf.hardware_id),
        product is not None and leaf.tcb(product.tcb) == report.reported_tcb,
        x509.is_valid_at(leaf.certificate, at),
    )
