"""What an attack is: how it is mounted, what is seen of it, and what that means.

Each is mounted twice, on the control first: a plain Debian machine. A refusal counts where the control fell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warily.adversary.lab import Lab
    from warily.adversary.targets import ControlTarget, ImageTarget

EVIDENCE_LIMIT: Final = 400


class Verdict(StrEnum):
    """What became of one attack on one machine."""

    REFUSED = "refused"
    """Nothing that the attack asked for happened, or no key was given to what it had changed."""

    DETECTED = "detected"
    """It had an effect, and the machine, its broker or its owner noticed before anything was gained."""

    SUCCEEDED = "succeeded"
    """The host got what it was after."""

    UNDECIDED = "undecided"
    """What happened could not be seen, so nothing is claimed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A verdict and the concrete text it rests on: a line of a console, bytes of memory, a decision of the broker."""

    verdict: Verdict
    evidence: str

    @property
    def line(self) -> str:
        """The evidence as one bounded line without control characters."""
        text = " ".join("".join(char if char.isprintable() else " " for char in self.evidence).split())
        return text if len(text) <= EVIDENCE_LIMIT else text[: EVIDENCE_LIMIT - 1] + "…"


def refused(evidence: str) -> Seen:
    """The attack came to nothing."""
    return Seen(Verdict.REFUSED, evidence)


def detected(evidence: str) -> Seen:
    """The attack had an effect that was noticed in time."""
    return Seen(Verdict.DETECTED, evidence)


def succeeded(evidence: str) -> Seen:
    """The host got what it was after."""
    return Seen(Verdict.SUCCEEDED, evidence)


def undecided(evidence: str) -> Seen:
    """Nobody saw what happened."""
    return Seen(Verdict.UNDECIDED, evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """An attack that only adds to a machine, so that one boot serves many.

    `arguments` are QEMU's, for files and sockets made in the folder it is given. The functions look at, and
    talk to, a machine that is up and was started with the arguments of every attack of this kind; one
    attack's must not disturb another's.
    """

    arguments: Callable[[Path], Sequence[str]]
    control: "Callable[[ControlTarget], Seen]"
    image: "Callable[[ImageTarget], Seen]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """An attack that needs machines, brokers or verifiers of its own. Runs beside others of its kind."""

    control: "Callable[[Lab], Seen]"
    image: "Callable[[Lab], Seen]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One row of the matrix. `id` is dotted and stable; `catalogue` are rows of `data/attacks.tsv`.

    `component` is one of the seven whose cell it tests; `title` is what the host does, as a sentence.
    """

    id: str
    title: str
    component: str
    catalogue: tuple[str, ...]
    how: Together | Alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An attack that was mounted: on the control (None where that was not asked for) and on the image."""

    attack: Attack
    control: Seen | None
    image: Seen
    seconds: float

    @property
    def means_something(self) -> bool:
        """The control fell, so that the image's refusal is its own merit."""
        return self.control is not None and self.control.verdict is Verdict.SUCCEEDED

    def as_json(self) -> dict[str, object]:
        """The row that `--json` promises."""
        return {
            "id": self.attack.id,
            "title": self.attack.title,
            "component": self.attack.component,
            "catalogue": list(self.attack.catalogue),
            "control": None if self.control is None else self.control.verdict.value,
            "control_evidence": None if self.control is None else self.control.line,
            "verdict": self.image.verdict.value,
            "evidence": self.image.line,
            "seconds": round(self.seconds, 1),
        }
