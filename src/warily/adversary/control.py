"""Boots of the control: a plain Debian machine, with whatever a hostile host adds to it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warily.adversary.machines import Machines
from warily.adversary.plain_debian import CPUS, MEMORY, PlainDebian
from warily.adversary.targets import PROMPT, ControlTarget
from warily.adversary.terminal import CHARDEV, Terminal
from warily.core.declaration import Platform
from warily.launch.plan import MIB, Accelerator, Plan, execution
from warily.launch.runner import Machine

UP_WITHIN: Final = 600.0  # of a busy machine; a quiet one takes two minutes
SHELL_WITHIN: Final = 30.0
CREDENTIAL: Final = "type=11,value=io.systemd.credential:"
SEARCHED: Final = "host.example"  # the domain in which the host's network has names looked for
LOGIN: Final = (
    *("-smbios", f"{CREDENTIAL}agetty.autologin=root"),
    *("-smbios", f"{CREDENTIAL}login.noauth=yes"),
)
"""Whoever opens the serial console of a systemd machine with these is root: agetty(8), systemd-getty-generator(8)."""
QUIET_SHELL: Final = "stty -echo cols 1000; PS1= PS2= PROMPT_COMMAND= TERM=dumb\n"


@dataclass(frozen=True, slots=True)
class Control:
    """The control and what executes it."""

    files: PlainDebian
    accelerator: Accelerator
    machines: Machines

    def argv(self, run: Path, *, command_line: str | None = None) -> tuple[str, ...]:
        """The launch of the control: the same machine as the image's, with its own kernel and disk.

        Nothing that is written reaches the disk's file.
        """
        line = self.files.command_line if command_line is None else command_line
        return (
            *("qemu-system-x86_64", *execution(self.accelerator)),
            *("-machine", "q35,sata=off,smbus=off,usb=off,vmport=off,graphics=off"),
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
            *("-smp", str(CPUS), "-m", f"{MEMORY // MIB}M"),
            *("-bios", str(self.files.firmware)),
            *("-kernel", str(self.files.kernel), "-initrd", str(self.files.initrd), "-append", line),
            *("-chardev", f"{CHARDEV}{run / 'console.sock'}", "-serial", "chardev:console"),
            *("-chardev", f"socket,id=monitor,path={run / 'monitor.sock'},server=on,wait=off"),
            *("-mon", "chardev=monitor,mode=control"),
            *(
                "-netdev",
                f"user,id=net0,restrict=on,domainname={SEARCHED}",
                "-device",
                "virtio-net-pci,netdev=net0,romfile=",
            ),
            *("-drive", f"file={self.files.disk},if=none,id=disk,format=raw,snapshot=on"),
            *("-device", "virtio-blk-pci,drive=disk"),
        )

    @contextmanager
    def boot(self, argv: Sequence[str], run: Path) -> Iterator[tuple[Machine, Terminal]]:
        """The control started with this argument vector, made for folder `run`; stopped after the block."""
        plan = Plan(
            tee=Platform.REHEARSAL,
            argv=tuple(argv),
            cpu="",
            policy=0,
            host_data=b"",
            reads=(),
            writes=(),
            monitor_socket=str(run / "monitor.sock"),
            sp_socket=None,
            ports=(),
        )
        started = Machine(plan, log=run / "console.log")
        with Terminal(run / "console.sock") as terminal, self.machines.kept(started) as machine:
            yield machine, terminal

    @contextmanager
    def up(self, arguments: Sequence[str], folder: Path) -> Iterator[ControlTarget]:
        """The control with these arguments of QEMU's, once it gives its host a shell; killed after the block."""
        with tempfile.TemporaryDirectory(prefix="warily-attack-") as place:
            run = Path(place)
            login = () if LOGIN[1] in arguments else LOGIN
            with self.boot((*self.argv(run), *login, *arguments), run) as (machine, terminal):
                shell = quiet_shell(machine, terminal, UP_WITHIN)
                yield ControlTarget(folder=folder, machine=machine, terminal=terminal, shell=shell)
                machine.kill()


def quiet_shell(machine: Machine, terminal: Terminal, within: float, prompt: str = PROMPT) -> bool:
    """A shell that prompts on the console now echoes and prompts no more; whether there is one."""
    if terminal.wait_for(prompt, within, alive=lambda: machine.running) is None:
        return False
    terminal.type(QUIET_SHELL)
    since = terminal.size
    terminal.type("echo ready'now'\n")
    return terminal.wait_for(r"\breadynow$", SHELL_WITHIN, since=since) is not None
