"""The serial console: the host types on it, and holds the line for the SysRq key.

Sources: agetty(8), systemd-getty-generator(8); Linux Documentation/admin-guide/sysrq.rst.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from warily.adversary.attack import Attack, Seen, Together, refused, succeeded
from warily.adversary.control import LOGIN
from warily.adversary.targets import ControlTarget, ImageTarget, settle

HEARD_WITHIN: Final = 8.0
ANSWERED: Final = r"uid=\d+\("
OBEYED: Final = r"sysrq: (Loglevel set to|HELP|This sysrq operation is disabled)"


def login_arguments(folder: Path) -> Sequence[str]:
    """The credentials by which whoever opens the console is root."""
    del folder
    return LOGIN


def nothing(folder: Path) -> Sequence[str]:
    """The console is there in any case."""
    del folder
    return ()


def login_on_control(target: ControlTarget) -> Seen:
    """Whether Debian logs the host in."""
    if not target.shell:
        return refused("no shell opened on the serial console")
    return succeeded(f"typed id on the serial console, which answered: {target.run('id')}")


def login_on_image(target: ImageTarget) -> Seen:
    """Whether anybody reads what the host types."""
    since = target.terminal.size
    prompt = target.terminal.find(r"login: ?$|[#$] $")
    for _ in range(3):
        target.terminal.type("\nroot\nid\n")
        settle(1.0)
    line = target.terminal.wait_for(f"{ANSWERED}|login: ?$|[Pp]assword", HEARD_WITHIN, since=since)
    if line or prompt:
        return succeeded(f"the console answered: {line or prompt}")
    return target.nothing_happened("nothing on the serial console prompted for, echoed or obeyed what was typed")


def sysrq_on_control(target: ControlTarget) -> Seen:
    """Whether Debian's kernel takes orders by break."""
    line = break_and(target, "9")
    return succeeded(f"after a break and the key 9: {line}") if line else refused("the kernel ignored a break")


def sysrq_on_image(target: ImageTarget) -> Seen:
    """Whether the image's does."""
    line = break_and(target, "9")
    if line and "disabled" not in line:
        return succeeded(f"after a break and the key 9: {line}")
    return target.nothing_happened(f"after a break and the key 9: {line or 'silence'}")


def break_and(target: ControlTarget | ImageTarget, key: str) -> str | None:
    """What the kernel says to a SysRq key that asks it to print everything on the console."""
    for _ in range(2):  # a busy emulator may lose the first
        since = target.terminal.size
        target.terminal.send_break()
        settle(0.5)
        target.terminal.type(key)
        line = target.terminal.wait_for(OBEYED, HEARD_WITHIN / 2, since=since)
        if line:
            return line
    return None


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="console.login",
        title="The host types on the serial console, where a credential logs it in as root",
        component="runtime",
        catalogue=("A13", "A10"),
        how=Together(arguments=login_arguments, control=login_on_control, image=login_on_image),
    ),
    Attack(
        id="console.sysrq",
        title="A break on the serial line orders the kernel to print all it has to say to the host",
        component="runtime",
        catalogue=("A13",),
        how=Together(arguments=nothing, control=sysrq_on_control, image=sysrq_on_image),
    ),
)
