"""Event logs edited so that they still lead to the registers that were signed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
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
Edit = Callable[[EventLog], EventLog]


def boot(*, secure: bool) -> EventLog:
    """The log of a firmware that measured whether Secure Boot was on, and then started something else."""
    state = UefiVariable(guid=EFI_GLOBAL, name="SecureBoot", value=bytes([secure])).encode()
    events = [_event(SECURE_BOOT, EventType.EFI_VARIABLE_DRIVER_CONFIG, state)]
    events += [_event(index, EventType.SEPARATOR, SEPARATOR) for index in range(8)]
    sizes = ((BANK, hashlib.sha256().digest_size),)
    return EventLog(agile=True, algorithms=sizes, header=None, events=tuple(events), padding=b"")


def lie() -> bytes:
    """What the host would have the log say: Secure Boot was on."""
    return UefiVariable(guid=EFI_GLOBAL, name="SecureBoot", value=b"\x01").encode()


def other_data(log: EventLog) -> EventLog:
    """The same digests in the same order, and other data beside the first."""
    first, *others = log.events
    return replace(log, events=(replace(first, data=lie()), *others))


def other_type(log: EventLog) -> EventLog:
    """The same, and the first event is of a type whose data need not be what was measured."""
    first, *others = other_data(log).events
    return replace(log, events=(replace(first, type=EventType.EFI_VARIABLE_AUTHORITY), *others))


def one_more(log: EventLog) -> EventLog:
    """An event before all others that no register is extended by, as firmware writes for information."""
    first = replace(_event(SECURE_BOOT, EventType.NO_ACTION, lie()), digests=((BANK, bytes(32)),))
    return replace(log, events=(first, *log.events))


def registers(log: EventLog) -> RegisterBank:
    """What the log's digests lead to: signed evidence would say so."""
    values: dict[int, bytes] = {}
    for event in log.events:
        digest = event.digest(BANK)
        if digest is not None and event.type is not EventType.NO_ACTION:
            values[event.register] = hashlib.sha256(values.get(event.register, bytes(32)) + digest).digest()
    return pcr_bank(BANK, values, required=frozenset(values))


def on_control(lab: "Lab", *, edit: Edit) -> Seen:
    """A verifier that replays digests, and then believes the data beside them."""
    del lab
    honest = boot(secure=False)
    forged, signed = edit(honest), registers(honest)
    if registers(forged).values != signed.values:
        return refused("the edited log leads elsewhere")
    said = UefiVariable.decode(forged.events[0].data)
    return succeeded(f"replay equals the signed registers, and the log now says {said.name} = {said.value.hex()}")


def on_image(lab: "Lab", *, edit: Edit) -> Seen:
    """What `warily verify` finds in the edited log, and what it takes from it."""
    del lab
    honest = boot(secure=False)
    case = eventlog.replay(edit(honest), registers(honest))
    wrong = [finding for finding in eventlog.judge(case) if finding.outcome is Outcome.FAIL]
    claimed = eventlog.secure_boot(case)
    if claimed and not wrong:
        return succeeded("no finding fails, and Secure Boot is said to be on")
    told = {True: "on", False: "off", None: "nothing"}[claimed]
    if wrong:
        return detected(
            f"{wrong[0].check} fails: {wrong[0].expected}; {wrong[0].found}; claimed of Secure Boot: {told}"
        )
    return refused(f"what no digest covers is not believed; claimed of Secure Boot: {told}")


def _event(register: int, kind: EventType, data: bytes) -> Event:
    return Event(offset=0, register=register, type=kind, digests=((BANK, hashlib.sha256(data).digest()),), data=data)


def _attack(name: str, title: str, edit: Edit) -> Attack:
    how = Alone(control=partial(on_control, edit=edit), image=partial(on_image, edit=edit))
    return Attack(id=f"log.{name}", title=title, component="attestation", catalogue=("A18",), how=how)


ATTACKS: Final[Sequence[Attack]] = (
    _attack("data", "The host changes what an event log says and leaves its digests alone", other_data),
    _attack(
        "type", "The host changes what an event says and what kind of event it is, and leaves its digest", other_type
    ),
    _attack("added", "The host adds an event to a log that no register is extended by", one_more),
)
