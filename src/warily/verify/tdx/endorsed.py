"""What Intel says about the platform: TCB info, QE identity, revocation lists; and that the quote's platform fits.

Missing collateral leaves a check undecided. Collateral that is there and out of date at the given time fails it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import and_
from typing import Final

from warily.core.finding import Finding, failed, passed, undecided
from warily.formats.intel_collateral import Statement
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.tdx import p256
from warily.verify.tdx.case import Case
from warily.verify.tdx.roots import certificate_of
from warily.verify.tdx.tcb import TcbStatus, module_of

SIGNING_NAME: Final = "Intel SGX TCB Signing"
_AT_ITS_TIME: Final = "pass --at to judge old evidence at its own time, or get collateral of today"
_FETCH: Final = "`warily fetch` gets it from Intel's provisioning service for FMSPC {}; pass it with --collateral"


def out_of_date(check: str, certificate: Certificate, case: Case) -> Finding | None:
    """The failure of a certificate that is not valid at the given time; None where it is."""
    if x509.is_valid_at(certificate, case.at):
        return None
    return failed(
        check,
        expected=f"{certificate.name} valid at {case.at:%Y-%m-%d}",
        found=f"valid {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}",
        hint=_AT_ITS_TIME,
    )


def tcb_info_issuer_is_intel(case: Case) -> Finding:
    """TCB info is at hand, and its signer is a TCB signing certificate by the same root, in date."""
    return _issuer("tdx.tcb-info.issuer", case.tcb_statement, "TCB info", case)


def tcb_info_is_signed(case: Case) -> Finding:
    """TCB info, in the exact bytes received, carries its issuer's signature."""
    return _signed("tdx.tcb-info.signature", case.tcb_statement, case)


def tcb_info_is_for_the_platform(case: Case) -> Finding:
    """TCB info is for this technology, and for the platform model (FMSPC, PCEID) that the PCK certificate names."""
    check = "tdx.tcb-info.platform"
    info, pck = case.tcb_info, case.pck
    if info is None or pck is None:
        return undecided(check, missing="TCB info")
    wanted = ("TDX" if case.is_td else "SGX", pck.fmspc.hex(), pck.pceid.hex())
    found = (info.id, info.fmspc.hex(), info.pceid.hex())
    if wanted != found:
        hint = _FETCH.format(pck.fmspc.hex())
        return failed(check, expected=_platform(*wanted), found=_platform(*found), hint=hint)
    return passed(check, found=_platform(*found))


def _platform(technology: str, fmspc: str, pceid: str) -> str:
    return f"{technology}, FMSPC {fmspc}, PCEID {pceid}"


def tcb_info_is_in_date(case: Case) -> Finding:
    """The given time lies between TCB info's issue and its next update."""
    info = case.tcb_info
    dates = None if info is None else (info.issued, info.next_update)
    return _in_date("tdx.tcb-info.dates", "TCB info", dates, case.at)


def qe_identity_issuer_is_intel(case: Case) -> Finding:
    """QE identity is at hand, and its signer is a TCB signing certificate by the same root, in date."""
    return _issuer("tdx.qe-identity.issuer", case.qe_statement, "QE identity", case)


def qe_identity_is_signed(case: Case) -> Finding:
    """QE identity, in the exact bytes received, carries its issuer's signature."""
    return _signed("tdx.qe-identity.signature", case.qe_statement, case)


def qe_identity_is_in_date(case: Case) -> Finding:
    """The given time lies between QE identity's issue and its next update."""
    one = case.qe_identity
    dates = None if one is None else (one.issued, one.next_update)
    return _in_date("tdx.qe-identity.dates", "QE identity", dates, case.at)


def root_list_is_good(case: Case) -> Finding:
    """A revocation list of the root is at hand, signed by it, and in date."""
    return _list_is_good("tdx.crl.root", case.root_crls, case.parties()[2], case.at)


