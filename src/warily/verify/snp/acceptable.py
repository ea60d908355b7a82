"""Is the report what the relying party wants: a table of rules, each over one field of the expectation.

Every rule runs, so that one look shows everything that is wrong. The first three concern what a working
processor can never report; no expectation waives them.
"""

from collections.abc import Callable
from typing import Final

from warily.core.expect import SnpExpect
from warily.core.finding import Finding, Waived, failed, passed, waived
from warily.formats.snp_report import (
    HOST_REQUESTED,
    NO_MIGRATION_AGENT,
    PLATFORM_BITS,
    POLICY_BITS,
    PlatformBit,
    PolicyBit,
    SnpReport,
    Tcb,
    firmware_version,
)
from warily.verify.advisories import demanded
from warily.verify.comparing import bit_numbers, bits_fit, is_equal, is_one_of
from warily.verify.snp.exposure import exposures
from warily.verify.snp.products import Product

Rule = Callable[[SnpReport, Product, SnpExpect], Finding]

# Plain numbers: they are looked at for every report.
_RESERVED_ONE: Final = int(PolicyBit.RESERVED_ONE)
_MIGRATE_MA: Final = int(PolicyBit.MIGRATE_MA)
_UNPREDICTED: Final = "`warily measure` says what an image should report"


def policy_is_well_formed(report: SnpReport, _: Product, __: SnpExpect) -> Finding:
    """Policy bit 17, which must be one, is one."""
    check = "snp.policy.reserved"
    if not report.policy & _RESERVED_ONE:
        return failed(check, expected="policy bit 17 is one", found=f"policy {report.policy:#x}")
    return passed(check)


def committed_is_within_current(report: SnpReport, product: Product, _: SnpExpect) -> Finding:
    """The committed TCB and firmware version are not above the current ones."""
    check = "snp.tcb.committed"
    layout = product.tcb
    if report.committed_tcb != report.current_tcb:
        committed, current = Tcb.decode(report.committed_tcb, layout), Tcb.decode(report.current_tcb, layout)
        if not committed.is_within(current):
            return failed(check, expected=f"at most current: {current}", found=str(committed))
    newest, kept = firmware_version(report.current_version), firmware_version(report.committed_version)
    if kept > newest:
        return failed(check, expected=f"at most firmware {_version(newest)}", found=_version(kept))
    return passed(check)


def reported_is_within_committed(report: SnpReport, product: Product, _: SnpExpect) -> Finding:
    """The reported TCB is not above the committed one."""
    check = "snp.tcb.reported"
    layout = product.tcb
    if report.reported_tcb != report.committed_tcb:
        reported, committed = Tcb.decode(report.reported_tcb, layout), Tcb.decode(report.committed_tcb, layout)
        if not reported.is_within(committed):
            return failed(check, expected=f"at most committed: {committed}", found=str(reported))
    return passed(check)


