"""What the host can do to a running processor: interrupt it with what cannot be masked, and lie about the time.

Sources: Linux arch/x86/kernel/nmi.c (what is said of an interrupt of unknown origin), drivers/rtc/class.c.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from warily.adversary.attack import Attack, Seen, Together, detected, refused, succeeded, undecided
from warily.adversary.targets import ControlTarget, ImageTarget

BEHIND: Final = timedelta(days=30)  # systemd takes no date for the present that is before its own
UNKNOWN: Final = r"NMI received for unknown reason"
HEARD_WITHIN: Final = 6.0
ENDS_WITHIN: Final = 10.0
SET: Final = r"warily: the clock was (\d+) s (behind|ahead)"
FORMAT: Final = "%Y-%m-%d"


def last_month() -> datetime:
    """What the host says the time is."""
    return datetime.now(tz=UTC) - BEHIND  # noqa: TID251  # the laboratory acts in the present


def clock(folder: Path) -> Sequence[str]:
    """A real-time clock that is a month behind."""
    del folder
    return ("-rtc", f"base={last_month():%Y-%m-%dT%H:%M:%S}")


def clock_on_control(target: ControlTarget) -> Seen:
    """Whether Debian takes that for the time."""
    said = target.run(f"date -u +{FORMAT}")
    days = {(last_month() + timedelta(days=more)).strftime(FORMAT) for more in (-1, 0, 1)}
    if said in days:
        return succeeded(f"it takes today for {said}: what expired since is good again")
    return refused(f"it takes today for {said}")


def clock_on_image(target: ImageTarget) -> Seen:
    """Whether the image goes by it."""
    line = target.terminal.find(SET)
    if line is None:
        return undecided(f"nothing shows what the guest takes for the time; {target.fate}")
    return detected(f"on the console: {line.strip()}; {target.fate}")


def nothing(folder: Path) -> Sequence[str]:
    """Any machine can be interrupted."""
    del folder
    return ()


def interrupt(target: ControlTarget | ImageTarget) -> str | None:
    """What the kernel says to an interrupt that cannot be masked."""
    since = target.terminal.size
    target.machine.ask("inject-nmi")
    return target.terminal.wait_for(UNKNOWN, HEARD_WITHIN, since=since, alive=lambda: target.machine.running)


def interrupt_on_control(target: ControlTarget) -> Seen:
    """Whether Debian is interrupted, and goes on."""
    line = interrupt(target)
    if line is None:
        return refused("the kernel says nothing")
    return succeeded(f"the kernel was interrupted where the host chose, and went on: {line}")


def interrupt_on_image(target: ImageTarget) -> Seen:
    """Whether the image's kernel notices."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone")
    line = interrupt(target)
    if target.machine.wait(ENDS_WITHIN) is None:
        return undecided("the kernel says nothing") if line is None else succeeded(f"it went on: {line}")
    panic = target.terminal.find("Kernel panic")
    return detected(f"the machine ended itself: {panic or line or 'without a word'}")


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="processor.clock",
        title="The host's real-time clock is a month behind",
        component="runtime",
        catalogue=("E03",),
        how=Together(arguments=clock, control=clock_on_control, image=clock_on_image),
    ),
    Attack(
        id="processor.interrupt",
        title="The host interrupts the kernel with what cannot be masked",
        component="runtime",
        catalogue=("B06",),
        how=Together(arguments=nothing, control=interrupt_on_control, image=interrupt_on_image),
    ),
)
