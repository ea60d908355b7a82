"""Event logs of measured boot as trees: TCG logs of a TPM, and CCEL logs of TDX. No digest is recomputed here."""

from collections.abc import Iterator
from typing import Final

from warily.core.registers import HASHES
from warily.errors import FormatError
from warily.formats.tcg_log import Event, EventLog, is_log, type_name
from warily.formats.uefi_events import explain
from warily.verify.inspect.node import Node, clean, few, shown

SHA384: Final = 0x000C
MEASUREMENT_REGISTERS: Final = ("MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3")
_HEAD: Final = 12  # register, type, and what follows, up to the digests

__all__ = ["is_log", "log_node"]


def log_node(data: bytes) -> Node:
    """A log, entry by entry; one that is malformed is said to be."""
    try:
        log = EventLog.decode(data)
    except FormatError as error:
        return Node(name="event log", offset=0, size=len(data), note=f"malformed: {error}")
    banks = ", ".join(_bank(number) for number, _ in log.algorithms)
    measured = _is_ccel(log)
    ends = [*(event.offset for event in log.events[1:]), len(data) - len(log.padding)]
    parts = few(_event(event, end, measured=measured) for event, end in zip(log.events, ends, strict=False))
    head = () if log.header is None else (_header(log.header, log.events[0].offset if log.events else len(data)),)
    rest = (
        (
            Node(
                name="padding", offset=len(data) - len(log.padding), size=len(log.padding), value=shown(log.padding[:1])
            ),
        )
        if log.padding
        else ()
    )
    kind = "CCEL event log" if measured else "TCG event log"
    value = f"{len(log.events)} entries, {banks}"
    note = "the registers' numbers are those of TDX" if measured else ""
    return Node(name=kind, offset=0, size=len(data), value=value, note=note, parts=(*head, *parts, *rest))


def _is_ccel(log: EventLog) -> bool:
    """Whether the log can only be of TDX: SHA-384 alone, and no register beyond RTMR3."""
    alone = [number for number, _ in log.algorithms] == [SHA384]
    return alone and all(event.register < len(MEASUREMENT_REGISTERS) for event in log.events)


def _header(event: Event, end: int) -> Node:
    signature = event.data[:15].decode("ascii", "replace")
    return Node(name="header", offset=event.offset, size=end - event.offset, value=clean(signature))


def _event(event: Event, end: int, *, measured: bool) -> Node:
    register = MEASUREMENT_REGISTERS[event.register] if measured else f"PCR{event.register}"
    note = "" if event.extends else "extends nothing"
    parts = tuple(_parts(event, end))
    return Node(
        name=clean(f"{register} {type_name(event.type)}"),
        offset=event.offset,
        size=end - event.offset,
        value=clean(explain(event.type, event.data)),
        note=note,
        parts=parts,
    )


def _parts(event: Event, end: int) -> Iterator[Node]:
    for number, digest in event.digests:
        yield Node(name=f"digest {_bank(number)}", size=len(digest), value=shown(digest))
    yield Node(name="data", offset=end - len(event.data), size=len(event.data), value=shown(event.data))


def _bank(number: int) -> str:
    return HASHES.get(number, f"{number:#06x}")
