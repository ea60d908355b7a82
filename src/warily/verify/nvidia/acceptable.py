"""Is the device what the relying party wants: manifests first, then a table of rules over the expectation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from warily.core.expect import NvidiaExpect
from warily.core.finding import Finding, Outcome, Waived, failed, passed, waived
from warily.errors import FormatError
from warily.formats.dice import OperationalFlag
from warily.formats.spdm import DebugMode
from warily.verify.comparing import is_equal, is_one_of
from warily.verify.nvidia import manifests
from warily.verify.nvidia.case import Case
from warily.verify.nvidia.manifests import Compared, Part

Rule = Callable[[Case, NvidiaExpect], Finding]

_OPEN: Final = (OperationalFlag.NOT_SECURE, OperationalFlag.RECOVERY, OperationalFlag.DEBUG)
_UNSAID: Final = Waived(
    "this generation has no flag for it; manifests are of production firmware, and their measurements must match"
)


def debugging_is_closed(case: Case, want: NvidiaExpect) -> Finding:
    """Neither the leaf's flags nor a device mode measurement say that debugging, recovery or insecure modes are on."""
    check = "nvidia.debug"
    if isinstance(want.debug, Waived):
        return waived(check, want.debug)
    said, found = _debug_words(case)
    if found and not want.debug:
        hint = "whoever debugs the device reads what the workload puts into it"
        return failed(check, expected="debugging closed", found=", ".join(found), hint=hint)
    return passed(check, found=", ".join(found) or "closed") if said else waived(check, _UNSAID)


def _debug_words(case: Case) -> tuple[bool, list[str]]:
    """Whether anything speaks about debugging, and what is open."""
    firmware = case.firmware
    flags = firmware.flags if firmware else None
    found = [f"the leaf says {flag.name}" for flag in _OPEN if flags is not None and flag in flags]
    modes = [block for block in case.report.response.blocks if block.is_device_mode]
    for block in modes:
        try:
            state = block.device_mode.debug_state
        except FormatError:
            found.append(f"measurement {block.index} is a device mode that cannot be read")
            continue
        found += [f"measurement {block.index} says {bit.name}" for bit in DebugMode if state & bit]
    return flags is not None or bool(modes), found


def mode_is_wanted(case: Case, want: NvidiaExpect) -> Finding:
    """The device guards its traffic in a mode that the expectation lists."""
    return _named("nvidia.mode", case.report.mode.value, want.modes)


def nonce_is_ours(case: Case, want: NvidiaExpect) -> Finding:
    """The nonce of the request is what the relying party made for this one request."""
    return is_equal("nvidia.nonce", case.report.request.nonce, want.nonce, hint="the report answers another request")


def model_is_listed(case: Case, want: NvidiaExpect) -> Finding:
    """The chip, by its certificate, is one of those listed."""
    return _named("nvidia.model", case.model, want.models)


def driver_is_listed(case: Case, want: NvidiaExpect) -> Finding:
    """The driver's version is one of those listed; a switch has none, and passes."""
    if case.report.is_switch and not isinstance(want.drivers, Waived):
        return passed("nvidia.driver-version", found="a switch has no driver")
    return _named("nvidia.driver-version", case.report.driver_version or "", want.drivers)


def vbios_is_listed(case: Case, want: NvidiaExpect) -> Finding:
    """The version of the VBIOS is one of those listed."""
    return _named("nvidia.vbios-version", case.report.vbios_version or "", want.vbioses)


def device_is_listed(case: Case, want: NvidiaExpect) -> Finding:
    """The device, by the key of its certificate, is one of those listed."""
    return is_one_of("nvidia.device.listed", case.key_digest, want.devices)


def device_is_there_once(case: Case, _: NvidiaExpect) -> Finding:
    """No other report of the same evidence is by the same device: one must not stand for two."""
    check = "nvidia.device.distinct"
    if case.alike != 1:
        return failed(check, expected="a device that is there once", found=f"it is there {case.alike} times")
    return passed(check)


def count_is_wanted(case: Case, want: NvidiaExpect) -> Finding:
    """The evidence is of as many devices as the expectation says."""
    check = "nvidia.count"
    if isinstance(want.count, Waived):
        return waived(check, want.count)
    if case.count != want.count:
        return failed(check, expected=f"{want.count} devices", found=f"{case.count}")
    return passed(check, found=f"{case.count}")


DISJOINT: Final = "nvidia.disjoint"
OWN_RULES: Final[dict[str, Rule]] = {
    "nvidia.debug": debugging_is_closed,
    "nvidia.mode": mode_is_wanted,
    "nvidia.nonce": nonce_is_ours,
    "nvidia.model": model_is_listed,
    "nvidia.driver-version": driver_is_listed,
    "nvidia.vbios-version": vbios_is_listed,
    "nvidia.device.listed": device_is_listed,
    "nvidia.device.distinct": device_is_there_once,
    "nvidia.count": count_is_wanted,
}
# Id and sentence of every rule, in the order of the findings. The reference page is generated from the table.
RULES: Final[dict[str, str]] = {
    **manifests.rules(),
    DISJOINT: "No measurement is covered by both manifests, so that neither overrides the other.",
    **{check: (rule.__doc__ or "").strip() for check, rule in OWN_RULES.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One finding for every rule, and which of the rules must have run."""

    findings: tuple[Finding, ...]
    required: frozenset[str]


def acceptable(case: Case, want: NvidiaExpect) -> Accepted:
    """One finding for every rule, over an authentic report; for a manifest that is not needed, one that says so."""
    driver, vbios = (manifests.judge(part, case, want) for part in Part)
    rules = (rule(case, want) for rule in OWN_RULES.values())
    return Accepted(
        findings=(*driver.findings, *vbios.findings, _disjoint(driver, vbios), *rules),
        required=driver.required | vbios.required | {DISJOINT} | frozenset(OWN_RULES),
    )


def matched(findings: tuple[Finding, ...]) -> dict[str, str]:
    """What was compared, by part: how many measurements match, or `fail`."""
    ends = {f"nvidia.{part}.{manifests.MATCH}": part.value for part in Part}
    judged = [one for one in findings if one.check in ends and one.outcome in (Outcome.PASS, Outcome.FAIL)]
    return {ends[one.check]: one.found if one.outcome is Outcome.PASS else one.outcome.value for one in judged}


def _disjoint(driver: Compared, vbios: Compared) -> Finding:
    if driver.manifest is None or vbios.manifest is None:
        return waived(DISJOINT, Waived("there are not two manifests"))
    both = sorted(set(driver.manifest.rim.active) & set(vbios.manifest.rim.active))
    if both:
        found = f"{len(both)} in both: {', '.join(map(str, both[:8]))}"
        return failed(DISJOINT, expected="each measurement in one manifest", found=found)
    return passed(DISJOINT)


def _named(check: str, value: str, wanted: frozenset[str] | Waived) -> Finding:
    if isinstance(wanted, Waived):
        return waived(check, wanted)
    if value not in wanted:
        expected = f"one of {len(wanted)}: {', '.join(sorted(wanted)[:4])}" if wanted else "nothing is on the list"
        return failed(check, expected=expected[:200], found=value or "none")
    return passed(check, found=value)
