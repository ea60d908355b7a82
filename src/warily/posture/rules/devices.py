"""Devices: what the host plugs in, and which driver believes it."""

import re
from typing import Final

from warily.core.manifest import Manifest
from warily.formats import guest_config as bus
from warily.formats.guest_state import GuestState
from warily.posture.cell import Adversary, Cell, Component, Grade, Question, State
from warily.posture.facts import Facts, Freshness

ASPECT: Final = "no device or driver beyond those the image needs"
BOUND: Final = "state.devices"
LATCH: Final = "state.modules-disabled"

VIRTIO_PCI: Final = "virtio-pci"
VIRTIO_DRIVERS: Final = frozenset({"virtio_blk", "virtio_net", "virtio_console"})
_PCI: Final = re.compile(r"pci/0000:00:([0-9a-f]{2})\.0 virtio-pci")
_VIRTIO: Final = re.compile(r"virtio/virtio[0-9]+ ([a-z_]+)")

STILL_OPEN: Final = (
    "a device added after the sample is not seen until the next one",
    "built-in drivers bind before anything can look: no allow-list stops them",
    "answers, interrupts and timing of each device are the host's",
)


def devices(facts: Facts, adversary: Adversary) -> Cell:
    """Detected where a current sample shows the expected devices alone and no driver can be added."""
    ask = Question(adversary=adversary, component=Component.DEVICES, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    image = facts.image
    if image is None:
        return ask.unknown("no manifest says which devices this image needs")
    sample = facts.sample
    if sample is None or facts.freshness is Freshness.NONE:
        return ask.unknown("no current sample from the guest says which devices are bound")
    strays = unexpected(sample, image)
    if strays:
        because = f"a device the image does not need is bound: {strays[0]}"
        return ask.answer(State.EXPOSED, Grade.E1, because, evidence=(BOUND,), still_open=STILL_OPEN)
    if not sample.modules_disabled:
        because = "the kernel may still load a driver for whatever the host plugs in"
        return ask.answer(State.EXPOSED, Grade.E1, because, evidence=(BOUND, LATCH), still_open=STILL_OPEN)
    because = f"{len(sample.devices)} bound, each expected; no driver can be loaded any more"
    if facts.freshness is Freshness.STALE:
        who = "no change since the sample"
        return ask.answer(State.ASSUMED, Grade.E1, because, evidence=(BOUND, LATCH), still_open=STILL_OPEN, who=who)
    return ask.answer(State.DETECTED, Grade.E1, because, evidence=(BOUND, LATCH), still_open=STILL_OPEN)


def unexpected(sample: GuestState, image: Manifest) -> tuple[str, ...]:
    """Bound devices that are neither in a slot the image uses nor a virtio device of a kind it uses."""
    slots = {bus.NETWORK_SLOT, bus.SERIAL_SLOT, bus.ROOT_SLOT, bus.HASH_SLOT}
    slots |= {bus.VOLUME_SLOT + at for at in range(len(image.volumes))}
    return tuple(entry for entry in sample.devices if not _is_expected(entry, slots))


def _is_expected(entry: str, slots: set[int]) -> bool:
    on_pci, on_virtio = _PCI.fullmatch(entry), _VIRTIO.fullmatch(entry)
    if on_pci:
        return int(on_pci[1], 16) in slots
    return on_virtio is not None and on_virtio[1] in VIRTIO_DRIVERS
