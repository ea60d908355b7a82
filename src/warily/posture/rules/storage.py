"""Storage: the content of the root file system and of the volumes, on disks that the host owns."""

from typing import Final

from warily.core.manifest import Manifest
from warily.formats.volume_descriptor import KERNEL_CIPHER
from warily.posture.cell import Adversary, Cell, Component, Question, State
from warily.posture.facts import Facts
from warily.posture.rules.firmware import MANIFEST

ASPECT: Final = "disks reveal no content, and changed content is not used"
EVIDENCE: Final = ("snp.measurement", "snp.report-data")
GRANTED: Final = "release.granted"
AUTHENTICATED: Final = frozenset({KERNEL_CIPHER})

SAME_PLACE: Final = "the broker that keeps the volume keys runs where this adversary rules"
STILL_OPEN: Final = (
    "after a crash, older blocks of a volume can be put back unnoticed",
    "where, when and how much is written can be seen",
)


def storage(facts: Facts, adversary: Adversary) -> Cell:
    """Excluded where the root hash is measured and each volume is authenticated and opened on evidence alone.

    Who administers the broker's host can read the volume keys there: against them it is assumed at best.
    """
    ask = Question(adversary=adversary, component=Component.STORAGE, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    image = facts.image
    if image is None:
        return ask.unknown("no manifest says which root and volumes belong to this launch digest")
    if f"warily.root={image.root.root_hash.hex()}" not in image.command_line.split():
        return ask.answer(State.EXPOSED, facts.launched, "the measured command line does not carry the root hash")
    root = image.root.root_hash.hex()[:8]
    if not image.volumes:
        because = f"root {root}… is measured and checked block by block; no other disk"
        return ask.answer(State.EXCLUDED, facts.launched, because, evidence=(*facts.passed(*EVIDENCE), MANIFEST))
    return _volumes(facts, image, ask)


def _volumes(facts: Facts, image: Manifest, ask: Question) -> Cell:
    """The cell of an image with volumes, once its root is known to be measured."""
    weak = [volume for volume in image.volumes if volume.cipher not in AUTHENTICATED]
    if weak:
        because = f"volume {weak[0].name} is not authenticated: {weak[0].cipher}"
        return ask.answer(State.EXPOSED, facts.launched, because)
    root = image.root.root_hash.hex()[:8]
    if not _granted(facts, image):
        return ask.unknown(f"root {root}… is measured; who may open the volumes is not shown")
    apart = ask.adversary is Adversary.HYPERVISOR or (facts.release is not None and facts.release.verifier_apart)
    return ask.answer(
        State.EXCLUDED if apart else State.ASSUMED,
        facts.launched,
        f"root {root}… is measured; volumes authenticated, opened on evidence",
        evidence=(*facts.passed(*EVIDENCE), MANIFEST, GRANTED),
        mediators=("memory, where the volume keys are in use", "the broker, which keeps the volume keys"),
        still_open=(*(() if apart else (SAME_PLACE,)), *STILL_OPEN),
        who="" if apart else "whoever administers the broker",
    )


def _granted(facts: Facts, image: Manifest) -> bool:
    """The broker accepted this very evidence, bound to its nonce, before it released each volume's key."""
    release = facts.release
    if release is None or not (release.accepted and release.nonce_was_ours):
        return False
    if "snp.report-data" not in facts.passed("snp.report-data"):
        return False
    return {volume.name for volume in image.volumes} <= release.granted