def pck_list_is_good(case: Case) -> Finding:
    """A revocation list of the PCK certificate's authority is at hand, signed by it, and in date."""
    return _list_is_good("tdx.crl.pck", case.pck_crls, case.parties()[1], case.at)


def nothing_is_revoked(case: Case) -> Finding:
    """No certificate of the chain, and no TCB signing certificate used, is on its issuer's revocation list."""
    check = "tdx.revoked"
    leaf, authority, root = case.parties()
    signers = [_signer(one, case) for one in (case.tcb_statement, case.qe_statement) if one is not None]
    by_root = [authority, root, *(one for one in signers if one is not None)]
    for lists, issued in ((case.pck_crls, [leaf]), (case.root_crls, by_root)):
        for certificate in issued:
            if any(one.issuer == certificate.issuer and certificate.serial in one.serials for one in lists):
                found = f"{certificate.name}, serial {certificate.serial:#x}, is revoked"
                return failed(check, expected="no certificate on a revocation list", found=found)
    return passed(check)


def enclave_is_the_identified(case: Case) -> Finding:
    """The quoting enclave is the one of QE identity: technology, MISCSELECT, attributes, signer and product."""
    check = "tdx.qe.identity"
    identity, report = case.qe_identity, case.quote.qe_report
    if identity is None:
        return undecided(check, missing="QE identity")
    attributes = bytes(map(and_, report.attributes, identity.attributes_mask))
    compared = (
        ("identity", identity.id, "TD_QE" if case.is_td else "QE"),
        ("MISCSELECT", identity.miscselect, report.miscselect & identity.miscselect_mask),
        ("attributes", identity.attributes.hex(), attributes.hex()),
        ("MRSIGNER", identity.mrsigner.hex(), report.mrsigner.hex()),
        ("ISV product ID", identity.isvprodid, report.isvprodid),
    )
    for what, wanted, found in compared:
        if wanted != found:
            return failed(check, expected=f"{what} {wanted}", found=str(found))
    return passed(check)


def module_is_the_identified(case: Case) -> Finding:
    """The TDX module is signed by whom TCB info says, and its attributes are zero."""
    check = "tdx.module"
    td, info = case.quote.td, case.tcb_info
    if td is None:
        return passed(check, found="an SGX enclave has none")
    if info is None:
        return undecided(check, missing="TCB info")
    version = td.tee_tcb_svn[1]
    identified = module_of(info, version)
    if identified is None:
        return failed(check, expected=f"TCB info that knows TDX_{version:02X}", found="no identity of that module")
    if td.mrsignerseam != identified.mrsigner:
        return failed(check, expected=f"MRSIGNERSEAM {identified.mrsigner.hex()}", found=td.mrsignerseam.hex())
    if td.seam_attributes or identified.attributes:
        found = f"{td.seam_attributes:#x}, {identified.attributes:#x} in TCB info"
        return failed(check, expected="SEAMATTRIBUTES of zero", found=found)
    return passed(check, found=f"version {version}, SVN {td.tee_tcb_svn[0]}")


def level_is_known(case: Case) -> Finding:
    """Platform, TDX module and quoting enclave each match a level of the collateral."""
    check = "tdx.tcb.level"
    verdict = case.verdict
    if verdict.status is None:
        hint = "such a platform is older than anything that Intel still describes"
        return failed(check, expected="a TCB level for every part", found=verdict.unmatched, hint=hint)
    return passed(check, found=", ".join(f"{part} {status}" for part, status in verdict.parts))


def level_is_not_revoked(case: Case) -> Finding:
    """The level is not revoked: keys of a revoked level may be in anybody's hands."""
    check = "tdx.tcb.revoked"
    verdict = case.verdict
    if verdict.status is TcbStatus.REVOKED:
        return failed(check, expected="a level that is not revoked", found=_listed(verdict.advisories) or "Revoked")
    return passed(check, found=verdict.status.value if verdict.status else "")


