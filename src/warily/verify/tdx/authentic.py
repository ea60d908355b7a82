"""Is the quote genuine: an ordered table of checks that stops at the first one which does not pass.

What the quote itself proves comes first, then what Intel says about its platform (`endorsed.py`). Formats come before
all of it: a malformed quote, certificate or statement is a `FormatError`, not a finding.
"""

import hashlib
from collections.abc import Callable
from typing import Final

from warily.core.finding import Finding, failed, passed, undecided, until_first_failure
from warily.formats.tdx_quote import INTEL, PCK_CHAIN
from warily.verify import x509
from warily.verify.tdx import endorsed, p256
from warily.verify.tdx.case import CHAIN, PCK_NAME, Case

Check = Callable[[Case], Finding]


def chain_is_whole(case: Case) -> Finding:
    """PCK certificate, its authority and the root are there, in this order and nothing else."""
    check = "tdx.chain.shape"
    names = [certificate.name for certificate in case.chain]
    if case.quote.certification_type != PCK_CHAIN and len(names) < CHAIN:
        hint = "get the PCK certificate of this platform and its chain, and pass both with --collateral"
        return undecided(check, missing=f"the {PCK_NAME} of the platform, which this quote only names", hint=hint)
    expected = f"{PCK_NAME}, its authority, the root"
    if len(names) != CHAIN:
        return failed(check, expected=expected, found=", ".join(names)[:300] or "no certificate")
    leaf, authority, root = case.parties()
    fits = (leaf.is_authority, authority.is_authority, root.is_authority) == (False, True, True)
    if not fits or case.pck is None or authority.issuer == authority.subject or root.issuer != root.subject:
        return failed(check, expected=expected, found=", ".join(names)[:300])
    return passed(check)


def root_is_trusted(case: Case) -> Finding:
    """The chain ends at Intel's pinned root key, or at a rehearsal root that the expectation names."""
    check = "tdx.chain.root"
    root = case.chain[-1]
    anchor = case.anchor
    if anchor is None:
        return failed(
            check,
            expected="Intel's root key, or a rehearsal root that the expectation names",
            found=f"{root.name}, sha256 {x509.fingerprint(root).hex()}",
            hint="a name proves nothing: this key is nobody's we trust",
        )
    if not p256.is_signed_by(root, root):
        return failed(check, expected=f"{root.name} signed by itself", found="another signature")
    return passed(check, found=anchor.name)


def authority_is_signed(case: Case) -> Finding:
    """The authority for PCK certificates is signed by the root."""
    check = "tdx.chain.authority"
    _, authority, root = case.parties()
    if not p256.is_signed_by(authority, root):
        return failed(check, expected=f"an ECDSA P-256 signature by {root.name}", found="another signature")
    return passed(check, found=authority.name)


def pck_is_signed(case: Case) -> Finding:
    """The PCK certificate is signed by its authority."""
    check = "tdx.chain.pck"
    leaf, authority, _ = case.parties()
    if not p256.is_signed_by(leaf, authority):
        return failed(check, expected=f"an ECDSA P-256 signature by {authority.name}", found="another signature")
    return passed(check)


def chain_is_in_date(case: Case) -> Finding:
    """PCK certificate, authority and root are valid at the given time."""
    check = "tdx.chain.dates"
    for certificate in case.parties():
        late = endorsed.out_of_date(check, certificate, case)
        if late is not None:
            return late
    return passed(check, f"until {case.chain[0].not_after.date()}")


def qe_report_is_signed(case: Case) -> Finding:
    """The quoting enclave's report, as received, carries a signature by the key of the PCK certificate."""
    check = "tdx.qe.signature"
    quote, public_key = case.quote, case.chain[0].public_key
    if p256.certified_key(public_key) is None:
        return failed(check, expected="a P-256 key in the PCK certificate", found="another key")
    if not p256.report_verified(public_key, quote.qe_report_signature, quote.qe_report_raw):
        return failed(check, expected="a signature by the platform's PCK", found="one that does not verify")
    return passed(check)


def attestation_key_is_bound(case: Case) -> Finding:
    """The quoting enclave's report data is SHA-256 over attestation key and authentication data, then zeros."""
    check = "tdx.qe.binding"
    quote = case.quote
    bound = hashlib.sha256(quote.attestation_key + quote.qe_authentication).digest().ljust(64, b"\x00")
    if quote.qe_report.report_data != bound:
        expected = "the key that the quoting enclave vouches for"
        return failed(check, expected=expected, found="another attestation key, or other authentication data")
    return passed(check)


def signature_verifies(case: Case) -> Finding:
    """Header and body, as received, carry a signature by the attestation key."""
    check = "tdx.signature"
    quote = case.quote
    key = p256.raw_key(quote.attestation_key)
    if key is None:
        return failed(check, expected="an attestation key on P-256", found="no point of that curve")
    if not p256.raw_verifies(key, quote.signature, quote.signed):
        found = "one that does not verify"
        return failed(check, expected="a signature by the attestation key", found=found, hint="the quote was changed")
    return passed(check, found=_extent(case))


def _extent(case: Case) -> str:
    """What the signature covers, and what follows the quote that nothing covers."""
    trailing = case.quote.trailing
    if not trailing:
        return f"over {len(case.quote.signed)} bytes"
    kind = "bytes that are not all zero" if any(trailing) else "zero bytes"
    return f"over {len(case.quote.signed)} bytes; {len(trailing)} {kind} follow the quote, unsigned"


def vendor_is_intel(case: Case) -> Finding:
    """The quoting enclave is Intel's: the rules for its identity are Intel's too."""
    check = "tdx.qe.vendor"
    found = case.quote.header.qe_vendor_id
    if found != INTEL:
        return failed(check, expected=INTEL.hex(), found=found.hex())
    return passed(check)


# The definition of "genuine", in this order. The reference page is generated from the table.
CHECKS: Final[dict[str, Check]] = {
    "tdx.chain.shape": chain_is_whole,
    "tdx.chain.root": root_is_trusted,
    "tdx.chain.authority": authority_is_signed,
    "tdx.chain.pck": pck_is_signed,
    "tdx.chain.dates": chain_is_in_date,
    "tdx.qe.signature": qe_report_is_signed,
    "tdx.qe.binding": attestation_key_is_bound,
    "tdx.signature": signature_verifies,
    "tdx.qe.vendor": vendor_is_intel,
    **endorsed.CHECKS,
}


def authentic(case: Case) -> tuple[Finding, ...]:
    """One finding for every check: up to the first that is neither passed nor waived, then `NOT_REACHED`."""
    return until_first_failure(CHECKS, case)
