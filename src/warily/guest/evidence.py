"""The guest's evidence: the processor's report and the guest's own state, bound to one nonce and session key."""

from typing import Final

from warily.formats import guest_state, snp_guest_message, tsm_report
from warily.formats.cmw import Collection, Record
from warily.formats.tsm_report import TsmReport
from warily.guest import processor, state
from warily.guest.refusal import Refused
from warily.release.binding import HARDWARE, digest_without, report_data
from warily.release.messages import IDENTITY_SIZE

HOST_DATA: Final = 0x0C0  # AMD 56860, ATTESTATION_REPORT: HOST_DATA


def identity() -> bytes:
    """This VM's identity: the HOST_DATA of its own report (32 bytes)."""
    return identity_in(processor.report(bytes(snp_guest_message.REPORT_DATA_SIZE)))


def identity_in(report: TsmReport) -> bytes:
    """The HOST_DATA in an SNP report. Raises `Refused` for a report of another kind."""
    if report.provider == tsm_report.TDX_GUEST or len(report.outblob) != snp_guest_message.REPORT_SIZE:
        raise Refused("evidence.kind", f"a report by {report.provider} carries no identity that is read here yet")
    return report.outblob[HOST_DATA : HOST_DATA + IDENTITY_SIZE]


def collect(*, nonce: bytes, session_key: bytes) -> Collection:
    """The records `hw` and `state`; the report signs nonce, session key and state."""
    sampled = Record(media_type=guest_state.MEDIA_TYPE, value=state.sample().encode())
    collection = {guest_state.LABEL: sampled}
    wanted = report_data(nonce=nonce, session_key=session_key, evidence_digest=digest_without(collection, HARDWARE))
    report = Record(media_type=tsm_report.MEDIA_TYPE, value=processor.report(wanted).encode())
    return collection | {HARDWARE: report}
