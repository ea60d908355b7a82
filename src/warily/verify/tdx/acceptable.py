"""Is the quote what the relying party wants: a table of rules, each over one field of the expectation.

Every rule runs, so that one look shows everything that is wrong. Rules about TDs fail on an SGX enclave's quote,
unless they are waived: an enclave has no MRTD that could be the wanted one.
"""

from collections.abc import Callable
from typing import Final

from warily.core.expect import TdxExpect
from warily.core.finding import Finding, Waived, failed, passed, waived
from warily.formats.pck import PlatformFlag
from warily.formats.sgx_report import EnclaveFlag
from warily.formats.tdx_quote import TD_ATTRIBUTES, UNDER_DEBUG, XFAM_BITS, TdAttribute, TdReport10, Xfam
from warily.verify.advisories import demanded
from warily.verify.comparing import bit_numbers, bits_fit, is_at_least, is_equal, is_one_of
from warily.verify.tdx.case import Case
from warily.verify.tdx.exposure import exposures

Rule = Callable[[Case, TdxExpect], Finding]

UNSAID: Final = b""  # among MRSERVICETDs: a TD 1.0 body, which does not say
_UNPREDICTED: Final = "`warily measure` says what an image should report"


def body_is_wanted(case: Case, want: TdxExpect) -> Finding:
    """The quote is of a TD where the expectation names no SGX enclave, and else of one of those that it names."""
    check = "tdx.enclave"
    enclave = case.quote.enclave
    if isinstance(want.enclaves, Waived):
        return waived(check, want.enclaves)
    if enclave is None and want.enclaves:
        return failed(check, expected=f"one of {len(want.enclaves)} SGX enclaves", found="a TD")
    if enclave is None:
        return passed(check, found="a TD")
    if not want.enclaves:
        return failed(check, expected="a TD", found=f"an SGX enclave, MRENCLAVE {enclave.mrenclave.hex()[:16]}…")
    return is_one_of(check, enclave.mrenclave, want.enclaves)


def nobody_debugs(case: Case, want: TdxExpect) -> Finding:
    """The TD or enclave is not under debug, where anybody on the host may read it."""
    check = "tdx.debug"
    if isinstance(want.debug, Waived):
        return waived(check, want.debug)
    td, enclave = case.quote.td, case.quote.enclave
    found = td is not None and bool(td.td_attributes & UNDER_DEBUG)
    found = found or (enclave is not None and bool(enclave.flags & EnclaveFlag.DEBUG))
    if found and not want.debug:
        return failed(check, expected="no debugging", found="under debug: the host may read and change its memory")
    return passed(check, found="under debug" if found else "")


def status_is_wanted(case: Case, want: TdxExpect) -> Finding:
    """The TCB status that Intel's collateral gives is one of those expected, and its level not older than allowed."""
    check = "tdx.tcb.status"
    verdict = case.verdict
    status, date = verdict.status, verdict.date
    if isinstance(want.statuses, Waived):
        return waived(check, want.statuses)
    found = f"{status} by the level of {date.date()}" if date else "none"
    for rule in want.statuses:
        if status == rule.status and date is not None and (rule.since is None or rule.since <= date.date()):
            return passed(check, found=found)
    listed = [one.status + (f" of {one.since} or later" if one.since else "") for one in want.statuses]
    hint = f"answers to: {', '.join(verdict.advisories)}"[:400] if verdict.advisories else ""
    return failed(check, expected=", ".join(sorted(listed)) or "nothing is on the list", found=found, hint=hint)


def advisories_are_accepted(case: Case, want: TdxExpect) -> Finding:
    """Every security advisory that Intel names for the matched levels is one that may stay open."""
    check = "tdx.advisories"
    if isinstance(want.advisories, Waived):
        return waived(check, want.advisories)
    named = case.verdict.advisories
    beyond = [one for one in named if one not in want.advisories]
    if beyond:
        expected = ", ".join(sorted(want.advisories)) or "none"
        return failed(check, expected=expected[:400], found=", ".join(beyond)[:400])
    return passed(check, found=", ".join(named)[:400])


def attacks_are_excluded(case: Case, want: TdxExpect) -> Finding:
    """Every advisory that must be excluded is: by Intel's statements or the TDX module's version, as the data say."""
    check = "tdx.attacks"
    if isinstance(want.must_exclude, Waived):
        return waived(check, want.must_exclude)
    return demanded(check, exposures(case), want.must_exclude)


def evaluation_is_recent_enough(case: Case, want: TdxExpect) -> Finding:
    """TCB info and QE identity are of at least the expected tcbEvaluationDataNumber: old verdicts are not replayed."""
    numbers = [one.evaluation for one in (case.tcb_info, case.qe_identity) if one is not None]
    return is_at_least("tdx.tcb.evaluation", min(numbers, default=0), want.evaluation)


