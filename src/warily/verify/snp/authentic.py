"""Is the report genuine: an ordered table of checks that stops at the first one which does not pass.

Formats come first: a malformed report or certificate is a `FormatError`, not a finding.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from warily.core.finding import Finding, Waived, failed, passed, undecided, until_first_failure, waived
from warily.errors import FormatError
from warily.formats.snp_report import ECDSA_P384_SHA384, SIGNED_SIZE, SigningKey, Tcb
from warily.formats.x509 import RevocationList, common_name
from warily.verify import x509
from warily.verify.snp.chain import Case, is_intermediate
from warily.verify.snp.leaf import KIND_OF, LeafKind, leaf_kind
from warily.verify.snp.products import by_cpuid

Check = Callable[[Case], Finding]

NO_CRL: Final = Waived("no revocation list was given, so revocation was not judged")
_BY: Final = "an RSA-PSS signature (SHA-384, salt 48) by"
_ALGORITHM: Final = ec.ECDSA(SHA384())
_KEY_NAMES: Final = {key: key.name for key in SigningKey}


def report_names_the_offered_key(case: Case) -> Finding:
    """The report is signed, and a certificate of the kind of key that signed it (VCEK or VLEK) is at hand."""
    check = "snp.signing-key"
    key = case.report.signing_key
    if key not in KIND_OF:
        return failed(check, expected="a VCEK or a VLEK", found="none: the report says that it is not signed")
    if case.leaf is not None:
        return passed(check, _KEY_NAMES[key])
    kind = KIND_OF[key]
    others = [certificate.name for certificate in case.offered if leaf_kind(certificate) is not None]
    if others:
        return failed(check, expected=kind.value, found=others[0], hint=_leaf_hint(case))
    return undecided(check, missing=f"the {key.name} certificate", hint=_leaf_hint(case))


def _leaf_hint(case: Case) -> str:
    """Where the leaf certificate is to be had."""
    report = case.report
    if report.signing_key is SigningKey.VLEK:
        return "the VLEK certificate comes with the extended report: pass it with --collateral"
    product = by_cpuid(report)
    if product is None or not any(report.chip_id):
        return "pass the VCEK certificate of this chip and TCB with --collateral"
    try:
        return f"get {product.vcek_address(report)} and pass it with --collateral"
    except FormatError:
        return "pass the VCEK certificate of this chip and TCB with --collateral"


def root_is_trusted(case: Case) -> Finding:
    """The chain ends at a pinned AMD root key (ARK), or at a rehearsal root that the expectation names."""
    check = "snp.chain.root"
    if case.root is None:
        wanted = case.intermediate.name if case.intermediate else "this product"
        return undecided(
            check, missing=f"the ARK above {wanted}", hint="pass AMD's certificate chain with --collateral"
        )
    expected = "AMD's root key, or a rehearsal root that the expectation names"
    anchor = case.anchor
    if anchor is None:
        found = f"{case.root.name}, sha256 {x509.fingerprint(case.root).hex()}"
        return failed(
            check, expected=expected, found=found, hint="a name proves nothing: this key is nobody's we trust"
        )
    if not x509.is_signed_by(case.root, case.root):
        return failed(check, expected=f"{case.root.name} signed by itself", found="another signature")
    return passed(check, anchor.name)


def intermediate_is_signed(case: Case) -> Finding:
    """The intermediate is signed by the root, and is of the right kind: ASK for a VCEK, ASVK for a VLEK."""
    check = "snp.chain.intermediate"
    if case.leaf is None or case.root is None:
        return undecided(check, missing="the chain")
    if case.intermediate is None:
        wanted = common_name(case.leaf.certificate.issuer)
        others = [certificate.name for certificate in case.offered if is_intermediate(certificate)]
        if others:
            return failed(check, expected=wanted, found=", ".join(others)[:200])
        return undecided(check, missing=wanted, hint="pass AMD's certificate chain with --collateral")
    signs_vleks = case.intermediate.name.startswith("SEV-VLEK")
    if signs_vleks is not (case.leaf.kind is LeafKind.VLEK):
        return failed(check, expected=f"the authority for a {case.leaf.kind}", found=case.intermediate.name)
    if not x509.is_signed_by(case.intermediate, case.root):
        return failed(check, expected=f"{_BY} {case.root.name}", found="another signature")
    return passed(check, case.intermediate.name)


def leaf_is_signed(case: Case) -> Finding:
    """The leaf is signed by the intermediate with RSA-PSS, SHA-384, salt 48."""
    check = "snp.chain.leaf"
    leaf, intermediate, _ = case.chain()
    if not x509.is_signed_by(leaf.certificate, intermediate):
        return failed(check, expected=f"{_BY} {intermediate.name}", found="another signature")
    return passed(check, f"{leaf.kind} {leaf.product_name}")


def chain_is_in_date(case: Case) -> Finding:
    """Leaf, intermediate and root are valid at the given time."""
    check = "snp.chain.dates"
    leaf, intermediate, root = case.chain()
    for certificate in (leaf.certificate, intermediate, root):
        if not certificate.not_before <= case.at <= certificate.not_after:
            return failed(
                check,
                expected=f"{certificate.name} valid at {case.at:%Y-%m-%d}",
                found=f"valid {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}",
                hint="pass --at to judge old evidence at its own time",
            )
    return passed(check, _until(leaf.certificate.not_after))


@lru_cache(maxsize=x509.REMEMBERED)
def _until(end: datetime) -> str:
    return f"until {end.date()}"


def chain_is_not_revoked(case: Case) -> Finding:
    """No certificate of the chain is named by a revocation list that the root signed; a list given is in date."""
    check = "snp.chain.revoked"
    leaf, intermediate, root = case.chain()
    if not case.crls:
        return waived(check, NO_CRL)
    current = False
    for crl in case.crls:
        if crl.issuer != root.subject:
            continue
        if not x509.is_signed_by(crl, root):
            return failed(check, expected=f"a revocation list signed by {root.name}", found="another signature")
        for certificate in (leaf.certificate, intermediate, root):
            if certificate.serial in crl.serials:
                found = f"{certificate.name}, serial {certificate.serial:#x}, is revoked"
                return failed(check, expected="no certificate of the chain on the list", found=found)
        current |= _covers(crl, case)
    if not current:
        hint = "get the current list from AMD's key service, or pass --at for old evidence"
        return undecided(check, missing=f"a revocation list of {root.name} in date at {case.at:%Y-%m-%d}", hint=hint)
    return passed(check)


def _covers(crl: RevocationList, case: Case) -> bool:
    return crl.this_update <= case.at and crl.next_update is not None and case.at <= crl.next_update


def signature_verifies(case: Case) -> Finding:
    """The report's first 0x2A0 bytes, as received, carry an ECDSA P-384 SHA-384 signature by the leaf's key."""
    check = "snp.signature"
    leaf, _, _ = case.chain()
    report = case.report
    if report.signature_algorithm != ECDSA_P384_SHA384:
        return failed(check, expected="algorithm 1, ECDSA P-384", found=f"algorithm {report.signature_algorithm}")
    key = x509.p384_key(leaf.certificate.public_key)
    if key is None:
        return failed(check, expected="a P-384 key in the leaf", found="another key")
    r = int.from_bytes(report.signature_r, "little")
    s = int.from_bytes(report.signature_s, "little")
    try:
        key.verify(encode_dss_signature(r, s), case.raw[:SIGNED_SIZE], _ALGORITHM)
    except InvalidSignature:
        hint = "the report was changed, or this is the certificate of another chip or TCB"
        return failed(check, expected=f"a signature by this {leaf.kind}", found="one that does not verify", hint=hint)
    return passed(check)


def product_agrees(case: Case) -> Finding:
    """The product is known, and leaf, root and the report's CPUID name the same one."""
    check = "snp.product"
    leaf, _, root = case.chain()
    product = case.product
    if product is None:
        hint = "a newer warily may know it"
        return failed(check, expected="a known product", found=leaf.product_name, hint=hint)
    if case.anchor is not None and case.anchor.product not in (None, product):
        return failed(check, expected=root.name, found=leaf.product_name)
    if case.report.has_cpuid and by_cpuid(case.report) is not product:
        found = f"family {case.report.cpuid_family:#x}, model {case.report.cpuid_model:#x}"
        return failed(check, expected=f"a processor of the {product.kds} family", found=found)
    return passed(check, product.kds)


