"""Firmware: what runs before the kernel, and what the host still feeds to it and to the kernel."""

from typing import Final

from warily.posture.cell import Adversary, Cell, Component, Question, State
from warily.posture.facts import Facts

ASPECT: Final = "nothing the host supplies runs before or under the kernel"
EVIDENCE: Final = ("snp.chain.root", "snp.signature", "snp.measurement")
MANIFEST: Final = "manifest.signature"

ACPI_OFF: Final = "acpi=off"
NO_SSDT: Final = "acpi_no_static_ssdt"


def firmware(facts: Facts, adversary: Adversary) -> Cell:
    """Exposed as long as host-supplied input is interpreted, even where the firmware's bytes are known.

    SNP's launch digest covers the firmware and not the tables that the host hands it. No image of this
    version pins those, so nothing better than exposed can be said.
    """
    ask = Question(adversary=adversary, component=Component.FIRMWARE, aspect=ASPECT)
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    image = facts.image
    if image is None:
        return ask.unknown(_unexplained(facts))
    words = image.command_line.split()
    if ACPI_OFF in words:
        because = "its bytes are measured; the host still supplies the memory map"
    else:
        because = "its bytes are measured; ACPI tables from the host still run as code"
    return ask.answer(
        State.EXPOSED,
        facts.launched,
        because,
        evidence=(*facts.passed(*EVIDENCE), MANIFEST),
        still_open=_open(words),
    )


def _open(words: list[str]) -> tuple[str, ...]:
    found = []
    if ACPI_OFF not in words:
        found.append("bytecode in the host's DSDT runs with the kernel's rights (BadAML)")
        found.append("addresses in the host's static tables are used as they stand")
        if NO_SSDT not in words:
            found.append("secondary tables (SSDT) of the host are loaded too")
    return (*found, "the memory map, SMBIOS and fw_cfg are the host's word")


def _unexplained(facts: Facts) -> str:
    """The sentence for a launch digest that no manifest explains."""
    digest = facts.text("measurement")[:16]
    if facts.manifest is None:
        return f"no signed manifest says what launch digest {digest}… stands for"
    return f"the manifest of {facts.manifest.name} does not predict launch digest {digest}…"