def guest_asked(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """A guest asked for the report, not the host (VMPL 0xFFFFFFFF)."""
    check = "snp.vmpl.guest"
    if isinstance(want.vmpls, Waived):
        return waived(check, want.vmpls)
    if report.vmpl == HOST_REQUESTED:
        hint = "such a report says nothing of who holds the session key"
        return failed(check, expected="a report that a guest asked for", found="asked for by the host", hint=hint)
    return passed(check)


def vmpl_is_allowed(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """The privilege level that asked for the report (VMPL) is one of those expected."""
    check = "snp.vmpl"
    if isinstance(want.vmpls, Waived):
        return waived(check, want.vmpls)
    if report.vmpl not in want.vmpls:
        return failed(check, expected=", ".join(map(str, sorted(want.vmpls))), found=f"VMPL {report.vmpl}")
    return passed(check, f"VMPL {report.vmpl}")


def policy_is_wanted(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """The guest policy has every required bit and no forbidden one (debug, for instance)."""
    return bits_fit("snp.policy", report.policy, want.policy, PolicyBit)


def platform_is_wanted(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """The platform information has every required bit and no forbidden one (alias check, SMT and so on)."""
    return bits_fit("snp.platform", report.platform_info, want.platform, PlatformBit)


def bits_are_known(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """No policy or platform bit is set that this version cannot name, unless those are acceptable."""
    check = "snp.unknown-bits"
    if isinstance(want.unknown_bits, Waived):
        return waived(check, want.unknown_bits)
    policy, platform = report.policy & ~POLICY_BITS, report.platform_info & ~PLATFORM_BITS
    if not policy | platform:
        return passed(check)
    unknown = [f"policy bit {bit}" for bit in bit_numbers(policy)]
    unknown += [f"platform bit {bit}" for bit in bit_numbers(platform)]
    if not want.unknown_bits:
        hint = "newer firmware says something that this version of warily cannot judge"
        return failed(check, expected="only bits that have a name", found=", ".join(unknown)[:200], hint=hint)
    return passed(check, ", ".join(unknown)[:200])


def migration_is_wanted(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """No migration agent may move the guest, unless the expectation allows one."""
    check = "snp.migration-agent"
    if isinstance(want.migration_agent, Waived):
        return waived(check, want.migration_agent)
    allowed = bool(report.policy & _MIGRATE_MA)
    bound = report.report_id_ma != NO_MIGRATION_AGENT
    if (allowed or bound) and not want.migration_agent:
        return failed(check, expected="no migration agent", found="bound" if bound else "allowed by the policy")
    return passed(check, "bound" if bound else "none")


def firmware_is_committed(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """The running firmware is committed: the host cannot go back to an older one (unless that is acceptable)."""
    check = "snp.firmware.committed"
    if isinstance(want.provisional_firmware, Waived):
        return waived(check, want.provisional_firmware)
    settled = (report.committed_tcb, report.committed_version) == (report.current_tcb, report.current_version)
    if not settled and not want.provisional_firmware:
        expected = f"committed {report.current_tcb:016x}"
        return failed(check, expected=expected, found=f"{report.committed_tcb:016x}: provisional firmware runs")
    return passed(check, "committed" if settled else "provisional")


def tcb_is_recent_enough(report: SnpReport, product: Product, want: SnpExpect) -> Finding:
    """Reported, committed, current and launch TCB reach the floor in every component."""
    check = "snp.tcb.floor"
    if isinstance(want.tcb_floor, Waived):
        return waived(check, want.tcb_floor)
    floor = want.tcb_floor
    least = {part: getattr(floor, part) for part in ("fmc", "bootloader", "tee", "snp", "microcode")}
    below = []
    for name in ("reported", "committed", "current", "launch"):
        levels = Tcb.decode(getattr(report, f"{name}_tcb"), product.tcb).components()
        below += [
            f"{name} {part} {levels.get(part, 0)} < {level}"
            for part, level in least.items()
            if levels.get(part, 0) < level
        ]
    if below:
        wanted = " ".join(f"{part} {level}" for part, level in least.items() if level)
        return failed(check, expected=f"at least {wanted}", found="; ".join(below)[:300])
    return passed(check)


def guest_svn_is_recent_enough(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """GUEST_SVN, from the ID block, reaches the least one expected."""
    check = "snp.guest-svn"
    if isinstance(want.guest_svn, Waived):
        return waived(check, want.guest_svn)
    if report.guest_svn < want.guest_svn:
        return failed(check, expected=f"at least {want.guest_svn}", found=str(report.guest_svn))
    return passed(check, str(report.guest_svn))


def measurement_is_known(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """MEASUREMENT is one of the expected launch digests."""
    return is_one_of("snp.measurement", report.measurement, want.measurements, hint=_UNPREDICTED)


def report_data_is_ours(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """REPORT_DATA is what the relying party made for this one request: the report is fresh and bound."""
    hint = "the report answers another request: replayed, or bound to another session key"
    return is_equal("snp.report-data", report.report_data, want.report_data, hint=hint)


def host_data_is_known(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """HOST_DATA, which the host gave at launch, is one of those expected."""
    return is_one_of("snp.host-data", report.host_data, want.host_data)


def chip_is_listed(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """CHIP_ID is on the list of machines that may run the guest."""
    return is_one_of("snp.chip.listed", report.chip_id, want.chip_ids)


def id_key_is_known(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """The key that signed the ID block is one of those expected."""
    return is_one_of("snp.id-key", report.id_key_digest, want.id_key_digests)


def author_key_is_known(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """The author key above the ID key is one of those expected, and the report says that it counts."""
    check = "snp.author-key"
    if not isinstance(want.author_key_digests, Waived) and not report.has_author_key:
        return failed(check, expected="an author key", found="AUTHOR_KEY_EN is not set")
    return is_one_of(check, report.author_key_digest, want.author_key_digests)


def family_is_wanted(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """FAMILY_ID, from the ID block, is the one expected."""
    return is_equal("snp.family-id", report.family_id, want.family_id)


def image_is_wanted(report: SnpReport, _: Product, want: SnpExpect) -> Finding:
    """IMAGE_ID, from the ID block, is the one expected."""
    return is_equal("snp.image-id", report.image_id, want.image_id)


def attacks_are_excluded(report: SnpReport, product: Product, want: SnpExpect) -> Finding:
    """Every advisory that must be excluded is: by TCB, mitigation vector, policy or platform bit, as the data say."""
    check = "snp.attacks"
    if isinstance(want.must_exclude, Waived):
        return waived(check, want.must_exclude)
    return demanded(check, exposures(report, product), want.must_exclude)


# The definition of "acceptable". The reference page is generated from the table.
RULES: Final[dict[str, Rule]] = {
    "snp.policy.reserved": policy_is_well_formed,
    "snp.tcb.committed": committed_is_within_current,
    "snp.tcb.reported": reported_is_within_committed,
    "snp.vmpl.guest": guest_asked,
    "snp.vmpl": vmpl_is_allowed,
    "snp.policy": policy_is_wanted,
    "snp.migration-agent": migration_is_wanted,
    "snp.platform": platform_is_wanted,
    "snp.unknown-bits": bits_are_known,
    "snp.tcb.floor": tcb_is_recent_enough,
    "snp.attacks": attacks_are_excluded,
    "snp.firmware.committed": firmware_is_committed,
    "snp.measurement": measurement_is_known,
    "snp.report-data": report_data_is_ours,
    "snp.host-data": host_data_is_known,
    "snp.guest-svn": guest_svn_is_recent_enough,
    "snp.chip.listed": chip_is_listed,
    "snp.id-key": id_key_is_known,
    "snp.author-key": author_key_is_known,
    "snp.family-id": family_is_wanted,
    "snp.image-id": image_is_wanted,
}


def acceptable(report: SnpReport, product: Product, want: SnpExpect) -> tuple[Finding, ...]:
    """One finding for every rule, over an authentic report of a product."""
    return tuple([rule(report, product, want) for rule in RULES.values()])


def _version(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
