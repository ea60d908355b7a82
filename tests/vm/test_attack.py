"""The laboratory on the tests' own image. The whole of it, with its control, is what `warily attack` runs."""

import pytest

from tests.vm.stage import Project
from warily.adversary import lab
from warily.adversary.attack import Verdict
from warily.adversary.attacks import TABLE
from warily.adversary.attacks.acpi import ALIVE
from warily.host.progress import SILENT

pytestmark = pytest.mark.vm

CHOSEN = ("acpi.ssdt", "acpi.psdt", "credentials.smbios", "console.sysrq", "devices.hot-plug", "boot.command-line")


def test_a_few_attacks_on_the_image_are_refused_and_say_why(project: Project) -> None:
    attacks = [attack for attack in TABLE if attack.id in CHOSEN]
    with project.chosen(), lab.opened(project.folder, SILENT, with_control=False) as laboratory:
        outcomes = {outcome.attack.id: outcome for outcome in lab.mount(laboratory, attacks, with_control=False)}
    assert set(outcomes) == set(CHOSEN)
    for name, outcome in outcomes.items():
        assert outcome.control is None
        assert outcome.image.verdict is Verdict.REFUSED, f"{name}: {outcome.image.line}"
    assert f"still holds {ALIVE.decode()!r}" in outcomes["acpi.ssdt"].image.line
    assert "its workload answered" in outcomes["devices.hot-plug"].image.line
    assert "snp.measurement" in outcomes["boot.command-line"].image.line
    assert not list((project.folder / ".warily").glob("attack-*")), "the laboratory left something behind"
