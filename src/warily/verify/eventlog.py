"""Does an event log lead to the registers that signed evidence reports, and is its data what was measured?

The signature is checked first, elsewhere: these rules say nothing of registers that nobody signed. Event types are
never measured, so nothing here trusts one: a type decides only which recipe an event's data must satisfy.
Time is linear in the length of the log.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from warily.core.finding import Finding, failed, passed
from warily.core.registers import HASHES, RegisterBank
from warily.errors import FormatError
from warily.formats.tcg_log import Event, EventLog, EventType, type_name
from warily.formats.uefi_events import EFI_GLOBAL, GRUB_COMMAND_LINE, UefiVariable, command_line, explain

MAX_FINDINGS: Final = 16
MAX_CLAIMED: Final = 1024
BOOT_PCRS: Final = frozenset(range(8))
SEPARATORS: Final = (bytes(4), b"\xff" * 4)
ERROR_SEPARATOR: Final = b"\x01\x00\x00\x00"

# Types whose digest is a hash of the data in the log, by the specification and in every log seen (PFP 1.06, 10.4.1).
HASHING: Final = frozenset(
    {
        EventType.SEPARATOR,
        EventType.ACTION,
        EventType.EFI_ACTION,
        EventType.EFI_GPT_EVENT,
        EventType.EFI_VARIABLE_DRIVER_CONFIG,
        EventType.EFI_VARIABLE_BOOT,
        EventType.EFI_VARIABLE_BOOT2,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A log run against one bank.

    `values` are the registers it leads to; `vouched` says of each event in order whether its data hashes to its digest.
    """

    log: EventLog = field(repr=False)
    registers: RegisterBank
    values: dict[int, bytes]
    vouched: tuple[bool, ...] = field(repr=False)

    def compared(self) -> list[int]:
        """The registers that both sides know of, or that the log must account for."""
        return sorted(index for index in self.registers.values if index in self.values)

    def leads_to(self, index: int) -> bool:
        """Whether the log leads to the register's value."""
        return self.registers.values.get(index) == self.values.get(index, b"")


Rule = Callable[[Replay], tuple[Finding, ...]]


def replay(log: EventLog, registers: RegisterBank) -> Replay:
    """Every digest of the log extended in order into the registers of one bank.

    Raises `FormatError` where the hash algorithm is one that cannot be computed.
    """
    algorithm = registers.algorithm
    if algorithm not in HASHES:
        msg = f"registers of {registers.bank} cannot be replayed"
        raise FormatError(msg)
    make = getattr(hashlib, HASHES[algorithm])
    size = make().digest_size
    values = {index: bytes(size) for index in registers.required & set(registers.values)}
    if registers.separated and log.startup_locality:
        values[0] = bytes(size - 1) + bytes([log.startup_locality])
    vouched = []
    for event in log.events:
        digest = event.digest(algorithm) if event.extends else None
        if digest is not None:
            values[event.register] = make(values.get(event.register, bytes(size)) + digest).digest()
        vouched.append(digest is not None and digest in _recipes(event, make))
    return Replay(log=log, registers=registers, values=values, vouched=tuple(vouched))


def _recipes(event: Event, make: Callable[[bytes], "hashlib._Hash"]) -> Iterator[bytes]:
    """The digests that the event's data may have led to."""
    yield make(event.data).digest()
    if event.type in (EventType.EFI_VARIABLE_BOOT, EventType.EFI_VARIABLE_AUTHORITY):
        try:
            yield make(UefiVariable.decode(event.data).value).digest()
        except FormatError:
            return
    elif event.type == EventType.IPL:
        text = event.data.rstrip(b"\x00")
        yield make(text).digest()
        for prefix in (GRUB_COMMAND_LINE.encode(), b"grub_cmd: "):
            if text.startswith(prefix):
                yield make(text[len(prefix) :]).digest()
    elif event.type == EventType.SEPARATOR:
        yield make(ERROR_SEPARATOR).digest()


def log_leads_to_registers(case: Replay) -> tuple[Finding, ...]:
    """The digests of the event log, extended in order, give the register values that were signed."""
    check, registers = "log.replay", case.registers
    compared = case.compared()
    if not compared:
        expected = f"a log with entries for registers that were signed ({registers.bank})"
        return (failed(check, expected=expected, found="it has none"),)
    counts = Counter(event.register for event in case.log.events if event.extends)
    findings = [
        failed(
            check,
            expected=f"{registers.name(index)} {registers.bank} {registers.values[index].hex()[:16]}…, as signed",
            found=f"{case.values[index].hex()[:16]}… after {counts[index]} entries of the log",
            hint="an entry was left out, added, moved or changed, or the log is of another boot",
        )
        for index in compared
        if not case.leads_to(index)
    ]
    return tuple(findings) or (passed(check, found=f"{_listed(case, compared)} {registers.bank}"),)


