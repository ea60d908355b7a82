"""A laboratory's results beside the cells: they are told, they improve nothing, and a success costs its component."""

from dataclasses import replace

import pytest

from tests.posture.examples import DIGEST, HARDWARE, REHEARSAL
from warily.formats.attack_run import VERDICTS, AttackRow, AttackRun
from warily.posture.cell import Adversary, Component, State
from warily.posture.draw_text import draw_text
from warily.posture.facts import Facts
from warily.posture.grade import grade


def row(name: str, component: str, verdict: str, control: str = "succeeded") -> AttackRow:
    return AttackRow(id=name, component=component, control=control, verdict=verdict, evidence="seen")


def run(*rows: AttackRow, digest: bytes = DIGEST) -> AttackRun:
    return AttackRun(image="ledger", launch_digest=digest, at="2026-12-01T12:00:00Z", attacks=rows)


def with_run(facts: Facts, found: AttackRun) -> Facts:
    return replace(facts, attacks=found)


FOUND = run(
    row("acpi.ssdt", "firmware", "refused"),
    row("acpi.psdt", "firmware", "refused"),
    row("acpi.scan", "firmware", "refused"),
    row("devices.entropy", "devices", "detected"),
    row("devices.proves-nothing", "devices", "refused", control="refused"),
    row("devices.unseen", "devices", "refused", control=""),
)


@pytest.mark.parametrize("facts", [HARDWARE, REHEARSAL])
def test_a_refusal_is_shown_and_changes_nothing(facts: Facts) -> None:
    plain, attacked = grade(facts), grade(with_run(facts, FOUND))
    for was, now in zip(plain.cells, attacked.cells, strict=True):
        assert (now.state, now.grade, now.because, now.who) == (was.state, was.grade, was.because, was.who)
    drawn = draw_text(attacked)
    assert "    attacked with acpi.ssdt, acpi.psdt and 1 more: refused\n" in drawn
    assert "    attacked with devices.entropy: detected\n" in drawn
    assert "devices.proves-nothing" not in drawn
    assert "devices.unseen" not in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    cell = attacked.cell(Component.DEVICES, Adversary.HYPERVISOR).as_json()
    assert cell["attacked"] == ["attacked with devices.entropy: detected"]


@pytest.mark.parametrize("component", list(Component))
@pytest.mark.parametrize("control", ["", "succeeded"])
def test_a_success_exposes_its_component_against_everybody(component: Component, control: str) -> None:
    lost = run(row("some.attack", component.value, "succeeded", control))
    posture = grade(with_run(HARDWARE, lost))
    assert {cell.state for cell in posture.row(component)} == {State.EXPOSED}
    for was, now in zip(grade(HARDWARE).cells, posture.cells, strict=True):
        assert now.worth <= was.worth
        assert now.component is component or now == was
    without = grade(Facts(appraisal=HARDWARE.appraisal, at=HARDWARE.at, attacks=lost))
    assert {cell.state for cell in without.row(component)} == {State.EXPOSED}, "no manifest made it better"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_what_befell_another_image_says_nothing_of_this_one(verdict: str) -> None:
    other = run(row("acpi.ssdt", "firmware", verdict), digest=bytes(48))
    assert grade(with_run(HARDWARE, other)) == grade(HARDWARE)


def test_nothing_is_told_of_attacks_where_the_image_is_not_known() -> None:
    unknown = Facts(appraisal=HARDWARE.appraisal, at=HARDWARE.at)
    assert grade(with_run(unknown, FOUND)) == grade(unknown)