def tcb_versions_are_well_formed(case: Case) -> Finding:
    """Current, reported, committed and launch TCB follow the product's layout: reserved bytes are zero."""
    check = "snp.tcb.layout"
    report, product = case.report, case.product
    if product is None:
        return undecided(check, missing="the product")
    values = (report.reported_tcb, report.current_tcb, report.committed_tcb, report.launch_tcb)
    for value in dict.fromkeys(values):  # most often one
        try:
            Tcb.decode(value, product.tcb)
        except FormatError:
            return failed(check, expected=f"the {product.tcb} layout of {product.kds}", found=f"{value:016x}")
    return passed(check, str(product.tcb))


def reported_tcb_is_the_keys(case: Case) -> Finding:
    """REPORTED_TCB is the TCB version that the leaf certificate names: the one its key is derived from."""
    check = "snp.tcb.bound"
    leaf, _, _ = case.chain()
    certified = leaf.tcb(case.product.tcb) if case.product else None
    if certified is None:
        return failed(check, expected="a leaf that names every patch level of its product", found="levels missing")
    if certified != case.report.reported_tcb:
        return failed(check, expected=f"{certified:016x}", found=f"{case.report.reported_tcb:016x}")
    return passed(check, f"{certified:016x}")


def chip_is_the_keys(case: Case) -> Finding:
    """CHIP_ID is the chip of the VCEK; it is zero with a VLEK, which names no chip, and with MASK_CHIP_KEY."""
    check = "snp.chip.bound"
    leaf, _, _ = case.chain()
    chip = case.report.chip_id
    if leaf.kind is LeafKind.VLEK or case.report.masks_chip_key:
        why = "a VLEK names no chip" if leaf.kind is LeafKind.VLEK else "MASK_CHIP_KEY is set"
        if any(chip):
            return failed(check, expected=f"zero: {why}", found=f"{chip.hex()[:16]}…")
        return passed(check, why)
    size = case.product.chip_id if case.product else len(chip)
    if leaf.hardware_id is None or len(leaf.hardware_id) != size:
        return failed(check, expected=f"a VCEK with a hwID of {size} bytes", found="none of that length")
    if chip != leaf.hardware_id.ljust(len(chip), b"\x00"):
        return failed(check, expected=f"{leaf.hardware_id.hex()[:16]}…", found=f"{chip.hex()[:16]}…")
    return passed(check, f"{chip.hex()[:16]}…")


# The definition of "genuine", in this order. The reference page is generated from the table.
CHECKS: Final[dict[str, Check]] = {
    "snp.signing-key": report_names_the_offered_key,
    "snp.chain.root": root_is_trusted,
    "snp.chain.intermediate": intermediate_is_signed,
    "snp.chain.leaf": leaf_is_signed,
    "snp.chain.dates": chain_is_in_date,
    "snp.chain.revoked": chain_is_not_revoked,
    "snp.signature": signature_verifies,
    "snp.product": product_agrees,
    "snp.tcb.layout": tcb_versions_are_well_formed,
    "snp.tcb.bound": reported_tcb_is_the_keys,
    "snp.chip.bound": chip_is_the_keys,
}


def authentic(case: Case) -> tuple[Finding, ...]:
    """One finding for every check: up to the first that is neither passed nor waived, then `NOT_REACHED`."""
    return until_first_failure(CHECKS, case)