def data_is_what_was_measured(case: Replay) -> tuple[Finding, ...]:
    """The data of every event whose type hashes its data does hash to the digest that was extended."""
    check = "log.event"
    bad = [
        (number, event)
        for number, (event, vouched) in enumerate(zip(case.log.events, case.vouched, strict=True), start=1)
        if event.type in HASHING and not vouched
    ]
    findings = [
        failed(
            check,
            expected=f"entry {number}, {case.registers.name(event.register)} {type_name(event.type)}: data that was "
            "measured",
            found=f"other data, now “{explain(event.type, event.data)[:80]}”",
            hint="the registers do not vouch for this data: it was changed after it was measured",
        )
        for number, event in bad[:MAX_FINDINGS]
    ]
    if len(bad) > MAX_FINDINGS:
        findings.append(failed(check, expected="no more than these", found=f"{len(bad) - MAX_FINDINGS} more entries"))
    if findings:
        return tuple(findings)
    return (
        passed(check, found=f"{sum(case.vouched)} of {len(case.vouched)} entries carry the data that was measured"),
    )


def separators_are_right(case: Replay) -> tuple[Finding, ...]:
    """Each PCR has at most one separator between firmware and what it starts, and none records an error."""
    check = "log.separator"
    found = [event for event in case.log.events if event.type == EventType.SEPARATOR]
    wrong = [event for event in found if event.data not in SEPARATORS]
    if wrong:
        said = f"{case.registers.name(wrong[0].register)}: {wrong[0].data[:16].hex()}"
        return (failed(check, expected="separators of zeros or ones", found=said, hint="the boot recorded an error"),)
    counts = Counter(event.register for event in found)
    twice = [case.registers.name(index) for index, count in sorted(counts.items()) if count > 1]
    if case.registers.separated and twice:
        return (failed(check, expected="one separator a PCR", found=f"several in {', '.join(twice)}"),)
    return (passed(check, found=f"{len(found)} separators"),)


# The definition of "the log explains the registers". The reference page is generated from the table.
RULES: Final[dict[str, Rule]] = {
    "log.replay": log_leads_to_registers,
    "log.event": data_is_what_was_measured,
    "log.separator": separators_are_right,
}


def against_registers(log: EventLog, registers: RegisterBank) -> tuple[Finding, ...]:
    """At least one finding of every rule: the log against registers that a signature, already checked, covers."""
    return judge(replay(log, registers))


def judge(case: Replay) -> tuple[Finding, ...]:
    """At least one finding of every rule over a log already replayed."""
    return tuple(finding for rule in RULES.values() for finding in rule(case))


def secure_boot(case: Replay) -> bool | None:
    """Whether the firmware booted with Secure Boot on; None where signed registers do not say.

    Only what the firmware measured counts: data that hashes to its digest, in a register that the log leads to, and
    before the register's first separator. That one is found by its digest, since whoever sends the log picks types.
    """
    make = getattr(hashlib, HASHES[case.registers.algorithm])
    ends = {make(data).digest() for data in (*SEPARATORS, ERROR_SEPARATOR)}
    closed: set[int] = set()
    said: set[bytes] = set()
    for event, vouched in zip(case.log.events, case.vouched, strict=True):
        if event.extends and event.digest(case.registers.algorithm) in ends:
            closed.add(event.register)
        elif vouched and event.register not in closed and case.leads_to(event.register):
            said |= _secure_boot_values(event)
    if len(said) != 1:
        return None
    return said == {b"\x01"}


def _secure_boot_values(event: Event) -> set[bytes]:
    try:
        variable = UefiVariable.decode(event.data)
    except FormatError:
        return set()
    return {variable.value} if (variable.guid, variable.name) == (EFI_GLOBAL, "SecureBoot") else set()


def claims(case: Replay) -> dict[str, object]:
    """What the log says of the boot, for a log that led to its registers; at most 1024 events one by one.

    `data` is `measured` where a signed register vouches for what the event says, else `not measured`.
    """
    events = [
        {
            "register": case.registers.name(event.register),
            "type": type_name(event.type),
            "digest": (event.digest(case.registers.algorithm) or b"").hex(),
            "says": explain(event.type, event.data),
            "data": "measured" if vouched and case.leads_to(event.register) else "not measured",
        }
        for event, vouched in zip(case.log.events[:MAX_CLAIMED], case.vouched, strict=False)
        if event.extends
    ]
    lines = [
        line
        for event, vouched in zip(case.log.events, case.vouched, strict=True)
        if vouched and case.leads_to(event.register) and (line := command_line(event.type, event.data)) is not None
    ]
    return {
        "bank": case.registers.bank,
        "entries": len(case.log.events),
        "registers": {case.registers.name(index): case.leads_to(index) for index in case.compared()},
        "secure_boot": secure_boot(case),
        "kernel_command_lines": lines[:MAX_FINDINGS],
        "events": events,
    }


def _listed(case: Replay, indexes: list[int]) -> str:
    return ", ".join(case.registers.name(index) for index in indexes)
