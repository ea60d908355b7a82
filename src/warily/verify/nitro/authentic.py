"""Is the document genuine: an ordered table of checks that stops at the first one which does not pass.

Formats come first: a malformed document or certificate is a `FormatError`, not a finding.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from warily.core.finding import Finding, failed, passed, until_first_failure
from warily.formats.cose_sign1 import ES384
from warily.verify import x509
from warily.verify.nitro.chain import Case, is_signed_by, path_is_allowed

Check = Callable[[Case], Finding]

SKEW: Final = timedelta(minutes=5)  # how far the clocks of hypervisor and verifier may differ
_WIDTH: Final = 48
_OLD: Final = "pass --at to judge an old document at its own time"


def algorithm_is_protected(case: Case) -> Finding:
    """The protected header, which the signature covers, names ES384."""
    check = "nitro.algorithm"
    named = case.message.algorithm
    if named != ES384:
        found = "none" if named is None else f"algorithm {named}"
        return failed(check, expected=f"ES384 ({ES384}) in the protected header", found=found)
    return passed(check, found="ES384")


def root_is_trusted(case: Case) -> Finding:
    """The bundle begins with Amazon's pinned root, or with a rehearsal root that the expectation names."""
    check = "nitro.chain.root"
    anchor = case.anchor
    if anchor is None:
        root = case.chain[0]
        found = f"{root.name}, sha256 {x509.fingerprint(root).hex()}"
        hint = "the root comes first; a name proves nothing"
        return failed(check, expected="Amazon's root, or one that the expectation names", found=found, hint=hint)
    return passed(check, found=anchor.name)


def links_are_signed(case: Case) -> Finding:
    """Each certificate is signed (ECDSA P-384, SHA-384) by the authority before it, within its path length."""
    check = "nitro.chain.links"
    root, *rest = case.chain
    for issuer, child in zip(case.chain, rest, strict=False):
        if not is_signed_by(child, issuer):
            return failed(check, expected=f"{child.name} signed by {issuer.name}", found="another signature")
    if not path_is_allowed(case.chain):
        return failed(check, expected="no more authorities than each allows below it", found=f"{len(rest)} below")
    return passed(check, found=f"{len(rest)} below {root.name}")


def chain_is_in_date(case: Case) -> Finding:
    """Every certificate is valid at the given time; that of an enclave lives for three hours."""
    check = "nitro.chain.dates"
    for certificate in case.chain:
        if not x509.is_valid_at(certificate, case.at):
            return failed(
                check,
                expected=f"{certificate.name} valid at {case.at:%Y-%m-%d %H:%M:%S}",
                found=f"valid {certificate.not_before:%Y-%m-%d %H:%M:%S} to {certificate.not_after:%Y-%m-%d %H:%M:%S}",
                hint=_OLD,
            )
    return passed(check, found=f"until {min(entry.not_after for entry in case.chain):%Y-%m-%d %H:%M:%S}")


def signature_verifies(case: Case) -> Finding:
    """The message, as received, carries an ECDSA P-384 SHA-384 signature of 96 bytes by the leaf's key."""
    check = "nitro.signature"
    key = x509.p384_key(case.chain[-1].public_key)
    if key is None:
        return failed(check, expected="a P-384 key in the leaf", found="another key")
    signature = case.message.signature
    if len(signature) != 2 * _WIDTH:
        return failed(check, expected=f"{2 * _WIDTH} bytes, R and S", found=f"{len(signature)} bytes")
    r, s = (int.from_bytes(part, "big") for part in (signature[:_WIDTH], signature[_WIDTH:]))
    try:
        key.verify(encode_dss_signature(r, s), case.message.signed_bytes(), ec.ECDSA(SHA384()))
    except InvalidSignature:
        return failed(
            check,
            expected=f"a signature by {case.chain[-1].name}",
            found="one that does not verify",
            hint="the document was changed",
        )
    return passed(check)


def timestamp_is_plausible(case: Case) -> Finding:
    """The document was made while its leaf certificate was valid, and not after the given time."""
    check = "nitro.timestamp"
    leaf = case.chain[-1]
    found = f"{case.made_at:%Y-%m-%d %H:%M:%S}"
    if not leaf.not_before - SKEW <= case.made_at <= leaf.not_after + SKEW:
        expected = f"within {leaf.not_before:%Y-%m-%d %H:%M:%S} to {leaf.not_after:%Y-%m-%d %H:%M:%S}"
        return failed(check, expected=expected, found=found)
    if case.made_at > case.at + SKEW:
        return failed(check, expected=f"not after {case.at:%Y-%m-%d %H:%M:%S}", found=found)
    return passed(check, found=found)


# The definition of "genuine", in this order. The reference page is generated from the table.
CHECKS: Final[dict[str, Check]] = {
    "nitro.algorithm": algorithm_is_protected,
    "nitro.chain.root": root_is_trusted,
    "nitro.chain.links": links_are_signed,
    "nitro.chain.dates": chain_is_in_date,
    "nitro.signature": signature_verifies,
    "nitro.timestamp": timestamp_is_plausible,
}


def authentic(case: Case) -> tuple[Finding, ...]:
    """One finding for every check: up to the first that is neither passed nor waived, then `NOT_REACHED`."""
    return until_first_failure(CHECKS, case)
