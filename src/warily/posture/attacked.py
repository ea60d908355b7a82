"""What a laboratory's attacks on the image add to its cells. Pure.

A refusal makes no cell better: an emulator is not the hardware, and a laboratory mounts what it knows. It is shown
beside the cell, for what it is. An attack that succeeded exposes its component, whatever else is said of it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from warily.formats.attack_run import DETECTED, REFUSED, SUCCEEDED, AttackRow, AttackRun
from warily.posture.cell import Cell, Grade, State, clip

SHOWN: Final = 2  # ids that a line names before it counts the others


def with_attacks(cell: Cell, run: AttackRun | None) -> Cell:
    """The cell, with what became of the attacks on its component."""
    rows = [row for row in run.attacks if row.component == cell.component.value] if run else []
    told = [row for row in rows if row.verdict == SUCCEEDED or row.means_something]
    lines = tuple(_line(told, verdict) for verdict in (SUCCEEDED, DETECTED, REFUSED))
    made = replace(cell, attacked=tuple(line for line in lines if line))
    lost = next((row for row in rows if row.verdict == SUCCEEDED), None)
    if lost is None or cell.state is State.EXPOSED:
        return made
    because = clip(f"in the laboratory {lost.id} succeeded on this image")
    return replace(made, state=State.EXPOSED, grade=Grade.E0, because=because, who="", evidence=(), mediators=())


def _line(rows: Iterable[AttackRow], verdict: str) -> str:
    """Which attacks came out so, in one line; empty where none did."""
    names = [row.id for row in rows if row.verdict == verdict]
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return clip(f"attacked with {', '.join(names[:SHOWN])}{more}: {verdict}")
