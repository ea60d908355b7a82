"""Network: what enters and leaves the guest, and who can read it on the way."""

from typing import Final

from warily.core.manifest import Manifest
from warily.formats.guest_state import GuestState
from warily.posture.cell import Adversary, Cell, Component, Grade, Question, State
from warily.posture.facts import Facts, Freshness
from warily.posture.rules.firmware import MANIFEST

ASPECT: Final = "only attested, encrypted channels enter or leave"
LISTENING: Final = "state.listening"
LOOPBACK: Final = ("127.", "[::1]", "::1")


def network(facts: Facts, adversary: Adversary) -> Cell:
    """Never better than exposed for an image with ports: this version ends no attested channel in the guest."""
    ask = Question(adversary=adversary, component=Component.NETWORK, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    image = facts.image
    if image is None:
        return ask.unknown("no manifest says which ports this image opens")
    sample = facts.sample if facts.freshness is not Freshness.NONE else None
    strays = _strays(sample, image) if sample else ()
    still_open = _open(image, sample)
    if strays:
        because = f"something listens on {strays[0]}, which the manifest does not name"
        return ask.answer(State.EXPOSED, Grade.E1, because, evidence=(LISTENING,), still_open=still_open)
    if image.ports:
        named = ", ".join(str(port.guest) for port in image.ports)
        because = f"port {named} speaks plain TCP: the host reads and may change all of it"
        return ask.answer(State.EXPOSED, facts.launched, because, evidence=(MANIFEST,), still_open=still_open)
    return ask.unknown("no port is published; what the workload sends out is not in evidence")


def _strays(sample: GuestState, image: Manifest) -> tuple[str, ...]:
    """Listeners beyond loopback on ports that the manifest does not name."""
    named = {str(port.guest) for port in image.ports}
    outside = [entry for entry in sample.listening if not entry.startswith(LOOPBACK)]
    return tuple(entry for entry in outside if entry.rpartition(":")[2] not in named)


def _open(image: Manifest, sample: GuestState | None) -> tuple[str, ...]:
    found = []
    if image.ports:
        found.append("no channel to the workload is tied to this evidence")
    if sample is None:
        found.append("nothing current says which ports have a listener")
    return (*found, "sizes and times of all packets can be seen")
