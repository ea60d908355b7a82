"""Grading: a literal table of seven rules, applied for each adversary. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from warily.posture.attacked import with_attacks
from warily.posture.cell import Adversary, Cell, Component
from warily.posture.facts import Facts
from warily.posture.names import Borne, names_borne
from warily.posture.rules.attestation import attestation
from warily.posture.rules.devices import devices
from warily.posture.rules.firmware import firmware
from warily.posture.rules.memory import memory
from warily.posture.rules.network import network
from warily.posture.rules.runtime import runtime
from warily.posture.rules.storage import storage

SCHEMA: Final = "warily/posture/1"

Rule = Callable[[Facts, Adversary], Cell]

RULES: Final[dict[Component, Rule]] = {
    Component.MEMORY: memory,
    Component.FIRMWARE: firmware,
    Component.STORAGE: storage,
    Component.NETWORK: network,
    Component.DEVICES: devices,
    Component.ATTESTATION: attestation,
    Component.RUNTIME: runtime,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """Every cell, the names that follow, and what they speak of.

    `image` is the manifest's name where the launch digest is explained by it, and empty otherwise.
    """

    image: str
    platform: str
    rehearsal: bool
    accepted: bool
    anchor: str
    at: str
    cells: tuple[Cell, ...]
    names: tuple[Borne, ...]

    def cell(self, component: Component, adversary: Adversary) -> Cell:
        """The one cell of that component and adversary."""
        return next(cell for cell in self.cells if cell.component is component and cell.adversary is adversary)

    def row(self, component: Component) -> tuple[Cell, ...]:
        """A component's cells, in the order of the adversaries."""
        return tuple(self.cell(component, adversary) for adversary in Adversary)

    def least(self, component: Component) -> Cell:
        """The cell of a row that may be relied on least; the first of those that are alike."""
        return min(self.row(component), key=lambda cell: cell.worth)

    def as_json(self) -> dict[str, object]:
        """The object that `warily posture --json` prints. Its shape is described in the guide."""
        return {
            "schema": SCHEMA,
            "image": self.image,
            "platform": self.platform,
            "rehearsal": self.rehearsal,
            "accepted": self.accepted,
            "anchor": self.anchor,
            "at": self.at,
            "cells": [cell.as_json() for cell in self.cells],
            "names": [name.as_json() for name in self.names],
        }


def grade(facts: Facts) -> Posture:
    """The posture that follows from `facts`, and from nothing else."""
    graded = (rule(facts, adversary) for rule in RULES.values() for adversary in Adversary)
    cells = tuple(with_attacks(cell, facts.attacked) for cell in graded)
    return Posture(
        image=facts.image.name if facts.image else "",
        platform=facts.appraisal.platform,
        rehearsal=facts.rehearsal,
        accepted=facts.accepted,
        anchor=facts.appraisal.anchor,
        at=facts.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        cells=cells,
        names=names_borne(cells),
    )
