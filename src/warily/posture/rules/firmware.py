"""Firmware: what runs before the kernel, and what the host still feeds to it and to the kernel."""

from typing import Final

from warily.posture.cell import Adversary, Cell, Component, Question, State
from warily.posture.facts import Facts

ASPECT: Final = "no code of the host runs before or under the kernel"
EVIDENCE: Final = ("snp.chain.root", "snp.signature", "snp.measurement")
MANIFEST: Final = "manifest.signature"

NO_BYTECODE: Final = frozenset({"acpi=off", "initcall_blacklist=acpi_init"})
NO_SSDT: Final = "acpi_no_static_ssdt"


def firmware(facts: Facts, adversary: Adversary) -> Cell:
    """Excluded where the firmware's bytes are known and the measured command line keeps ACPI bytecode from running.

    Images that say so start from firmware that runs no option ROM (qboot, OVMF AmdSev). A check inside the guest would
    come after the bytecode has run, so it counts for nothing here. Tables are still read as data, and say so below.
    """
    ask = Question(adversary=adversary, component=Component.FIRMWARE, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    image = facts.image
    if image is None:
        return ask.unknown(_unexplained(facts))
    words = image.command_line.split()
    closed = not NO_BYTECODE.isdisjoint(words)
    because = "its bytes are measured; " + (
        "no bytecode of the host's ACPI tables is loaded" if closed else "bytecode in the host's ACPI tables runs"
    )
    return ask.answer(
        State.EXCLUDED if closed else State.EXPOSED,
        facts.launched,
        because,
        evidence=(*facts.passed(*EVIDENCE), MANIFEST),
        still_open=_open(words, closed=closed),
    )


def _open(words: list[str], *, closed: bool) -> tuple[str, ...]:
    found = []
    if not closed:
        found.append("bytecode in the host's DSDT runs with the kernel's rights (BadAML)")
        if NO_SSDT not in words:
            found.append("secondary tables (SSDT) of the host are loaded too")
    if "acpi=off" not in words:
        found.append("addresses in the host's static tables are used as they stand")
    return (*found, "the memory map and SMBIOS are the host's word")


def _unexplained(facts: Facts) -> str:
    """The sentence for a launch digest that no manifest explains."""
    digest = facts.text("measurement")[:16]
    if facts.manifest is None:
        return f"no signed manifest says what launch digest {digest}… stands for"
    return f"the manifest of {facts.manifest.name} does not predict launch digest {digest}…"
