"""A TD's appraisal together with the event logs that came with its quote."""

from dataclasses import replace
from typing import Final

from warily.core.appraisal import Appraisal
from warily.core.evidence import TdxEvidence
from warily.core.expect import TdxExpect
from warily.core.finding import Finding, Outcome, Waived
from warily.core.registers import RegisterBank, rtmr_bank
from warily.errors import FormatError
from warily.formats.tcg_log import EventLog
from warily.formats.tdx_quote import Quote
from warily.verify import eventlog

MAX_LOGS: Final = 8


def explained(appraisal: Appraisal, evidence: TdxEvidence, expect: TdxExpect) -> Appraisal:
    """The appraisal with what every log is worth against the RTMRs; the same one where no log came.

    A quote that was rejected has no registers: the rules about logs are then not reached. One that only lacks
    collateral has, and a log that does not lead to them is wrong either way. Raises `FormatError` for a malformed
    log, or too many.
    """
    if not evidence.event_logs:
        return appraisal
    if len(evidence.event_logs) > MAX_LOGS:
        msg = f"over {MAX_LOGS} event logs"
        raise FormatError(msg)
    td = Quote.decode(evidence.quote).td
    if td is None or not (appraisal.claims or appraisal.undecided):
        findings: tuple[Finding, ...] = tuple(
            Finding(check=check, outcome=Outcome.NOT_REACHED) for check in eventlog.RULES
        )
        claims = appraisal.claims
    else:
        bank = _bank((td.rtmr0, td.rtmr1, td.rtmr2, td.rtmr3), expect)
        replays = [eventlog.replay(EventLog.decode(log), bank) for log in evidence.event_logs]
        findings = tuple(finding for replay in replays for finding in eventlog.judge(replay))
        boot = [eventlog.claims(replay) for replay in replays]
        claims = {**appraisal.claims, "boot": boot} if appraisal.claims else appraisal.claims
    return replace(
        appraisal,
        required=appraisal.required | frozenset(eventlog.RULES),
        findings=(*appraisal.findings, *findings),
        claims=claims,
    )


def _bank(values: tuple[bytes, ...], expect: TdxExpect) -> RegisterBank:
    """The RTMRs. A log must account for each one whose value the expectation does not name."""
    wants = (expect.rtmr0, expect.rtmr1, expect.rtmr2, expect.rtmr3)
    return rtmr_bank(values, required=frozenset(at for at, want in enumerate(wants, 1) if isinstance(want, Waived)))