def attributes_are_wanted(case: Case, want: TdxExpect) -> Finding:
    """TDATTRIBUTES has every required bit and no forbidden one."""
    td = case.quote.td
    check = "tdx.attributes"
    return bits_fit(check, td.td_attributes, want.attributes, TdAttribute) if td else _none(check, want.attributes)


def xfam_is_wanted(case: Case, want: TdxExpect) -> Finding:
    """XFAM has every required bit and no forbidden one."""
    td = case.quote.td
    return bits_fit("tdx.xfam", td.xfam, want.xfam, Xfam) if td else _none("tdx.xfam", want.xfam)


def bits_are_known(case: Case, want: TdxExpect) -> Finding:
    """No bit of TDATTRIBUTES or XFAM is set that this version cannot name, unless those are acceptable."""
    check = "tdx.unknown-bits"
    td = case.quote.td
    if isinstance(want.unknown_bits, Waived):
        return waived(check, want.unknown_bits)
    unknown: list[str] = []
    if td is not None:
        unknown += [f"attribute bit {bit}" for bit in bit_numbers(td.td_attributes & ~TD_ATTRIBUTES)]
        unknown += [f"XFAM bit {bit}" for bit in bit_numbers(td.xfam & ~XFAM_BITS)]
    if unknown and not want.unknown_bits:
        hint = "a newer TDX module says something that this version of warily cannot judge"
        return failed(check, expected="only bits that have a name", found=", ".join(unknown)[:200], hint=hint)
    return passed(check, found=", ".join(unknown)[:200])


def platform_is_configured(case: Case, want: TdxExpect) -> Finding:
    """The platform's configuration, by its PCK certificate, has every required flag and no forbidden one (SMT …)."""
    check = "tdx.platform"
    if isinstance(want.platform, Waived):
        return waived(check, want.platform)
    configuration = case.pck.configuration if case.pck else None
    if configuration is None:
        return failed(check, expected="a platform that says how it is configured", found="one that does not say")
    return bits_fit(check, int(configuration), want.platform, PlatformFlag)


def platform_is_listed(case: Case, want: TdxExpect) -> Finding:
    """The platform, by PPID or platform instance id, is on the list of machines that may run the guest."""
    check = "tdx.platform.listed"
    pck = case.pck
    if isinstance(want.platform_ids, Waived) or pck is None:
        return is_one_of(check, b"", want.platform_ids)
    known = pck.instance_id if pck.instance_id in want.platform_ids else pck.ppid
    return is_one_of(check, known or b"", want.platform_ids)


def svn_is_recent_enough(case: Case, want: TdxExpect) -> Finding:
    """Every component of TEE_TCB_SVN reaches the floor."""
    check = "tdx.svn.tee"
    td = case.quote.td
    if isinstance(want.tee_tcb_svn, Waived):
        return waived(check, want.tee_tcb_svn)
    if td is None:
        return _none(check, None)
    if len(want.tee_tcb_svn) != len(td.tee_tcb_svn) or any(
        have < need for have, need in zip(td.tee_tcb_svn, want.tee_tcb_svn, strict=True)
    ):
        return failed(check, expected=f"at least {want.tee_tcb_svn.hex()}", found=td.tee_tcb_svn.hex())
    return passed(check, found=td.tee_tcb_svn.hex())


def qe_is_recent_enough(case: Case, want: TdxExpect) -> Finding:
    """The quoting enclave's ISV SVN reaches the least one expected."""
    return is_at_least("tdx.svn.qe", case.quote.qe_report.isvsvn, want.qe_svn)


def pce_is_recent_enough(case: Case, want: TdxExpect) -> Finding:
    """PCESVN, by the PCK certificate, reaches the least one expected."""
    return is_at_least("tdx.svn.pce", case.pck.pcesvn if case.pck else 0, want.pce_svn)


def mrseam_is_known(case: Case, want: TdxExpect) -> Finding:
    """MRSEAM is the measurement of one of the expected TDX modules."""
    return _measured("tdx.mrseam", case, want.mrseams, lambda td: td.mrseam)


def mrtd_is_known(case: Case, want: TdxExpect) -> Finding:
    """MRTD, the measurement of what the TD started with, is one of those expected."""
    return _measured("tdx.mrtd", case, want.mrtds, lambda td: td.mrtd)


def rtmr0_is_known(case: Case, want: TdxExpect) -> Finding:
    """RTMR0, the firmware's configuration, is one of those expected."""
    return _measured("tdx.rtmr0", case, want.rtmr0, lambda td: td.rtmr0)


