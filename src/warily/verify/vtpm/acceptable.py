"""Are genuine quotes what the relying party wants: a table of rules, each over one field of the expectation.

Every rule runs, so that one look shows everything that is wrong. Then the event logs, against the quoted registers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from warily.core.finding import Finding, Outcome, Waived, failed, passed, undecided, waived
from warily.core.registers import BANKS, HASHES, pcr_bank
from warily.formats.tcg_log import EventLog
from warily.verify import eventlog
from warily.verify.eventlog import BOOT_PCRS, Replay
from warily.verify.vtpm.case import Case
from warily.verify.vtpm.chain import gce_instance

NO_LOG: Final = "no event log was given, so the registers stay unexplained"
VM_ID: Final = "vmUniqueId"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One event log, and how it ran against each quoted bank that it has digests for."""

    log: EventLog
    replays: tuple[Replay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Genuine:
    """Quotes that were found genuine: the case, its registers by bank and number, and the logs run against them."""

    case: Case
    values: Mapping[int, Mapping[int, bytes]]
    logs: tuple[Explained, ...]


Rule = Callable[[Genuine], Finding]


def binding_is_wanted(it: Genuine) -> Finding:
    """What vouches for the attestation key is of a kind that is acceptable: processor, certificate or name."""
    check, want = "vtpm.binding", it.case.want.bindings
    if isinstance(want, Waived):
        return waived(check, want)
    if it.case.binding.value not in want:
        return failed(check, expected=" or ".join(sorted(want)) or "none", found=it.case.binding.value)
    return passed(check, found=it.case.binding.value)


def nonce_is_ours(it: Genuine) -> Finding:
    """The extra data of every quote is the nonce that the relying party made for this one request."""
    check, want = "vtpm.nonce", it.case.want.nonce
    if isinstance(want, Waived):
        return waived(check, want)
    for quote in it.case.quotes:
        if quote.attest.extra_data != want:
            hint = "the quote answers another request: replayed, or made for somebody else"
            return failed(check, expected=_short(want), found=_short(quote.attest.extra_data), hint=hint)
    return passed(check, found=_short(want))


def bank_is_wanted(it: Genuine) -> Finding:
    """Some quoted registers are of a bank whose hash is acceptable."""
    check, want = "vtpm.bank", it.case.want.banks
    if isinstance(want, Waived):
        return waived(check, want)
    quoted = {_bank(bank) for bank in it.values}
    if not quoted & want:
        return failed(check, expected=" or ".join(sorted(want)), found=", ".join(sorted(quoted)))
    return passed(check, found=", ".join(sorted(quoted & want)))


def selection_is_wide_enough(it: Genuine) -> Finding:
    """The quotes cover every register that must be covered, in some acceptable bank."""
    check, want = "vtpm.selection", it.case.want.selection
    if isinstance(want, Waived):
        return waived(check, want)
    banks = _wanted_banks(it)
    missing = min(([*(want - set(values))] for values in banks.values()), key=len, default=[*want])
    if missing:
        found = f"without {', '.join(f'PCR{pcr}' for pcr in sorted(missing))}"
        return failed(check, expected=f"{len(want)} registers in one bank", found=found)
    return passed(check, found=f"{len(want)} registers")


def registers_are_known(it: Genuine) -> Finding:
    """Every register that the expectation names has one of its expected values."""
    check, want = "vtpm.pcrs", it.case.want.pcrs
    if isinstance(want, Waived):
        return waived(check, want)
    for bank, registers in want.items():
        for pcr, allowed in sorted(registers.items()):
            found = it.values.get(BANKS.get(bank, 0), {}).get(pcr)
            if found not in allowed:
                known = ", ".join(_short(entry) for entry in sorted(allowed)[:4])
                expected = f"PCR{pcr} {bank} one of {len(allowed)}: {known}"
                hint = "" if found is None else "pass the event log with --log to see what was measured"
                return failed(check, expected=expected, found=_short(found) if found else "not quoted", hint=hint)
    count = sum(map(len, want.values()))
    if not count:
        return failed(check, expected="expected values for some register", found="the expectation names none")
    return passed(check, found=f"{count} registers")


def secure_boot_is_wanted(it: Genuine) -> Finding:
    """The firmware measured Secure Boot as wanted, by an event log that leads to the quoted registers."""
    check, want = "vtpm.secure-boot", it.case.want.secure_boot
    if isinstance(want, Waived):
        return waived(check, want)
    states = {eventlog.secure_boot(replay) for entry in it.logs for replay in entry.replays} - {None}
    if len(states) != 1:
        missing = "an event log that says how Secure Boot was set"
        return undecided(check, missing=missing, hint="pass the log of this boot with --log")
    state = states == {True}
    if state is not want:
        return failed(check, expected=_on(want), found=_on(state))
    return passed(check, found=_on(state))


def instance_is_listed(it: Genuine) -> Finding:
    """The cloud's name for this virtual machine, as its authority or paravisor vouches for it, is on the list."""
    check, want = "vtpm.instance", it.case.want.instances
    if isinstance(want, Waived):
        return waived(check, want)
    found = instance(it.case)
    if found is None or found not in want:
        return failed(check, expected=f"one of {len(want)} machines", found=found or "no name")
    return passed(check, found=found)


def user_data_is_wanted(it: Genuine) -> Finding:
    """The user data that the paravisor put into its runtime data is the one expected."""
    check, want = "vtpm.user-data", it.case.want.user_data
    if isinstance(want, Waived):
        return waived(check, want)
    found = it.case.runtime.user_data if it.case.runtime else b""
    if found != want:
        return failed(check, expected=_short(want), found=_short(found) if found else "none")
    return passed(check, found=_short(want))


# The definition of "acceptable". The reference page is generated from the table.
RULES: Final[dict[str, Rule]] = {
    "vtpm.binding": binding_is_wanted,
    "vtpm.nonce": nonce_is_ours,
    "vtpm.bank": bank_is_wanted,
    "vtpm.selection": selection_is_wide_enough,
    "vtpm.pcrs": registers_are_known,
    "vtpm.secure-boot": secure_boot_is_wanted,
    "vtpm.instance": instance_is_listed,
    "vtpm.user-data": user_data_is_wanted,
}


def genuine(case: Case) -> Genuine:
    """The registers of genuine quotes, and every log run against each quoted bank that it has digests for."""
    values = case.values()
    return Genuine(case=case, values=values, logs=tuple(_run(EventLog.decode(log), values, case) for log in case.logs))


def acceptable(it: Genuine) -> tuple[Finding, ...]:
    """One finding for every rule, and at least one for every rule about logs."""
    return (*(rule(it) for rule in RULES.values()), *_logs(it))


def instance(case: Case) -> str | None:
    """The cloud's name for the machine: of Google's certificate, or of Azure's runtime data."""
    if case.runtime is not None:
        named = case.runtime.settings.get(VM_ID)
        return named if isinstance(named, str) else None
    return gce_instance(case.chain[0]) if case.chain else None


def _run(log: EventLog, values: Mapping[int, Mapping[int, bytes]], case: Case) -> Explained:
    """The log against every quoted bank that it has digests for, the registers cut to those that it must explain."""
    wanted = case.want.log_registers
    replays = []
    for bank, quoted in values.items():
        if bank not in HASHES or bank not in dict(log.algorithms):
            continue
        judged = quoted if isinstance(wanted, Waived) else {pcr: quoted[pcr] for pcr in wanted if pcr in quoted}
        required = BOOT_PCRS if isinstance(wanted, Waived) else wanted
        replays.append(eventlog.replay(log, pcr_bank(bank, judged, required=required)))
    return Explained(log=log, replays=tuple(replays))


def _logs(it: Genuine) -> tuple[Finding, ...]:
    """What the logs are worth. Without one: open where the expectation wants registers explained, else waived."""
    want = it.case.want.log_registers
    if not it.logs:
        if isinstance(want, Waived):
            return tuple(waived(check, Waived(f"{want.because}; {NO_LOG}")) for check in eventlog.RULES)
        return _stopped(undecided("log.replay", missing="the event log", hint="pass the log of this boot with --log"))
    unquoted = sorted(
        pcr
        for pcr in (() if isinstance(want, Waived) else want)
        if not any(pcr in values for values in it.values.values())
    )
    if unquoted:
        expected = f"PCR{unquoted[0]} quoted, so that a log can explain it"
        return _stopped(failed("log.replay", expected=expected, found="it is not"))
    findings: list[Finding] = []
    for entry in it.logs:
        if not entry.replays:
            expected = f"a log with digests of {', '.join(map(_bank, it.values))}, as quoted"
            found = ", ".join(_bank(bank) for bank, _ in entry.log.algorithms)
            return _stopped(failed("log.replay", expected=expected, found=found))
        findings += [finding for replay in entry.replays for finding in eventlog.judge(replay)]
    return tuple(findings)


def _stopped(finding: Finding) -> tuple[Finding, ...]:
    """The finding that keeps the rules about logs from being made, and these as not reached."""
    rest = (check for check in eventlog.RULES if check != finding.check)
    return (finding, *(Finding(check=check, outcome=Outcome.NOT_REACHED) for check in rest))


def _bank(number: int) -> str:
    return HASHES.get(number, f"{number:#06x}")


def _wanted_banks(it: Genuine) -> dict[int, Mapping[int, bytes]]:
    """The quoted banks whose hash is acceptable."""
    want = it.case.want.banks
    return {bank: values for bank, values in it.values.items() if isinstance(want, Waived) or HASHES.get(bank) in want}


def _on(state: bool) -> str:  # noqa: FBT001  # a state is what it names
    return "Secure Boot on" if state else "Secure Boot off"


def _short(value: bytes) -> str:
    """The first eight bytes in hex: enough to tell values apart by eye."""
    return f"{value.hex()[:16]}…"
