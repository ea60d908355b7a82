"""Names that a machine may bear: each follows from cells, and where it does not, says which cells fail."""

from dataclasses import dataclass
from typing import Final

from warily.posture.cell import Adversary, Cell, Component, Grade, State

HOLDING: Final = frozenset({State.EXCLUDED, State.DETECTED, State.NOT_APPLICABLE})
KEPT_OUT: Final = frozenset({State.EXCLUDED, State.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Each of `components` is in one of `states` at `grade` or better, against each of the adversaries."""

    components: tuple[Component, ...]
    states: frozenset[State]
    grade: Grade

    def is_met_by(self, cell: Cell) -> bool:
        """Whether one cell is good enough."""
        return cell.state in self.states and cell.grade is not None and cell.grade >= self.grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name, whom it speaks of, and what it needs."""

    name: str
    adversaries: tuple[Adversary, ...]
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A cell that is not good enough for a name, and what the name needs of it."""

    cell: Cell
    need: Need

    @property
    def is_for_its_grade(self) -> bool:
        """The state would do; it is not known well enough."""
        return self.cell.state in self.need.states


@dataclass(frozen=True, slots=True, kw_only=True)
class Borne:
    """Whether a name holds, and the cells that fail it where it does not."""

    name: str
    failing: tuple[Failing, ...]

    @property
    def holds(self) -> bool:
        """No cell fails it."""
        return not self.failing

    def as_json(self) -> dict[str, object]:
        """The object that `warily posture --json` lists under `names`."""
        failing = [
            {
                "component": one.cell.component.value,
                "adversary": one.cell.adversary.value,
                "state": one.cell.state.value,
                "grade": None if one.cell.grade is None else one.cell.grade.name,
                "needs": {"states": sorted(one.need.states), "grade": one.need.grade.name},
            }
            for one in self.failing
        ]
        return {"name": self.name, "holds": self.holds, "failing": failing}


_C = Component
_ENCRYPTED: Final = Need(components=(_C.MEMORY,), states=KEPT_OUT, grade=Grade.E5)
_LAUNCHED: Final = Need(components=(_C.ATTESTATION,), states=HOLDING, grade=Grade.E4)

NAMES: Final = (
    Name(
        name="hypervisor-isolated workload",
        adversaries=(Adversary.HYPERVISOR,),
        needs=(
            _ENCRYPTED,
            Need(
                components=(_C.FIRMWARE, _C.STORAGE, _C.NETWORK, _C.DEVICES),
                states=HOLDING,
                grade=Grade.E1,
            ),
            _LAUNCHED,
        ),
    ),
    Name(
        name="infrastructure-operator-excluded compute",
        adversaries=(Adversary.HOST_ADMIN, Adversary.CLOUD_OPERATOR),
        needs=(
            _ENCRYPTED,
            Need(
                components=(_C.FIRMWARE, _C.STORAGE, _C.NETWORK, _C.DEVICES, _C.RUNTIME),
                states=HOLDING,
                grade=Grade.E1,
            ),
            _LAUNCHED,
        ),
    ),
    Name(
        name="attestable execution environment",
        adversaries=tuple(Adversary),
        needs=(_ENCRYPTED, _LAUNCHED),
    ),
    Name(
        name="continuously verified runtime",
        adversaries=tuple(Adversary),
        needs=(_LAUNCHED, Need(components=(_C.RUNTIME,), states=HOLDING, grade=Grade.E3)),
    ),
)


def names_borne(cells: tuple[Cell, ...]) -> tuple[Borne, ...]:
    """Every name, with the cells that fail it in the order of the components."""
    return tuple(Borne(name=name.name, failing=_failing(name, cells)) for name in NAMES)


def _failing(name: Name, cells: tuple[Cell, ...]) -> tuple[Failing, ...]:
    needs = {component: need for need in name.needs for component in need.components}
    asked = [cell for cell in cells if cell.adversary in name.adversaries and cell.component in needs]
    return tuple(
        Failing(cell=cell, need=needs[cell.component]) for cell in asked if not needs[cell.component].is_met_by(cell)
    )
