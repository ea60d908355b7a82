"""Is the conversation genuine: an ordered table of checks that stops at the first one which does not pass.

The signature comes before the root: no maker's root is built in, and what was changed should be called so even where
nobody said whom to trust.
"""

from collections.abc import Callable
from typing import Final

from warily.core.finding import Finding, Waived, failed, passed, undecided, until_first_failure, waived
from warily.formats.x509 import common_name
from warily.verify import certificate_path, x509
from warily.verify.revocation import not_revoked
from warily.verify.spdm import signature
from warily.verify.spdm.case import Case, hash_of

Check = Callable[[Case], Finding]

_OLD: Final = "pass --at to judge old evidence at its own time"
_UNASKED: Final = Waived("the conversation did not ask for digests")


def version_is_offered(case: Case) -> Finding:
    """The version that is spoken is one that the device offered."""
    check = "spdm.version"
    spoken, offered = case.transcript.algorithms.version, case.transcript.versions
    found = f"{spoken >> 4}.{spoken & 0xF}"
    if spoken not in offered:
        return failed(check, expected="a version that the device offers", found=found)
    return passed(check, found=found)


def leaf_is_there(case: Case) -> Finding:
    """The certificate chain of the slot that signed is in the conversation, or the device's certificate beside it."""
    check = "spdm.chain.leaf"
    if not case.path:
        hint = "record GET_CERTIFICATE as well, or pass the device's chain with --collateral"
        return undecided(check, missing=f"the certificate chain of slot {case.slot}", hint=hint)
    if not certificate_path.may(case.leaf, certificate_path.DIGITAL_SIGNATURE):
        return failed(check, expected="a certificate whose key may sign", found=f"{case.leaf.name} may not")
    return passed(check, found=case.leaf.name)


def digests_agree(case: Case) -> Finding:
    """The chain is the one whose digest the device gave, and its root the one whose hash stands before it."""
    check = "spdm.chain.digest"
    if case.chain is None:
        return waived(check, Waived("the device's certificate was passed beside the conversation"))
    given = case.transcript.digests.get(case.slot)
    if given is not None and given != hash_of(case, case.chain.encode()):
        return failed(check, expected=f"a chain of digest {given.hex()[:16]}…", found="another chain")
    top = case.path[-1]
    if certificate_path.is_self_issued(top) and case.chain.root_hash != hash_of(case, top.raw):
        return failed(check, expected=f"a root of hash {case.chain.root_hash.hex()[:16]}…", found=top.name)
    return waived(check, _UNASKED) if given is None else passed(check, found=f"{given.hex()[:16]}…")


def links_are_signed(case: Case) -> Finding:
    """Each certificate from the leaf up to a root is signed by the next, which may certify that deep."""
    check = "spdm.chain.links"
    broken = certificate_path.broken_link(case.path)
    if broken is not None:
        return failed(check, expected="every certificate signed by an authority above it", found=broken)
    top = case.path[-1]
    if not certificate_path.is_self_issued(top):
        return undecided(check, missing=f"the authority {common_name(top.issuer)}", hint="pass it with --collateral")
    return passed(check, found=f"{len(case.path) - 1} above {case.leaf.name}")


def chain_is_in_date(case: Case) -> Finding:
    """Every certificate of the chain is valid at the given time."""
    check = "spdm.chain.dates"
    late = certificate_path.out_of_date(case.path, case.at)
    if late is not None:
        found = f"valid {late.not_before:%Y-%m-%d} to {late.not_after:%Y-%m-%d}"
        return failed(check, expected=f"{late.name} valid at {case.at:%Y-%m-%d}", found=found, hint=_OLD)
    return passed(check, found=f"until {min(entry.not_after for entry in case.path):%Y-%m-%d}")


def chain_is_not_revoked(case: Case) -> Finding:
    """No certificate of the chain is revoked, by OCSP answers and lists that were given."""
    return not_revoked("spdm.chain.revoked", case.path, case.said, allow_hold=False, at=case.at)


def signature_verifies(case: Case) -> Finding:
    """The agreement and the measurements, as received, carry a signature by the leaf's key, as their version says."""
    check = "spdm.signature"
    if not signature.verifies(case):
        return failed(
            check,
            expected=f"a signature by {case.leaf.name}, with the algorithms agreed on",
            found="one that does not verify",
            hint="the recording was changed, or algorithms were agreed on that are not supported",
        )
    return passed(check)


def slot_is_the_one(case: Case) -> Finding:
    """The response is for the slot that the request named."""
    check = "spdm.slot"
    answered = case.transcript.measured.last.slot
    if answered != case.slot:
        return failed(check, expected=f"slot {case.slot}", found=f"slot {answered}")
    return passed(check, found=f"slot {answered}")


def root_is_trusted(case: Case) -> Finding:
    """The chain ends at a maker's root that the expectation names; none is built in."""
    check = "spdm.chain.root"
    top = case.path[-1]
    named = case.anchor
    if named is not None:
        return passed(check, found=named.name)
    found = f"{top.name}, sha256 {x509.fingerprint(top).hex()}"
    if case.authorities or case.rehearsal_roots:
        return failed(check, expected="a root that the expectation names", found=found)
    hint = f"if you trust {found}, name it with --authority, or in an expectation"
    return undecided(check, missing="the root of the device's maker that you trust", hint=hint)


# The definition of "genuine", in this order. The reference page is generated from the table.
CHECKS: Final[dict[str, Check]] = {
    "spdm.version": version_is_offered,
    "spdm.chain.leaf": leaf_is_there,
    "spdm.chain.digest": digests_agree,
    "spdm.chain.links": links_are_signed,
    "spdm.chain.dates": chain_is_in_date,
    "spdm.chain.revoked": chain_is_not_revoked,
    "spdm.signature": signature_verifies,
    "spdm.slot": slot_is_the_one,
    "spdm.chain.root": root_is_trusted,
}


def authentic(case: Case) -> tuple[Finding, ...]:
    """One finding for every check: up to the first that is neither passed nor waived, then `NOT_REACHED`."""
    return until_first_failure(CHECKS, case)
