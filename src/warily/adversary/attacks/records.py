"""Event logs edited so that they still lead to the registers that were signed."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from warily.adversary.attack import Alone, Attack, Seen, detected, refused, succeeded
from warily.core.finding import Outcome
from warily.core.registers import BANKS, RegisterBank, pcr_bank
from warily.formats.tcg_log import Event, EventLog, EventType
from warily.formats.uefi_events import EFI_GLOBAL, UefiVariable
from warily.verify import eventlog

if TYPE_CHECKING:
    from warily.adversary.lab import Lab

BANK: Final = BANKS["sha256"]
SECURE_BOOT: Final = 7
SEPARATOR: Final = bytes(4)


def boot(*, secure: bool) -> EventLog:
    """The log of a firmware that measured whether Secure Boot was on, and then started something else."""
    state = UefiVariable(guid=EFI_GLOBAL, name="SecureBoot", value=bytes([secure])).encode()
    events = [_event(SECURE_BOOT, EventType.EFI_VARIABLE_DRIVER_CONFIG, state)]
    events += [_event(index, EventType.SEPARATOR, SEPARATOR) for index in range(8)]
    sizes = ((BANK, hashlib.sha256().digest_size),)
    return EventLog(agile=True, algorithms=sizes, header=None, events=tuple(events), padding=b"")


def edited(log: EventLog) -> EventLog:
    """The same digests in the same order, and other data beside the first: Secure Boot was on, it now says."""
    first, *others = log.events
    lie = UefiVariable(guid=EFI_GLOBAL, name="SecureBoot", value=b"\x01").encode()
    return replace(log, events=(replace(first, data=lie), *others))


def registers(log: EventLog) -> RegisterBank:
    """What the log's digests lead to: signed evidence would say so."""
    values: dict[int, bytes] = {}
    for event in log.events:
        digest = event.digest(BANK)
        if digest is not None:
            values[event.register] = hashlib.sha256(values.get(event.register, bytes(32)) + digest).digest()
    return pcr_bank(BANK, values, required=frozenset(values))


def on_control(lab: "Lab") -> Seen:
    """A verifier that replays digests, and then believes the data beside them."""
    del lab
    honest = boot(secure=False)
    forged, signed = edited(honest), registers(honest)
    if registers(forged).values != signed.values:
        return refused("the edited log leads elsewhere")
    said = UefiVariable.decode(forged.events[0].data)
    return succeeded(f"replay equals the signed registers, and the log now says {said.name} = {said.value.hex()}")


def on_image(lab: "Lab") -> Seen:
    """What `warily verify` finds in the edited log."""
    del lab
    honest = boot(secure=False)
    forged, signed = edited(honest), registers(honest)
    case = eventlog.replay(forged, signed)
    wrong = [finding for finding in eventlog.judge(case) if finding.outcome is Outcome.FAIL]
    if not wrong:
        return succeeded("no finding fails")
    claimed = eventlog.secure_boot(case)
    return detected(f"{wrong[0].check} fails: {wrong[0].expected}; {wrong[0].found}; claimed of Secure Boot: {claimed}")


def _event(register: int, kind: EventType, data: bytes) -> Event:
    return Event(offset=0, register=register, type=kind, digests=((BANK, hashlib.sha256(data).digest()),), data=data)


ATTACKS: Final[Sequence[Attack]] = (
    Attack(
        id="log.data",
        title="The host changes what an event log says and leaves its digests alone",
        component="attestation",
        catalogue=("A18",),
        how=Alone(control=on_control, image=on_image),
    ),
)
