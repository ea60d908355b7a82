"""Is the report genuine: an ordered table of checks that stops at the first one which does not pass.

Formats come first: a malformed report, certificate or manifest is a `FormatError`, not a finding.
"""

from collections.abc import Callable
from typing import Final

from warily.core.finding import Finding, Waived, failed, passed, undecided, until_first_failure, waived
from warily.formats import dice, spdm
from warily.formats.nvidia_report import Field
from warily.formats.x509 import common_name
from warily.verify import certificate_path, x509
from warily.verify.nvidia import chain
from warily.verify.nvidia.case import Case
from warily.verify.revocation import not_revoked

Check = Callable[[Case], Finding]

_OLD: Final = "pass --at to judge old evidence at its own time"
_CHAIN_HINT: Final = "pass the device's certificate chain (PEM) with --collateral"
_NOT_REPEATED: Final = Waived("the report does not repeat the firmware id: its key is derived from the one in the leaf")
# The names that NVIDIA's tools write, and how the chips of each begin; a name that is not here is not compared.
_ARCHITECTURES: Final = {"HOPPER": "GH", "BLACKWELL": "GB", "LS10": "LS", "RUBIN": "GR"}


def leaf_is_there(case: Case) -> Finding:
    """The certificate of the device itself, not only of authorities above it, is at hand."""
    check = "nvidia.chain.leaf"
    if case.path:
        return passed(check, found=case.leaf.name)
    if case.offered:
        found = ", ".join(entry.name for entry in case.offered[:4])
        return failed(check, expected="the certificate of a device", found=f"authorities alone: {found}")
    return undecided(check, missing="the certificate chain of the device", hint=_CHAIN_HINT)


def links_are_signed(case: Case) -> Finding:
    """Each certificate from the leaf up to a root is signed by the next, which may certify that deep."""
    check = "nvidia.chain.links"
    top = case.path[-1]
    broken = certificate_path.broken_link(case.path)
    if broken is not None:
        return failed(check, expected="every certificate signed by an authority above it", found=broken)
    if not certificate_path.is_self_issued(top):
        wanted = common_name(top.issuer)
        others = [entry.name for entry in case.offered if entry.is_authority and entry not in case.path]
        if others:
            return failed(check, expected=f"the authority {wanted}", found=", ".join(others[:4]))
        return undecided(check, missing=f"the authority {wanted}", hint=_CHAIN_HINT)
    return passed(check, found=f"{len(case.path) - 1} above {case.leaf.name}")


def root_is_trusted(case: Case) -> Finding:
    """The chain ends at NVIDIA's pinned root over devices, or at a rehearsal root that the expectation names."""
    check = "nvidia.chain.root"
    anchor = case.anchor
    if anchor is None:
        top = case.path[-1]
        found = f"{top.name}, sha256 {x509.fingerprint(top).hex()}"
        return failed(
            check,
            expected="NVIDIA's root over devices, or one that the expectation names",
            found=found,
            hint="a name proves nothing: this key is nobody's we trust",
        )
    return passed(check, found=anchor.name)


def chain_is_in_date(case: Case) -> Finding:
    """Every certificate of the device's chain is valid at the given time."""
    check = "nvidia.chain.dates"
    late = certificate_path.out_of_date(case.path, case.at)
    if late is not None:
        found = f"valid {late.not_before:%Y-%m-%d} to {late.not_after:%Y-%m-%d}"
        return failed(check, expected=f"{late.name} valid at {case.at:%Y-%m-%d}", found=found, hint=_OLD)
    return passed(check, found=f"until {min(entry.not_after for entry in case.path):%Y-%m-%d}")


def chain_is_not_revoked(case: Case) -> Finding:
    """No certificate of the device's chain is revoked, by OCSP answers and lists that were given."""
    return not_revoked("nvidia.chain.revoked", case.path, case.said, allow_hold=case.certificate_hold, at=case.at)


def signature_verifies(case: Case) -> Finding:
    """Request and response, as received, carry an ECDSA P-384 SHA-384 signature of 96 bytes by the leaf's key."""
    check = "nvidia.signature"
    if not chain.raw_verifies(case.leaf, case.report.response.signature, case.report.signed):
        return failed(
            check,
            expected=f"a signature by {case.leaf.name}",
            found="one that does not verify",
            hint="the report was changed, or these are the certificates of another device",
        )
    return passed(check)


def request_asks_for_all(case: Case) -> Finding:
    """The request asks for every measurement, signed, and the response has the blocks of one whole record."""
    check = "nvidia.request"
    request, blocks = case.report.request, case.report.response.blocks
    if (
        not request.signed
        or request.operation != spdm.ALL_MEASUREMENTS
        or request.version != case.report.response.version
    ):
        found = f"version {request.version:#x}, attributes {request.attributes:#x}, operation {request.operation:#x}"
        return failed(check, expected="GET_MEASUREMENTS for all, with a signature", found=found)
    if sorted(block.index for block in blocks) != list(range(1, len(blocks) + 1)) or not blocks:
        return failed(check, expected="blocks from 1 on without a gap", found=f"{len(blocks)} blocks")
    return passed(check, found=f"{len(blocks)} measurements")


def firmware_is_the_keys(case: Case) -> Finding:
    """The firmware id in the report is one of those in the leaf, whose key is derived from it."""
    check = "nvidia.firmware-id"
    said = case.report.fields.get(Field.FWID)
    if said is None:
        return waived(check, _NOT_REPEATED)
    firmware = case.firmware
    known = [digest for oid, digest in firmware.ids if oid == dice.SHA384 and any(digest)] if firmware else []
    if said not in known:
        expected = ", ".join(f"{digest.hex()[:16]}…" for digest in known[:4]) or "a firmware id in the leaf"
        return failed(check, expected=expected, found=f"{said.hex()[:16]}…")
    return passed(check, found=f"{said.hex()[:16]}…")


def envelope_agrees(case: Case) -> Finding:
    """What the file says beside the report (nonce, architecture, versions) is what the report and its leaf say."""
    check = "nvidia.envelope"
    device, report = case.device, case.report
    family = _ARCHITECTURES.get((device.arch or "").upper())
    pairs = (
        ("nonce", device.nonce and device.nonce.hex(), report.request.nonce.hex()),
        ("architecture", family, case.model[:2]),
        ("driver", device.driver_version, report.driver_version),
        ("VBIOS", device.vbios_version and device.vbios_version.upper(), report.vbios_version),
    )
    for name, beside, signed in pairs:
        if beside and beside != signed:
            return failed(check, expected=f"{name} {signed}", found=f"{name} {beside}"[:200])
    return passed(check, found=", ".join(name for name, beside, _ in pairs if beside) or "nothing beside it")


# The definition of "genuine", in this order. The reference page is generated from the table.
CHECKS: Final[dict[str, Check]] = {
    "nvidia.chain.leaf": leaf_is_there,
    "nvidia.chain.links": links_are_signed,
    "nvidia.chain.root": root_is_trusted,
    "nvidia.chain.dates": chain_is_in_date,
    "nvidia.chain.revoked": chain_is_not_revoked,
    "nvidia.signature": signature_verifies,
    "nvidia.request": request_asks_for_all,
    "nvidia.firmware-id": firmware_is_the_keys,
    "nvidia.envelope": envelope_agrees,
}


def authentic(case: Case) -> tuple[Finding, ...]:
    """One finding for every check: up to the first that is neither passed nor waived, then `NOT_REACHED`."""
    return until_first_failure(CHECKS, case)
