"""`warily policy` as people and scripts meet it."""

import json
from pathlib import Path

import pytest

from tests.forge import NOW, REPORT, ark, ask, leaf, signed
from warily.cli.main import run_command_line

AT = ("--at", NOW.isoformat())


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "report.bin").write_bytes(signed(REPORT))
    for name, der in (("vcek", leaf()), ("ask", ask()), ("ark", ark())):
        (tmp_path / f"{name}.der").write_bytes(der)
    return tmp_path


def chain(desk: Path) -> list[str]:
    named = [word for name in ("vcek", "ask", "ark") for word in ("--collateral", str(desk / f"{name}.der"))]
    return [str(desk / "report.bin"), *named, *AT]


def test_a_file_is_written_once_and_verify_reads_it(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ("--rehearsal-root", str(desk / "ark.der"))
    policy = desk / "expect.toml"
    assert run_command_line(["policy", "init", *chain(desk), *root, "--out", str(policy)]) == 0
    assert "expect.toml" in capsys.readouterr().err
    assert run_command_line(["verify", *chain(desk), "--expect", str(policy)]) == 0
    assert capsys.readouterr().out.startswith("ACCEPTED as a rehearsal")
    assert run_command_line(["policy", "init", *chain(desk), *root, "--out", str(policy)]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_standard_output_and_json_hold_the_same_file(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ("--rehearsal-root", str(desk / "ark.der"))
    assert run_command_line(["policy", "init", *chain(desk), *root]) == 0
    text = capsys.readouterr().out
    assert run_command_line(["policy", "init", *chain(desk), *root, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"policy": text}


def test_evidence_of_nobody_we_trust_is_rejected(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["policy", "init", *chain(desk)]) == 10
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "snp.chain.root" in seen.err


def test_check_says_what_is_dangerous(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = desk / "expect.toml"
    run_command_line(["policy", "init", str(desk / "report.bin"), *AT, "--out", str(policy)])
    capsys.readouterr()
    assert run_command_line(["policy", "check", str(policy)]) == 0
    assert "0 dangers" in capsys.readouterr().out
    policy.write_text(policy.read_text().replace('"DEBUG", ', ""))
    assert run_command_line(["policy", "check", str(policy)]) == 10
    assert "danger  snp.policy" in capsys.readouterr().out
    assert run_command_line(["policy", "check", str(policy), "--json"]) == 10
    assert json.loads(capsys.readouterr().out)["dangers"] == 1


def test_misuse(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["policy"]) == 2
    assert run_command_line(["policy", "check", str(desk / "vcek.der")]) == 2
    assert run_command_line(["policy", "init", str(desk / "vcek.der")]) == 3
    capsys.readouterr()
