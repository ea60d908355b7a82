"""Another kernel, initial RAM file system or command line than the owner signed.

The control boots whatever it is given. The image may boot it too: what counts is that its launch digest is another,
and that the broker gives no key for it.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warily.adversary.attack import Alone, Attack, Seen, refused, succeeded, undecided
from warily.adversary.control import quiet_shell
from warily.adversary.stage import Change, Played, Stage, replacing, unchanged
from warily.adversary.targets import MARK, ControlTarget
from warily.core import built
from warily.formats import cpio

if TYPE_CHECKING:
    from warily.adversary.lab import Lab

SHELL_WITHIN: Final = 240.0
BARE_PROMPT: Final = r"^.*[#$] $"
SETUP_VERSION: Final = 0x20E  # Linux Documentation/arch/x86/boot.rst: offset of the version string, less 0x200
CONFIGURATION: Final = "conf/conf.d/host"  # initramfs-tools(7) reads it as a shell script, as root
MORE_WORDS: Final = "loglevel=5"


def other_version(kernel: bytes) -> bytes:
    """The kernel with one bit of its version string changed, which nothing executes."""
    at = int.from_bytes(kernel[SETUP_VERSION : SETUP_VERSION + 2], "little") + 0x200
    return kernel[:at] + bytes([kernel[at] ^ 1]) + kernel[at + 1 :]


def with_more(initrd: bytes, name: str, text: str) -> bytes:
    """A second archive behind the first: the kernel unpacks both."""
    folders = [str(folder) for folder in list(Path(name).parents)[-2::-1]]
    entries = [cpio.Entry(name=folder, mode=0o040755) for folder in folders]
    more = cpio.encode([*entries, cpio.Entry(name=name, mode=0o100755, data=text.encode())])
    return initrd + bytes(-len(initrd) % 512) + more


def on_control(lab: "Lab", *, part: str) -> Seen:
    """Whether Debian boots what it was given, and what the host gets of it: a root shell before anything else."""
    files = lab.control.files
    with tempfile.TemporaryDirectory(prefix="warily-attack-") as place:
        run = Path(place)
        line = files.command_line + (" init=/bin/sh" if part != "initrd" else "")
        argv = lab.control.argv(run, command_line=line)
        if part == "kernel":
            (run / "kernel").write_bytes(other_version(files.kernel.read_bytes()))
            argv = replacing("-kernel", lambda _: str(run / "kernel"))(argv)
        if part == "initrd":
            script = f"echo {MARK} initrd ran as process $$ of the initial RAM file system >/dev/console\n"
            (run / "initrd").write_bytes(with_more(files.initrd.read_bytes(), CONFIGURATION, script))
            argv = replacing("-initrd", lambda _: str(run / "initrd"))(argv)
        with lab.control.boot(argv, run) as (machine, terminal):
            target = ControlTarget(folder=run, machine=machine, terminal=terminal, shell=part != "initrd")
            if part == "initrd":
                line_seen = target.printed("initrd", SHELL_WITHIN)
                machine.kill()
                return succeeded(f"on the console: {line_seen}") if line_seen else refused("the added script never ran")
            if not quiet_shell(machine, terminal, SHELL_WITHIN, BARE_PROMPT):
                return refused("it did not boot to a shell")
            said = target.run("id -u; cat /proc/1/comm")
            machine.kill()
    what = "the changed kernel booted" if part == "kernel" else "the added words were obeyed"
    uid, _, name = said.partition("\n")
    return succeeded(f"{what}: process 1 is {name.strip()}, a shell on the host's console with uid {uid.strip()}")


def on_image(lab: "Lab", *, part: str) -> Seen:
    """Whether a key was given to an image that is not the signed one."""
    change: Change = unchanged
    with lab.lived().copy() as stage:
        if part == "command-line":
            change = replacing("-append", lambda line: f"{line} {MORE_WORDS}")
        elif part == "kernel":
            stage.change_image(built.KERNEL, _in_place(other_version))
        else:
            stage.change_image(built.INITRD, _in_place(partial(with_more, name="surprise", text="#!/bin/sh\n")))
        return judged(stage, stage.play(change=change))


def judged(stage: Stage, played: Played) -> Seen:
    """No grant: refused. A grant: the host has keys for a machine that nobody signed."""
    del stage
    if "grant" in played.events:
        return succeeded("the broker granted the keys")
    refusals = [row["detail"] for row in played.decisions if row["event"] == "refuse"]
    checks = [str(detail.get("finding", {}).get("check", "?")) for detail in refusals if isinstance(detail, dict)]
    if checks:
        return refused(f"the broker refused it by {', '.join(checks)}; the guest said: {played.refusal}")
    if played.refusal:
        return refused(f"the guest stopped before it asked for keys: {played.refusal}")
    return undecided(f"the machine ended without a word: {' / '.join(played.lines[-3:])}")


def _in_place(change: Callable[[bytes], bytes]) -> Callable[[bytearray], None]:
    def changed(content: bytearray) -> None:
        content[:] = change(bytes(content))

    return changed


def _attack(part: str, title: str) -> Attack:
    return Attack(
        id=f"boot.{part}",
        title=title,
        component="attestation",
        catalogue=("A14",),
        how=Alone(control=partial(on_control, part=part), image=partial(on_image, part=part)),
    )


ATTACKS: Final[tuple[Attack, ...]] = (
    _attack("kernel", "The host boots another kernel"),
    _attack("initrd", "The host adds files to the initial RAM file system"),
    _attack("command-line", "The host adds words to the kernel's command line"),
)
