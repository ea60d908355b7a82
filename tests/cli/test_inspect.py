"""`warily inspect` as people and scripts meet it."""

import json
from pathlib import Path

import pytest

from tests.forge import REPORT, signed
from warily.cli.main import run_command_line


def test_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "anything"
    path.write_bytes(signed(REPORT))
    assert run_command_line(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"0x0090    measurement              {REPORT.measurement.hex()}\n" in out
    assert run_command_line(["inspect", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parts"][0] == {"name": "version", "offset": 0, "size": 4, "value": "3"}


def test_what_cannot_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "anything"
    path.write_bytes(b"hello")
    assert run_command_line(["inspect", str(path)]) == 3
    assert "no kind that can be shown" in capsys.readouterr().err
    assert run_command_line(["inspect", str(path / "none")]) == 2
    assert "cannot read" in capsys.readouterr().err
