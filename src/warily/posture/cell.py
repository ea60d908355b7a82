"""A cell: what one adversary can do through one component, and how well that is known.

A cell speaks of its own component alone. Exposed memory undoes what the other components hold, so the
`mediators` of a cell name what it leans on, and the names of `names.py` ask for several cells at once.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

WIDTH: Final = 76  # columns of one sentence, so that a terminal of 80 shows it whole


class Component(StrEnum):
    """The seven components, in the order in which a machine meets them."""

    MEMORY = "memory"
    FIRMWARE = "firmware"
    STORAGE = "storage"
    NETWORK = "network"
    DEVICES = "devices"
    ATTESTATION = "attestation"
    RUNTIME = "runtime"


class Adversary(StrEnum):
    """Who is to be kept out. Each can do what the one before it can, and more.

    The hypervisor is the machine monitor alone; the host's administrator owns every program and disk of
    the host; the cloud operator owns many hosts, their network and what is sold as trusted around them.
    """

    HYPERVISOR = "hypervisor"
    HOST_ADMIN = "host-admin"
    CLOUD_OPERATOR = "cloud-operator"


class State(StrEnum):
    """What holds against an adversary.

    Excluded: it cannot. Detected: it can, and the verifier sees it. Assumed: it cannot if somebody named
    keeps their word. Exposed: it can, and nothing shows it. Unknown: evidence is missing.
    """

    EXCLUDED = "excluded"
    DETECTED = "detected"
    ASSUMED = "assumed"
    EXPOSED = "exposed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Grade(IntEnum):
    """How well a state is known. A cell has the least grade of the chain it rests on."""

    E0 = 0
    E1 = 1
    E2 = 2
    E3 = 3
    E4 = 4
    E5 = 5


MEANING: Final[dict[Grade, str]] = {
    Grade.E0: "asserted",
    Grade.E1: "sampled by guest software",
    Grade.E2: "a chain that a verifier checked",
    Grade.E3: "in a register, by a measured kernel",
    Grade.E4: "measured by hardware at launch",
    Grade.E5: "enforced by hardware, and endorsed",
}

# What may be relied on. Exposed and unknown are worth the same: nothing.
_WORTH: Final[dict[State, int]] = {
    State.UNKNOWN: 0,
    State.EXPOSED: 0,
    State.ASSUMED: 1,
    State.DETECTED: 2,
    State.EXCLUDED: 3,
    State.NOT_APPLICABLE: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One adversary, one component, one aspect of it.

    `evidence` holds the check ids that support the state, `mediators` what else it leans on, `because`
    one sentence, `still_open` what the adversary can do all the same, `attacked` what a laboratory tried.
    `grade` is None where nothing is known. `who` is named where, and only where, the state is `assumed`.
    """

    adversary: Adversary
    component: Component
    aspect: str
    state: State
    grade: Grade | None
    because: str
    evidence: tuple[str, ...] = ()
    mediators: tuple[str, ...] = ()
    still_open: tuple[str, ...] = ()
    attacked: tuple[str, ...] = ()
    who: str = ""

    def __post_init__(self) -> None:
        for line in (self.because, *self.still_open, *self.attacked):
            if not 0 < len(line) <= WIDTH:
                msg = f"{self.component}: a sentence of {len(line)} columns, not 1..{WIDTH}: {line}"
                raise ValueError(msg)
        if (self.grade is None) != (self.state is State.UNKNOWN) or bool(self.who) != (self.state is State.ASSUMED):
            msg = f"{self.component}: {self.state} does not go with grade {self.grade} and who {self.who!r}"
            raise ValueError(msg)

    @property
    def worth(self) -> tuple[int, int]:
        """How much may be relied on: a total order, first by state, then by grade."""
        rank = _WORTH[self.state]
        return rank, self.grade or 0 if rank else 0

    def as_json(self) -> dict[str, object]:
        """The object that `warily posture --json` lists under `cells`."""
        return {
            "component": self.component.value,
            "adversary": self.adversary.value,
            "property": self.aspect,
            "state": self.state.value,
            "who": self.who,
            "grade": None if self.grade is None else self.grade.name,
            "because": self.because,
            "evidence": list(self.evidence),
            "mediators": list(self.mediators),
            "still_open": list(self.still_open),
            "attacked": list(self.attacked),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a cell answers: can this adversary get at this aspect of this component?"""

    adversary: Adversary
    component: Component
    aspect: str

    def unknown(self, because: str) -> Cell:
        """Evidence is missing, and `because` says which."""
        return Cell(
            adversary=self.adversary,
            component=self.component,
            aspect=self.aspect,
            state=State.UNKNOWN,
            grade=None,
            because=clip(because),
        )

    def answer(
        self,
        state: State,
        grade: Grade,
        because: str,
        *,
        evidence: tuple[str, ...] = (),
        mediators: tuple[str, ...] = (),
        still_open: tuple[str, ...] = (),
        who: str = "",
    ) -> Cell:
        """What the evidence shows."""
        return Cell(
            adversary=self.adversary,
            component=self.component,
            aspect=self.aspect,
            state=state,
            grade=grade,
            because=clip(because),
            evidence=evidence,
            mediators=mediators,
            still_open=still_open,
            who=who,
        )


def clip(text: str, width: int = WIDTH) -> str:
    """The text on one line, printable, and cut to `width` columns where it is longer."""
    plain = "".join(letter if letter.isprintable() else "·" for letter in text)
    return plain if len(plain) <= width else plain[: width - 1] + "…"
