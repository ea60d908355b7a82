"""Attestation: from the launch to the last file of the root, recent, readable, and judged by somebody else."""

from typing import Final

from warily.posture.cell import Adversary, Cell, Component, Question, State
from warily.posture.facts import Facts, Freshness
from warily.posture.rules.firmware import MANIFEST

ASPECT: Final = "a false account of what was launched is not believed"
EVIDENCE: Final = ("snp.chain.root", "snp.signature", "snp.report-data", "snp.measurement", "snp.host-data")
NONCE: Final = "release.nonce"


def attestation(facts: Facts, adversary: Adversary) -> Cell:
    """Excluded only for hardware evidence that is recent, explained, and judged where the adversary is not."""
    ask = Question(adversary=adversary, component=Component.ATTESTATION, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    image = facts.image
    if image is None:
        return ask.unknown("a report that no manifest explains: genuine, and without meaning")
    bound = bool(facts.passed("snp.report-data"))
    if facts.freshness is Freshness.NONE or not bound:
        return ask.unknown(f"{image.name} is explained to its root; nothing shows that this is recent")
    who = _relied_on(facts, adversary)
    return ask.answer(
        State.ASSUMED if who else State.EXCLUDED,
        facts.launched,
        f"nonce, launch and signed manifest lead to root {image.root.root_hash.hex()[:8]}…",
        evidence=(*facts.passed(*EVIDENCE), MANIFEST, NONCE),
        mediators=("the owner's key, which signed the manifest",),
        still_open=_open(facts, adversary),
        who=who,
    )


def _relied_on(facts: Facts, adversary: Adversary) -> str:
    """Whose word the chain comes to, where it is somebody's; empty where it is hardware's alone."""
    if facts.rehearsal:
        return "the holder of the rehearsal key"
    if facts.freshness is Freshness.STALE:
        return "no change since the last answer"
    return "" if _is_outside(facts, adversary) else "the verifier's administrator"


def _is_outside(facts: Facts, adversary: Adversary) -> bool:
    """The adversary has no say where the verdict is made. The hypervisor alone has not."""
    return adversary is Adversary.HYPERVISOR or (facts.release is not None and facts.release.verifier_apart)


def _open(facts: Facts, adversary: Adversary) -> tuple[str, ...]:
    found = []
    if facts.rehearsal:
        found.append("the anchor is a rehearsal key: whoever holds it can sign any report")
    if not _is_outside(facts, adversary):
        found.append("the verifier and its key broker run where this adversary rules")
    if facts.freshness is Freshness.STALE:
        found.append("the last answer is more than ten minutes old")
    return (*found, "what is in evidence ends with the launch: no log of later events")
