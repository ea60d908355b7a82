"""What AMD's Key Distribution Service has for an SNP report: the chip's certificate, its chain, revocation lists.

Source: AMD 57230, "Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface Specification", chapter 4.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from warily.core.evidence import SnpEvidence
from warily.errors import FormatError
from warily.fetch.request import A_DAY, A_MONTH, FOR_EVER, Address, Answer, Piece, Plan, Request
from warily.formats import pem
from warily.formats.snp_report import SigningKey, SnpReport, Tcb
from warily.formats.x509 import CERTIFICATE_LIMIT, CRL_LIMIT, Certificate, RevocationList
from warily.verify import recognise, x509
from warily.verify.snp.leaf import KIND_OF, Leaf, LeafKind, read_leaf
from warily.verify.snp.products import KEY_SERVICE, Product, by_cpuid, by_name, is_root, products

_UNSIGNED: Final = "the SEV-SNP report says that it is not signed: no certificate can help"
_VLEK: Final = "a VLEK certificate is in no public service: it comes with the extended report, from the cloud's host"
_MASKED: Final = "the SEV-SNP report hides its chip (all zeros): its VCEK comes with the extended report only"
_NEW: Final = "the SEV-SNP report is of a processor that this version of warily does not know"


def plan_snp(evidence: SnpEvidence, at_hand: Sequence[bytes]) -> Plan:
    """What the report needs beyond the certificates that came with it and those at hand (DER).

    Raises `FormatError` for a malformed report or certificate.
    """
    report = SnpReport.unpack(evidence.report)
    kind = KIND_OF.get(report.signing_key)
    if kind is None:
        return Plan(unavailable=(_UNSIGNED,))
    leaf = _leaf(report, kind, (*evidence.certificates, *at_hand))
    if leaf is not None:
        product = by_name(leaf.product_name)
        if product is None:
            return Plan(unavailable=(_NEW,))
        came = leaf.certificate.raw in evidence.certificates
        return Plan(
            requests=_of_product(product, kind), remarks=(f"the {kind} came with the evidence",) if came else ()
        )
    known = by_cpuid(report)
    if report.signing_key is SigningKey.VLEK:
        return Plan(requests=_of_product(known, kind) if known else (), unavailable=(_VLEK,))
    if not any(report.chip_id):
        return Plan(requests=_of_product(known, kind) if known else (), unavailable=(_MASKED,))
    candidates = [known] if known else [] if report.has_cpuid else [one for one in products() if _could_be(report, one)]
    if not candidates:
        return Plan(unavailable=(_NEW,))
    return Plan(requests=(_vcek(report, candidates), *(_of_product(known, kind) if known else ())))


def _leaf(report: SnpReport, kind: LeafKind, ders: Iterable[bytes]) -> Leaf | None:
    """The certificate at hand whose key signed the report, as far as names tell."""
    leaves = (read_leaf(der) for der in dict.fromkeys(ders))
    return next((leaf for leaf in leaves if leaf is not None and leaf.kind is kind and _fits(leaf, report)), None)


def _fits(leaf: Leaf, report: SnpReport) -> bool:
    """Whether a leaf is of the report's chip and TCB."""
    product = by_name(leaf.product_name)
    if product is None or leaf.tcb(product.tcb) != report.reported_tcb:
        return False
    return leaf.kind is LeafKind.VLEK or (
        leaf.hardware_id is not None
        and len(leaf.hardware_id) == product.chip_id
        and report.chip_id == leaf.hardware_id.ljust(len(report.chip_id), b"\x00")
    )


def _could_be(report: SnpReport, product: Product) -> bool:
    """Whether a report that does not name its processor could be of this product."""
    try:
        Tcb.decode(report.reported_tcb, product.tcb)
    except FormatError:
        return False
    long_enough = any(report.chip_id[8:]) is (product.chip_id > 8)  # noqa: PLR2004  # Turin's chips have 8 bytes
    return long_enough and not any(report.chip_id[product.chip_id :])


