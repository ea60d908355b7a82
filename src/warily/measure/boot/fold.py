"""Fold a list of boot events into registers: register = H(register ‖ digest), from zeros, in order.

Source: TCG PC Client Platform Firmware Profile 1.06, section 2.3.4 (PCRs); Intel TDX Virtual Firmware Design Guide,
section 8 (RTMRs, and which PCR index belongs to which).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from warily.core.registers import Step
from warily.formats.tcg_log import type_name
from warily.measure.boot.event import BootEvent

# PCR index → the register of the platform that it stands for; None where the platform has none for it.
Place = Callable[[int], str | None]

RTMR_OF_PCR: Final = {1: 0, 7: 0} | dict.fromkeys(range(2, 7), 1) | dict.fromkeys(range(8, 16), 2)


def pcr(index: int) -> str:
    """The PCR of that index, by name."""
    return f"pcr{index}"


def rtmr(index: int) -> str | None:
    """The RTMR that stands for a PCR index on TDX; None for PCR 0, which MRTD stands for, and for PCRs over 15."""
    number = RTMR_OF_PCR.get(index)
    return None if number is None else f"rtmr{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What a list of events leads to.

    `registers` has the value of each register that some event extends. `absent` names those registers whose value
    cannot be told, and the first reason why. `trace` has one step for each event of the others, in order.
    """

    registers: Mapping[str, bytes]
    absent: Mapping[str, str] = field(default_factory=dict)
    trace: tuple[Step, ...] = ()


def fold(
    events: Iterable[BootEvent], algorithm: str, *, place: Place = pcr, start: Mapping[str, bytes] | None = None
) -> Folded:
    """The registers that `events` lead to in the bank of `algorithm` (as hashlib names it).

    Registers begin as zeros, or as `start` says (PCR 0 after a start from another locality). An event that does not
    extend, or whose register the platform does not have, moves nothing. Time is linear in the number of events.
    """
    size = hashlib.new(algorithm).digest_size
    values: dict[str, bytes] = dict(start or {})
    absent: dict[str, str] = {}
    trace: list[Step] = []
    for event in events:
        register = place(event.register)
        if register is None or not event.extends:
            continue
        digest = event.digest(algorithm)
        if digest is None:
            absent.setdefault(register, f"{event.name}: {event.because or f'no {algorithm} digest is known'}")
            continue
        values[register] = hashlib.new(algorithm, values.get(register, bytes(size)) + digest).digest()
        trace.append(_step(event, register, digest, values[register]))
    return Folded(
        registers={name: value for name, value in values.items() if name not in absent},
        absent=absent,
        trace=tuple(step for step in trace if step.register not in absent),
    )


def _step(event: BootEvent, register: str, digest: bytes, after: bytes) -> Step:
    source = f"{event.name} ({event.ingredient})" if event.ingredient else event.name
    return Step(
        step=type_name(event.type), input=source, input_digest=digest.hex(), after=after.hex(), register=register
    )