CHECKS: Final[dict[str, Callable[[Case], Finding]]] = {
    "tdx.tcb-info.issuer": tcb_info_issuer_is_intel,
    "tdx.tcb-info.signature": tcb_info_is_signed,
    "tdx.tcb-info.platform": tcb_info_is_for_the_platform,
    "tdx.tcb-info.dates": tcb_info_is_in_date,
    "tdx.qe-identity.issuer": qe_identity_issuer_is_intel,
    "tdx.qe-identity.signature": qe_identity_is_signed,
    "tdx.qe-identity.dates": qe_identity_is_in_date,
    "tdx.crl.root": root_list_is_good,
    "tdx.crl.pck": pck_list_is_good,
    "tdx.revoked": nothing_is_revoked,
    "tdx.qe.identity": enclave_is_the_identified,
    "tdx.module": module_is_the_identified,
    "tdx.tcb.level": level_is_known,
    "tdx.tcb.revoked": level_is_not_revoked,
}


def _listed(advisories: Sequence[str]) -> str:
    return ", ".join(advisories)


def _signer(statement: Statement, case: Case) -> Certificate | None:
    """The certificate that is offered as the statement's signer: the first of its own chain, or one by its name."""
    if statement.chain:
        return certificate_of(statement.chain[0])
    named = [one for one in case.certificates if one.name == SIGNING_NAME]
    made = (one for one in named if p256.statement_verified(one.public_key, statement.signature, statement.text))
    return next(made, named[0] if named else None)


def _issuer(check: str, statement: Statement | None, what: str, case: Case) -> Finding:
    pck = case.pck
    hint = _FETCH.format(pck.fmspc.hex()) if pck else ""
    if statement is None:
        return undecided(check, missing=what, hint=hint)
    signer = _signer(statement, case)
    if signer is None:
        return undecided(check, missing=f"the {SIGNING_NAME} certificate of the {what}", hint=hint)
    root = case.parties()[2]
    if signer.name != SIGNING_NAME or signer.is_authority:
        return failed(check, expected=f"the {SIGNING_NAME} certificate", found=signer.name)
    if not p256.is_signed_by(signer, root):
        return failed(check, expected=f"{signer.name} signed by {root.name}", found="another signature")
    return out_of_date(check, signer, case) or passed(check, found=signer.name)


def _signed(check: str, statement: Statement | None, case: Case) -> Finding:
    signer = None if statement is None else _signer(statement, case)
    if statement is None or signer is None:
        return undecided(check, missing="the statement")
    if not p256.statement_verified(signer.public_key, statement.signature, statement.text):
        hint = "its text was changed; even a space counts"
        return failed(check, expected=f"a signature by {signer.name}", found="one that does not verify", hint=hint)
    return passed(check)


def _in_date(check: str, what: str, dates: tuple[datetime, datetime] | None, at: datetime) -> Finding:
    if dates is None:
        return undecided(check, missing=what)
    issued, next_update = dates
    if not issued <= at <= next_update:
        found = f"issued {issued:%Y-%m-%d %H:%M}, next update {next_update:%Y-%m-%d %H:%M}"
        return failed(check, expected=f"{what} in date at {at:%Y-%m-%d %H:%M}", found=found, hint=_AT_ITS_TIME)
    return passed(check, f"until {next_update.date()}")


def _list_is_good(check: str, lists: Sequence[RevocationList], issuer: Certificate, at: datetime) -> Finding:
    if not lists:
        hint = "`warily fetch` gets it from Intel's provisioning service; pass it with --collateral"
        return undecided(check, missing=f"a revocation list of {issuer.name}", hint=hint)
    by_issuer = [one for one in lists if one.issuer == issuer.subject]
    expected = f"a revocation list signed by {issuer.name}"
    if not by_issuer:
        return failed(check, expected=expected, found=f"one of {lists[0].name}")
    if not all(p256.is_signed_by(one, issuer) for one in by_issuer):
        return failed(check, expected=expected, found="another signature")
    newest = max(by_issuer, key=lambda one: one.this_update)
    return _in_date(check, "the revocation list", (newest.this_update, newest.next_update or newest.this_update), at)