def _vcek(report: SnpReport, candidates: Sequence[Product]) -> Request:
    chip = report.chip_id.rstrip(b"\x00")[:8].hex()
    tcb = Tcb.decode(report.reported_tcb, candidates[0].tcb)
    return Request(
        name=f"amd-vcek-{chip}-{report.reported_tcb:016x}.der",
        what=f"the VCEK certificate of chip {chip}… at {tcb}",
        addresses=tuple(Address(service=KEY_SERVICE, path=one.vcek_path(report), rationed=True) for one in candidates),
        limit=CERTIFICATE_LIMIT,
        keeps=FOR_EVER,
        accept=partial(_accept_vcek, report),
    )


def _of_product(product: Product, kind: LeafKind) -> tuple[Request, ...]:
    """The chain above leaves of this kind, and the list of its root."""
    short, below = ("vcek" if kind is LeafKind.VCEK else "vlek"), product.kds.lower()
    return (
        Request(
            name=f"amd-{below}-{short}-chain.pem",
            what=f"AMD's certificate chain for the {short.upper()}s of {product.kds}",
            addresses=(Address(service=KEY_SERVICE, path=f"/{short}/v1/{product.kds}/cert_chain"),),
            limit=4 * CERTIFICATE_LIMIT,
            keeps=A_MONTH,
            accept=partial(_accept_chain, product, f"amd-{below}-{short}-chain.pem"),
        ),
        Request(
            name=f"amd-{below}-{short}-crl.der",
            what=f"the revocation list of ARK-{product.kds}",
            addresses=(Address(service=KEY_SERVICE, path=f"/{short}/v1/{product.kds}/crl"),),
            limit=CRL_LIMIT,
            keeps=A_DAY,
            accept=partial(_accept_list, product, f"amd-{below}-{short}-crl.der"),
        ),
    )


def _accept_vcek(report: SnpReport, answer: Answer) -> tuple[Piece, ...]:
    ders = recognise.collateral_from((answer.body,)).certificates
    leaf = read_leaf(ders[0]) if len(ders) == 1 else None
    if leaf is None or leaf.kind is not LeafKind.VCEK:
        msg = "one VCEK certificate was asked for, and something else came"
        raise FormatError(msg)
    if not _fits(leaf, report):
        msg = "a VCEK certificate came, of another chip or another TCB"
        raise FormatError(msg)
    chip = report.chip_id.rstrip(b"\x00")[:8].hex()
    return (Piece(name=f"amd-vcek-{chip}-{report.reported_tcb:016x}.der", data=ders[0]),)


def _accept_chain(product: Product, name: str, answer: Answer) -> tuple[Piece, ...]:
    chain = [x509.decoded(der) for der in recognise.collateral_from((answer.body,)).certificates]
    roots = [one for one in chain if is_root(one)]
    if len(roots) != 1 or len(chain) < 2 or roots[0].name != f"ARK-{product.kds}":  # noqa: PLR2004  # root and one below
        msg = f"the chain below ARK-{product.kds} was asked for; what came holds {_names(chain)}"
        raise FormatError(msg)
    text = "".join(pem.encode_block(pem.Block(label=pem.CERTIFICATE, der=one.raw)) for one in chain)
    return (Piece(name=name, data=text.encode()),)


def _accept_list(product: Product, name: str, answer: Answer) -> tuple[Piece, ...]:
    lists = recognise.collateral_from((answer.body,)).crls
    if len(lists) != 1 or RevocationList.decode(lists[0]).name != f"ARK-{product.kds}":
        msg = f"the revocation list of ARK-{product.kds} was asked for, and something else came"
        raise FormatError(msg)
    return (Piece(name=name, data=lists[0]),)


def _names(chain: Sequence[Certificate]) -> str:
    return ", ".join(one.name for one in chain) or "no certificate"
