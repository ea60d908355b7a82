"""A stage for the user's image: its real broker, its real processor, real boots, each changed in one respect.

The machine is the laboratory's own. It has the project's image, and an identity, disks and a broker that live as
long as the stage does; the project's own machine is never touched.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from warily.adversary.machines import Machines
from warily.adversary.terminal import CHARDEV, Terminal
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.launch.plan import Plan
from warily.launch.rehearsal_keys import hierarchy
from warily.launch.rehearsal_sp import Processor
from warily.launch.runner import Ending, Machine, choose_ports
from warily.up.broker import Broker, Operator
from warily.up.machine import Home, disks, identity
from warily.up.session import broker_arguments, launch_plan

END_WITHIN: Final = 300.0
CONSOLE: Final = "console.sock"
OWN_CONSOLE: Final = "stdio,id=console,signal=off"
REFUSAL: Final = r"warily: refused: "

Change = Callable[[tuple[str, ...]], tuple[str, ...]]
"""From the argument vector that `warily up` would use to the hostile host's."""


def unchanged(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The launch as `warily up` makes it."""
    return argv


def adding(arguments: Sequence[str]) -> Change:
    """The launch with these arguments of QEMU's after its own."""
    return lambda argv: (*argv, *arguments)


def replacing(option: str, change: Callable[[str], str]) -> Change:
    """The launch in which the word after `option` is another."""

    def changed(argv: tuple[str, ...]) -> tuple[str, ...]:
        at = argv.index(option) + 1
        return (*argv[:at], change(argv[at]), *argv[at + 1 :])

    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One machine of the user's image that was started, and the host's end of its console."""

    machine: Machine
    terminal: Terminal
    launch: Plan

    def until_end(self, within: float = END_WITHIN) -> Ending | None:
        """How the machine ended by itself; None where it still ran after `within` seconds."""
        return self.machine.wait(within)

    @property
    def refusal(self) -> str | None:
        """The line in which the guest said why it stops, if it did."""
        return self.terminal.find(REFUSAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one boot that ended by itself: its ending, its console, the broker's decisions meanwhile."""

    ending: Ending | None
    lines: list[str]
    decisions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        """The broker's decisions by name, such as `grant` and `refuse`."""
        return [str(row["event"]) for row in self.decisions]

    @property
    def refusal(self) -> str | None:
        """The line in which the guest said why it stopped."""
        return next((line[line.index("warily: ") :] for line in self.lines if "warily: refused: " in line), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A machine of the image, booted step by step as `warily up` does it."""

    home: Home
    manifest: Manifest
    machines: Machines = field(default_factory=Machines)

    @property
    def identity(self) -> bytes:
        """The machine's identity, which its volumes belong to."""
        return identity(self.home, self.manifest.name)

    @property
    def disks(self) -> tuple[Path, ...]:
        """The disks of its volumes, in slot order; made where they are missing."""
        return tuple(Path(path) for path in disks(self.home, self.manifest))

    @contextmanager
    def copy(self) -> Iterator["Stage"]:
        """The same machine, disks and broker once more, to be changed at will; gone after the block."""
        with tempfile.TemporaryDirectory(prefix="copy-", dir=self.home.machine.parent) as folder:
            yield self.copied_to(Path(folder))

    def copied_to(self, folder: Path) -> "Stage":
        """The same machine, disks and broker once more, in `folder`, for as long as that is there."""
        for part in (self.home.machine, self.home.broker, self.home.rehearsal):
            shutil.copytree(part, folder / part.name)
        (folder / self.home.image.name).symlink_to(self.home.image.resolve())  # a copy outlives its original
        home = Home(
            project=self.home.project,
            image=folder / self.home.image.name,
            machine=folder / self.home.machine.name,
            broker=folder / self.home.broker.name,
            rehearsal=folder / self.home.rehearsal.name,
        )
        return replace(self, home=home)

    def change_image(self, name: str, change: Callable[[bytearray], object]) -> None:
        """In this copy's image the file `name` is another, and nothing else. Call it on a copy alone."""
        link = self.home.image
        original = link.resolve()
        content = bytearray((original / name).read_bytes())
        change(content)
        link.unlink()
        link.mkdir()
        for path in original.iterdir():
            (link / path.name).symlink_to(path)
        (link / name).unlink()
        (link / name).write_bytes(content)

    @contextmanager
    def broker(self) -> Iterator[Broker]:
        """The project's broker on this machine's database; it may still be starting."""
        with Broker(self.home.broker, broker_arguments(self.home, hierarchy(self.home.rehearsal))) as broker:
            yield broker

    @contextmanager
    def boot(
        self, broker: tuple[str, int], *, change: Change = unchanged, measured: Change = unchanged
    ) -> Iterator[Boot]:
        """A started machine. `change` is what the host does to the launch.

        The rehearsal processor measures the launch after `change`, as hardware would; `measured` lies to it.
        """
        with tempfile.TemporaryDirectory(prefix="warily-attack-") as run:
            honest = launch_plan(
                self.home,
                self.manifest,
                Platform.REHEARSAL,
                run=run,
                broker=broker,
                ports=choose_ports([replace(port, host=0) for port in self.manifest.ports]),
            )
            console = Path(run) / CONSOLE
            words = tuple(f"{CHARDEV}{console}" if word == OWN_CONSOLE else word for word in honest.argv)
            launch = replace(honest, argv=change(words))
            with (
                Terminal(console) as terminal,
                Processor(replace(launch, argv=measured(launch.argv)), hierarchy(self.home.rehearsal)),
                self.machines.kept(Machine(launch, log=Path(run) / "console.log")) as machine,
            ):
                yield Boot(machine=machine, terminal=terminal, launch=launch)

    def play(self, *, change: Change = unchanged, measured: Change = unchanged) -> Played:
        """The machine was booted with the project's broker, and ran until it ended by itself."""
        with self.broker() as broker, self.boot(broker.endpoint, change=change, measured=measured) as boot:
            operator = broker.wait_until_ready()
            seen = len(decisions(operator))
            ending = boot.until_end()
            return Played(ending=ending, lines=boot.terminal.lines(), decisions=decisions(operator, after=seen))


def decisions(operator: Operator, *, after: int = 0) -> list[dict[str, Any]]:
    """The broker's audit trail after row `after`, oldest first."""
    found: Any = operator.get(f"/v1/operator/audit?after={after}")
    rows: list[dict[str, Any]] = found["rows"]
    return rows


def lab_home(project: Home, folder: Path) -> Home:
    """A machine that never was, with the project's image: its state lies in `folder`."""
    home = Home(
        project=project.project,
        image=project.image,
        machine=folder / "machine",
        broker=folder / "broker",
        rehearsal=folder / "rehearsal",
    )
    for part in (home.machine, home.broker, home.rehearsal):
        part.mkdir(mode=0o700)
    return home