def rtmr1_is_known(case: Case, want: TdxExpect) -> Finding:
    """RTMR1, boot loader or kernel, is one of those expected."""
    return _measured("tdx.rtmr1", case, want.rtmr1, lambda td: td.rtmr1)


def rtmr2_is_known(case: Case, want: TdxExpect) -> Finding:
    """RTMR2, command line and initrd, is one of those expected."""
    return _measured("tdx.rtmr2", case, want.rtmr2, lambda td: td.rtmr2)


def rtmr3_is_known(case: Case, want: TdxExpect) -> Finding:
    """RTMR3, which is the workload's own, is one of those expected."""
    return _measured("tdx.rtmr3", case, want.rtmr3, lambda td: td.rtmr3)


def report_data_is_ours(case: Case, want: TdxExpect) -> Finding:
    """REPORTDATA is what the relying party made for this one request: the quote is fresh and bound."""
    hint = "the quote answers another request: replayed, or bound to another session key"
    return is_equal("tdx.report-data", case.quote.report_data, want.report_data, hint=hint)


def mrconfigid_is_known(case: Case, want: TdxExpect) -> Finding:
    """MRCONFIGID, which the host gave at launch, is one of those expected."""
    return _measured("tdx.mrconfigid", case, want.mrconfigids, lambda td: td.mrconfigid)


def mrowner_is_known(case: Case, want: TdxExpect) -> Finding:
    """MROWNER, the owner that the host named at launch, is one of those expected."""
    return _measured("tdx.mrowner", case, want.mrowners, lambda td: td.mrowner)


def mrownerconfig_is_known(case: Case, want: TdxExpect) -> Finding:
    """MROWNERCONFIG, which the host gave at launch, is one of those expected."""
    return _measured("tdx.mrownerconfig", case, want.mrownerconfigs, lambda td: td.mrownerconfig)


def mrservicetd_is_known(case: Case, want: TdxExpect) -> Finding:
    """MRSERVICETD, the service TDs bound to the TD (zero for none), is one of those expected."""
    check = "tdx.mrservicetd"
    if isinstance(want.mrservicetds, Waived):
        return waived(check, want.mrservicetds)
    if case.quote.td15 is not None:
        return is_one_of(check, case.quote.td15.mrservicetd, want.mrservicetds)
    if UNSAID in want.mrservicetds:
        return passed(check, found="not said: the body is of version 1.0")
    hint = "the host chose a quote of version 4, which has no MRSERVICETD"
    return failed(check, expected="a quote that says it", found="one that does not", hint=hint)


# The definition of "acceptable". The reference page is generated from the table.
RULES: Final[dict[str, Rule]] = {
    "tdx.enclave": body_is_wanted,
    "tdx.debug": nobody_debugs,
    "tdx.tcb.status": status_is_wanted,
    "tdx.advisories": advisories_are_accepted,
    "tdx.attacks": attacks_are_excluded,
    "tdx.tcb.evaluation": evaluation_is_recent_enough,
    "tdx.attributes": attributes_are_wanted,
    "tdx.xfam": xfam_is_wanted,
    "tdx.unknown-bits": bits_are_known,
    "tdx.mrservicetd": mrservicetd_is_known,
    "tdx.platform": platform_is_configured,
    "tdx.platform.listed": platform_is_listed,
    "tdx.svn.tee": svn_is_recent_enough,
    "tdx.svn.qe": qe_is_recent_enough,
    "tdx.svn.pce": pce_is_recent_enough,
    "tdx.mrseam": mrseam_is_known,
    "tdx.mrtd": mrtd_is_known,
    "tdx.rtmr0": rtmr0_is_known,
    "tdx.rtmr1": rtmr1_is_known,
    "tdx.rtmr2": rtmr2_is_known,
    "tdx.rtmr3": rtmr3_is_known,
    "tdx.report-data": report_data_is_ours,
    "tdx.mrconfigid": mrconfigid_is_known,
    "tdx.mrowner": mrowner_is_known,
    "tdx.mrownerconfig": mrownerconfig_is_known,
}


def acceptable(case: Case, want: TdxExpect) -> tuple[Finding, ...]:
    """One finding for every rule, over an authentic quote."""
    return tuple(rule(case, want) for rule in RULES.values())


def _measured(
    check: str, case: Case, wanted: frozenset[bytes] | Waived, value: Callable[[TdReport10], bytes]
) -> Finding:
    td = case.quote.td
    return is_one_of(check, value(td), wanted, hint=_UNPREDICTED) if td else _none(check, wanted)


def _none(check: str, wanted: object) -> Finding:
    """What a rule about TDs says of an SGX enclave."""
    if isinstance(wanted, Waived):
        return waived(check, wanted)
    return failed(check, expected="a TD", found="an SGX enclave, which has no such field")
