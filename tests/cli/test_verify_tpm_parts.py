"""A bare TPM quote with its pieces as loose files, as tpm2-tools leave them: found by content, judged as one."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from warily.cli.main import run_command_line

AT = ["--at", "2026-11-23T00:00:00Z"]
CASES = [
    "ok-full", "ok-quote-lags-log", "ok-incremental-t1", "bad-stale-nonce", "tail-injected", "reboot-detected",
    "ok-new-templates", "bad-entry-removed", "bad-entries-swapped", "bad-digest-edited-rehashed",
]  # fmt: skip


@pytest.fixture
def swtpm(vectors: Path) -> Path:
    return vectors / "ima" / "swtpm"


def case(folder: Path, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads((folder / "cases.json").read_text())
    return next(entry for entry in found if entry["case"] == name)


def verify(folder: Path, row: dict[str, Any], *more: str) -> int:
    words = ["verify", str(folder / row["quote"]), "--collateral", str(folder / row["ak"]), "--nonce", row["nonce_hex"]]
    return run_command_line([*words, *AT, *more])


@pytest.mark.parametrize("expect", ["genuine", "baseline"])
@pytest.mark.parametrize("name", CASES)
def test_the_quote_is_judged_and_nothing_is_said_of_the_log(
    swtpm: Path, name: str, expect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = case(swtpm, name)
    stale = row["expect"].get("reason") == "nonce"  # what is wrong with a log, the quote does not know
    assert verify(swtpm, row, "--expect", expect, "--json") == (10 if stale else 0)
    said = json.loads(capsys.readouterr().out)
    outcomes = {finding["check"]: finding["outcome"] for finding in said["findings"]}
    assert outcomes["vtpm.nonce"] == ("fail" if stale else "pass")
    assert {outcomes[check] for check in ("log.replay", "log.event", "log.separator")} == {"waived"}
    assert said["claims"]["boot"] == []
    assert said["claims"]["quotes"][0]["clock_ms"] == row["attest"]["clock"]


def test_pieces_are_found_by_content(swtpm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = case(swtpm, "ok-full")
    for number, name in enumerate((row["quote"], row["ak"], row["sig"], row["pcr_values"])):
        shutil.copy(swtpm / name, tmp_path / f"{number}.x")
    words = ["verify", str(tmp_path / "0.x"), *AT, "--expect", "genuine"]
    named = [["--collateral", str(tmp_path / f"{number}.x")] for number in (1, 2, 3)]
    assert run_command_line([*words, *named[0], *named[1], *named[2]]) == 0
    assert run_command_line([*words, *named[0], *named[1]]) == 4  # the values are missing
    assert "vtpm.pcrs.digest" in capsys.readouterr().out
    assert run_command_line([*words, *named[0], *named[2]]) == 2  # the signature is
    assert "signature" in capsys.readouterr().err
    assert run_command_line([*words, *named[1], *named[2]]) == 4  # nobody vouches for a key
    assert "UNDECIDED: vtpm.ak.certificate" in capsys.readouterr().out


def test_a_key_in_a_folder_was_named_by_nobody(swtpm: Path, tmp_path: Path) -> None:
    row = case(swtpm, "ok-full")
    (tmp_path / "keys").mkdir()
    shutil.copy(swtpm / row["ak"], tmp_path / "keys")
    words = ["verify", str(swtpm / row["quote"]), *AT, "--expect", "genuine"]
    assert run_command_line([*words, "--collateral", str(tmp_path / "keys")]) == 4


def test_another_key_or_changed_values_are_refused(
    swtpm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = case(swtpm, "ok-full")
    assert verify(swtpm, row | {"ak": "ak2.pub.pem"}, "--expect", "genuine") == 10
    assert "REJECTED: vtpm.signature" in capsys.readouterr().out
    values = bytearray((swtpm / row["pcr_values"]).read_bytes())
    values[-1] ^= 1
    (tmp_path / "values").write_bytes(values)
    more = ("--collateral", str(tmp_path / "values"), "--expect", "genuine")
    assert verify(swtpm, row, *more) == 10
    assert "REJECTED: vtpm.pcrs.digest" in capsys.readouterr().out


def test_an_expectation_is_written_and_tells_boots_apart(
    swtpm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row, later = case(swtpm, "ok-quote-lags-log"), case(swtpm, "ok-full")
    words = ["policy", "init", str(swtpm / row["quote"]), "--collateral", str(swtpm / row["ak"]), *AT]
    assert run_command_line([*words, "--out", str(tmp_path / "tpm.toml")]) == 0
    assert verify(swtpm, row, "--expect", str(tmp_path / "tpm.toml")) == 0
    assert verify(swtpm, later, "--expect", str(tmp_path / "tpm.toml")) == 10
    assert "REJECTED: vtpm.pcrs" in capsys.readouterr().out
    assert run_command_line(["policy", "check", str(tmp_path / "tpm.toml")]) == 0
    assert "0 dangers" in capsys.readouterr().out


@pytest.mark.parametrize("nonce", ["", "xyz", "00" * 4097])
def test_a_nonce_is_hexadecimal(swtpm: Path, nonce: str) -> None:
    assert verify(swtpm, case(swtpm, "ok-full") | {"nonce_hex": nonce}) == 2


def test_a_nonce_for_other_evidence(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = vectors / "evidence" / "snp" / "milan_v3_aci_microsoft"
    words = ["verify", str(folder / "report.bin"), "--collateral", str(folder / "vcek.pem"), *AT, "--json", "--nonce"]
    assert run_command_line([*words, "01"]) == 10
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [one["check"] for one in found if one["outcome"] == "fail"] == ["snp.report-data"]
    assert run_command_line([*words, "00" * 65]) == 2
