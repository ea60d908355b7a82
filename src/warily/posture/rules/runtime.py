"""Runtime: what has run since the launch."""

from collections.abc import Callable
from typing import Final

from warily.formats.guest_state import GuestState
from warily.posture.cell import Adversary, Cell, Component, Grade, Question, State
from warily.posture.facts import Facts

ASPECT: Final = "what runs now is what was measured at launch"
LOCKED: Final = frozenset({"integrity", "confidentiality"})

# Check id → what must be so, and the sentence where it is not. The first four cannot be undone before the
# next boot, so a sample of them does not age.
LATCHES: Final[dict[str, tuple[Callable[[GuestState], bool], str]]] = {
    "state.modules-disabled": (lambda s: s.modules_disabled, "the kernel still loads modules"),
    "state.kexec-disabled": (lambda s: s.kexec_disabled, "another kernel can still be started by kexec"),
    "state.lockdown": (lambda s: s.lockdown in LOCKED, "the kernel is not locked down"),
    "state.root": (lambda s: s.root_is_verity, "the root the guest runs from is not the verified one"),
    "state.swaps": (lambda s: s.swaps == 0, "memory is swapped to a disk of the host"),
    "state.hibernation": (lambda s: not s.hibernation, "memory can be written to disk by hibernation"),
}


def runtime(facts: Facts, adversary: Adversary) -> Cell:
    """At best assumed: latches keep kernel code out, but no log says what user space has run."""
    ask = Question(adversary=adversary, component=Component.RUNTIME, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    if facts.image is None:
        return ask.unknown("what was launched is not known, so neither is what runs")
    sample = facts.sample
    if sample is None:
        return ask.unknown("no sample from the guest: nothing says what has run since launch")
    for check, (holds, otherwise) in LATCHES.items():
        if not holds(sample):
            return ask.answer(State.EXPOSED, Grade.E1, f"the guest says so itself: {otherwise}", evidence=(check,))
    return ask.answer(
        State.ASSUMED,
        Grade.E1,
        "locked down: no modules, kexec, swap, hibernation; but no log of what ran",
        evidence=tuple(LATCHES),
        mediators=("memory, where the running code lies",),
        still_open=(
            "what user space runs is recorded nowhere: no runtime log is in evidence",
            "the sample is the guest's own word, taken once, at its start",
        ),
        who="the measured image",
    )
