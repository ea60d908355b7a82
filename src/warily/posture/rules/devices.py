"""Devices: what the host plugs in, and which driver believes it."""

from typing import Final

from warily.core.manifest import Manifest
from warily.formats import guest_config
from warily.formats.guest_state import Device, GuestState
from warily.posture.cell import Adversary, Cell, Component, Grade, Question, State, clip
from warily.posture.facts import Facts, Freshness
from warily.posture.rules.firmware import MANIFEST

ASPECT: Final = "no device or driver beyond those the image needs"
EVIDENCE: Final = ("snp.measurement", "snp.report-data")
BOUND: Final = "state.devices"
AUTOPROBE: Final = "state.autoprobe"
LATCH: Final = "state.modules-disabled"
SAMPLED: Final = (BOUND, AUTOPROBE, LATCH)

# On a measured line: the first program binds what is declared and nothing else. One that does not know the word
# refuses to go on, so where it stands the rule was followed.
ENFORCED: Final = "warily.devices=declared"
VIRTIO_PCI: Final = "virtio-pci"
NAMED: Final = 4  # devices that a cell names one by one

STILL_OPEN: Final = (
    "answers, interrupts and timing of each declared device are the host's",
    "virtio-pci reads an undeclared virtio device at boot, and is then sent away",
    "console, clock and timers of the chipset are the host's, and on no list",
)
LATER: Final = "a device added after the sample is not seen until the next one"


def devices(facts: Facts, adversary: Adversary) -> Cell:
    """Excluded where the measured image binds declared devices alone, and its own current account agrees.

    Without that word on its measured line, a sample that shows nothing else bound makes it detected at best.
    """
    ask = Question(adversary=adversary, component=Component.DEVICES, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    image = facts.image
    if image is None:
        return ask.unknown("no manifest says which devices this image needs")
    sample = facts.sample
    if sample is None or facts.freshness is Freshness.NONE:
        return ask.unknown("no current sample from the guest says which devices are bound")
    contradiction = _contradiction(sample, image, rehearsal=facts.rehearsal)
    if contradiction:
        return ask.answer(State.EXPOSED, Grade.E1, contradiction, evidence=(BOUND, LATCH), still_open=STILL_OPEN)
    return _held(facts, image, sample, ask)


def undeclared(sample: GuestState, image: Manifest, *, rehearsal: bool) -> tuple[Device, ...]:
    """Devices that have a driver and are not declared: another slot, another kind, or another driver."""
    declared = guest_config.declared(len(image.volumes), rehearsal=rehearsal)
    expected = {Device(at=f"pci/{entry.address}", identity=entry.identity, driver=VIRTIO_PCI) for entry in declared}
    expected |= {Device(at=f"virtio/{entry.address}", identity=entry.kind, driver=entry.driver) for entry in declared}
    return tuple(device for device in sample.devices if device.driver and device not in expected)


def left_alone(sample: GuestState) -> tuple[Device, ...]:
    """Devices that are there, that no image has a use for, and that have no driver."""
    return tuple(
        device
        for device in sample.devices
        if not device.driver and (device.at, device.identity) not in guest_config.CHIPSET
    )


def _contradiction(sample: GuestState, image: Manifest, *, rehearsal: bool) -> str:
    """What the guest itself says against it, or nothing."""
    strays = undeclared(sample, image, rehearsal=rehearsal)
    if strays:
        return f"a device the image does not need is bound: {strays[0]}"
    if not sample.modules_disabled:
        return "the kernel may still load a driver for whatever the host plugs in"
    return ""


def _held(facts: Facts, image: Manifest, sample: GuestState, ask: Question) -> Cell:
    """The cell of a machine of which nothing undeclared is known to be bound."""
    alone = left_alone(sample)
    count = sum(bool(device.driver) for device in sample.devices)
    because = f"{count} bound, each declared; " + (
        f"{len(alone)} unknown ones are left without a driver" if alone else "nothing unknown is plugged in"
    )
    enforced = ENFORCED in image.command_line.split() and not sample.autoprobe
    now = facts.freshness is Freshness.FRESH
    still_open = (*_named(alone), *STILL_OPEN, *(() if enforced and now else (LATER,)))
    if not now:
        who = "no change since the sample"
        return ask.answer(State.ASSUMED, Grade.E1, because, evidence=SAMPLED, still_open=still_open, who=who)
    if not enforced:
        return ask.answer(State.DETECTED, Grade.E1, because, evidence=SAMPLED, still_open=still_open)
    # Enforced by measured software, which the verifier knows by its launch digest: no hardware vouches for more.
    return ask.answer(
        State.EXCLUDED,
        min(facts.launched, Grade.E2),
        because,
        evidence=(*facts.passed(*EVIDENCE), MANIFEST, *SAMPLED),
        mediators=("memory, where the kernel's list of drivers is",),
        still_open=still_open,
    )


def _named(alone: tuple[Device, ...]) -> tuple[str, ...]:
    """A line for each of the first few."""
    return tuple(clip(f"{device} is plugged in, and has no driver") for device in alone[:NAMED])
