"""Consoles: the host types on them, holds a line for the SysRq key, and presses it on a keyboard.

Sources: agetty(8), systemd-getty-generator(8); Linux Documentation/admin-guide/sysrq.rst.
"""

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from warily.adversary.attack import Attack, Seen, Together, refused, succeeded
from warily.adversary.control import LOGIN
from warily.adversary.targets import ControlTarget, ImageTarget, Target, settle

HEARD_WITHIN: Final = 8.0
SECOND: Final = "second.sock"
SLOT: Final = 0x09
LIMIT: Final = 1 << 16
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


def keyboard_on_control(target: ControlTarget) -> Seen:
    """Whether Debian's kernel takes orders from a keyboard that the host presses."""
    line = press(target, "9")
    return succeeded(f"after Alt, SysRq and 9: {line}") if line else refused("no driver reads the keyboard")


def keyboard_on_image(target: ImageTarget) -> Seen:
    """Whether the image's does."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone")
    line = press(target, "9")
    if line and "disabled" not in line:
        return succeeded(f"after Alt, SysRq and 9: {line}")
    return target.nothing_happened(f"after Alt, SysRq and 9: {line or 'silence'}")


def press(target: Target, key: str) -> str | None:
    """What the kernel says to SysRq and a key on its PS/2 keyboard."""
    since = target.terminal.size
    keys = [{"type": "qcode", "data": name} for name in ("alt", "sysrq", key)]
    target.machine.ask("send-key", keys=keys)
    return target.terminal.wait_for(OBEYED, HEARD_WITHIN / 2, since=since)


def another(folder: Path) -> Sequence[str]:
    """A virtio console, on a bus of its own."""
    return (
        *("-chardev", f"socket,id=second,path={folder / SECOND},server=on,wait=off"),
        *("-device", f"virtio-serial-pci,id=secondbus,bus=pcie.0,addr={SLOT:#x},disable-legacy=on"),
        *("-device", "virtconsole,bus=secondbus.0,chardev=second"),
    )


def typed(target: Target) -> str | None:
    """What the second console answers to `id`, typed three times; None where nobody does."""
    said = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(HEARD_WITHIN / 4)
        connection.connect(str(target.folder / SECOND))
        for _ in range(3):
            connection.sendall(b"\nid\n")
            with suppress(TimeoutError):
                while len(said) < LIMIT and (piece := connection.recv(4096)):
                    said += piece
                    found = re.search(ANSWERED + r".*", said.decode("utf-8", "replace"))
                    if found:
                        return found[0].strip()
    return None


def second_on_control(target: ControlTarget) -> Seen:
    """Whether Debian logs the host in there too."""
    said = typed(target)
    return succeeded(f"typed id on a virtio console, which answered: {said}") if said else refused("nobody answered")


def second_on_image(target: ImageTarget) -> Seen:
    """Whether anybody reads it."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone")
    said = typed(target)
    if said:
        return succeeded(f"typed id on a virtio console, which answered: {said}")
    return target.nothing_happened(f"nobody answered on a virtio console; {target.device(SLOT)}")


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
    Attack(
        id="console.keyboard",
        title="The SysRq key of a keyboard orders the kernel to print all it has to say to the host",
        component="runtime",
        catalogue=("A13", "F12"),
        how=Together(arguments=nothing, control=keyboard_on_control, image=keyboard_on_image),
    ),
    Attack(
        id="console.virtio",
        title="A second console that nobody asked for logs the host in as root",
        component="runtime",
        catalogue=("A13", "F02"),
        how=Together(arguments=another, control=second_on_control, image=second_on_image),
    ),
)
