"""`warily audit` on the image of the example: what is open is open on purpose, and explained."""

import json

import pytest

from tests.example_project import EXAMPLE
from tests.vm.stage import Project
from warily.cli.main import run_command_line

pytestmark = pytest.mark.vm
EXPLAINED = {"time.kvmclock", "time.tsc-watchdog", "root.machine-id"}


def test_every_open_finding_of_the_example_is_explained(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    reasons = str(EXAMPLE / "audit.toml")
    assert run_command_line(["audit", str(project.folder), "--explained", reasons, "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    states = {finding["id"]: finding["state"] for finding in findings}
    assert {name for name, state in states.items() if state == "explained"} == EXPLAINED
    assert set(states.values()) == {"closed", "explained"}
