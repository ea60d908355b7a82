"""What attacks look at and talk to: a running control, and a running machine of the user's image.

The host sees the console, the memory (an emulator encrypts nothing), the state of its own devices, and what the
broker was told. On the control it also has a root shell, given to it by a credential; that is the control's
weakness, and the laboratory's way to see what became of the other attacks.
"""

import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from warily.adversary.attack import Seen, refused, undecided
from warily.adversary.terminal import Terminal
from warily.errors import HostError
from warily.launch.runner import Machine
from warily.posture.facts import Facts

MARK: Final = "warily-attack"
ANSWER_WITHIN: Final = 30.0
PROMPT: Final = r"root@\S+:.*# "


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running machine. `folder` is the one that the attacks' arguments were made for."""

    folder: Path
    machine: Machine
    terminal: Terminal

    def memory(self, address: int, size: int) -> bytes:
        """The guest's memory at a physical address, as its host reads it."""
        path = self.folder / "memory.bin"
        self.machine.ask("pmemsave", val=address, size=size, filename=str(path))
        found = path.read_bytes()
        path.unlink()
        return found

    def driver_status(self, device: str) -> list[str]:
        """What the guest's driver has set in the status of the host's virtio device `device` (its `id`).

        Empty where no driver has touched it. Source: Virtual I/O Device 1.2, 2.1 Device Status Field.
        """
        path = f"/machine/peripheral/{device}/virtio-backend"
        found: dict[str, Any] = self.machine.ask("x-query-virtio-status", path=path)
        statuses = found["status"]["statuses"]
        return [str(text).partition(":")[0] for text in statuses]

    def printed(self, what: str, within: float = 0.0) -> str | None:
        """The line with which the payload of attack `what` says on the console that it ran."""
        pattern = rf"{MARK} {what} "
        return self.terminal.wait_for(pattern, within, alive=lambda: self.machine.running)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTarget(Target):
    """A plain Debian machine that is up."""

    shell: bool
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def run(self, command: str) -> str:
        """What a command prints in the root shell that a credential opened. Raises `HostError` without one."""
        if not self.shell:
            raise HostError("the control has no shell")
        number, since = next(self._numbers), self.terminal.size
        self.terminal.type(f"\necho; echo begin'{number}'; {command}; echo end'{number}'\n")
        if self.terminal.wait_for(rf"\bend{number}$", ANSWER_WITHIN, since=since) is None:
            message = f"the control does not answer to {command}"
            raise HostError(message)
        lines = self.terminal.lines(since)
        first, last = (_place(lines, f"{word}{number}") for word in ("begin", "end"))
        return "\n".join(lines[first + 1 : last]).strip()


def _place(lines: Sequence[str], word: str) -> int:
    """The line that ends with the word; a shell may have moved the cursor before it."""
    return next(number for number, line in enumerate(lines) if re.search(rf"\b{word}$", line))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTarget(Target):
    """A machine of the user's image, some seconds after it came up; or after it ended.

    `facts` are what the broker holds of it, None where it did not come up; `fate` says which, in words.
    """

    facts: Facts | None
    fate: str

    def nothing_happened(self, evidence: str) -> Seen:
        """The verdict on an attack of which `evidence` shows no trace: a machine that works has refused it."""
        if self.facts is not None and self.facts.accepted:
            return refused(f"{evidence}; {self.fate}")
        if "warily: refused: " in self.fate:
            return refused(f"{evidence}; the machine gave up before it had a key: {self.fate}")
        return undecided(f"{evidence}; but {self.fate}")

    def device(self, slot: int) -> str:
        """What the guest's attested state says of function 0 in a slot of PCI bus 0: a sentence."""
        sample = None if self.facts is None else self.facts.sample
        if sample is None:
            return "there is no evidence that could mention the device"
        name = f"pci/0000:00:{slot:02x}.0"
        taken = next((entry for entry in sample.devices if entry.at == name), None)
        released = self.released(slot)
        if released:
            return f"the evidence says that driver {released} had taken it, and was taken off it before anything else"
        if taken is None:
            return "the evidence does not mention the device"
        if not taken.driver:
            return "the evidence lists it as bound to no driver"
        return f"the evidence lists it as bound to driver {taken.driver}"

    def released(self, slot: int) -> str:
        """The driver that the guest's first program took off the device in that slot; empty where none was."""
        sample = None if self.facts is None else self.facts.sample
        name = f"pci/0000:00:{slot:02x}.0"
        return next((entry.driver for entry in sample.released if entry.at == name), "") if sample else ""

    def driver(self, slot: int) -> str:
        """The driver that was bound to it when the guest gave its evidence; empty where none was."""
        sample = None if self.facts is None else self.facts.sample
        name = f"pci/0000:00:{slot:02x}.0"
        return next((entry.driver for entry in sample.devices if entry.at == name), "") if sample else ""


def settle(seconds: float) -> None:
    """Time for what would happen to happen."""
    time.sleep(seconds)
