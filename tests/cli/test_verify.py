"""`warily verify` as people and scripts meet it: exit statuses, JSON, the report in 80 columns."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.forge import NOW, REPORT, ark, ask, crl, leaf, signed
from tests.verify.test_expectation import WHOLE
from warily.cli.main import run_command_line
from warily.formats.snp_report import SnpReport
from warily.verify import x509

AT = ("--at", NOW.isoformat())
MILAN = "evidence/snp/milan_v3_aci_microsoft"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a report, and beside it a folder with its chain and what else lies about."""
    (tmp_path / "report.bin").write_bytes(signed(REPORT))
    chain = tmp_path / "chain"
    chain.mkdir()
    (chain / "vcek.der").write_bytes(leaf())
    (chain / "ask.der").write_bytes(ask())
    (chain / "ark.der").write_bytes(ark())
    (chain / "notes.txt").write_text("not a certificate")
    return tmp_path


def verify(desk: Path, *words: str) -> int:
    return run_command_line(["verify", str(desk / "report.bin"), "--collateral", str(desk / "chain"), *AT, *words])


def rewrite(desk: Path, **fields: Any) -> None:  # noqa: ANN401  # any field
    (desk / "report.bin").write_bytes(signed(replace(REPORT, **fields)))


def test_a_rehearsal_is_accepted_only_by_name_and_says_so(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(desk) == 10
    assert "REJECTED: snp.chain.root" in capsys.readouterr().out
    for root in (str(desk / "chain" / "ark.der"), x509.fingerprint(x509.decoded(ark())).hex()):
        assert verify(desk, "--rehearsal-root", root) == 0
        seen = capsys.readouterr()
        assert seen.out.startswith("ACCEPTED as a rehearsal\n\nREHEARSAL:")
        assert "vouched for by  rehearsal root " in seen.out
        assert "notes.txt is no collateral" in seen.err


def test_json_has_what_scripts_rely_on(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(desk, "--json", "--rehearsal-root", str(desk / "chain" / "ark.der")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accepted"] is True
    assert found["rehearsal"] is True
    assert set(found["findings"][0]) == {"check", "outcome", "expected", "found", "hint"}
    assert found["claims"]["measurement"] == REPORT.measurement.hex()


def test_missing_collateral_is_undecided(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["verify", str(desk / "report.bin"), *AT]) == 4
    out = capsys.readouterr().out
    assert "UNDECIDED: snp.signing-key" in out
    assert f" https://kdsintf.amd.com/vcek/v1/Milan/{REPORT.chip_id.hex()}?" in out
    assert run_command_line(["verify", str(desk / "report.bin"), *AT, "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["findings"][0]["outcome"] == "undecided"


def test_a_stale_revocation_list_is_undecided(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "chain" / "crl.der").write_bytes(crl(days=(-30, -1)))
    assert verify(desk, "--rehearsal-root", str(desk / "chain" / "ark.der")) == 4
    assert "get the current list" in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"x" * 1184, bytes(1184), REPORT.pack()[:-1]])
def test_malformed_evidence(desk: Path, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "report.bin").write_bytes(data)
    assert verify(desk) == 3
    seen = capsys.readouterr()
    assert seen.err.startswith("warily: error: ") or "error: " in seen.err
    assert verify(desk, "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "format"


def test_malformed_collateral(desk: Path) -> None:
    (desk / "vcek.der").write_bytes(leaf()[:-1])
    assert verify(desk, "--collateral", str(desk / "vcek.der")) == 3
    (desk / "vcek.der").write_bytes(leaf().replace(b"\x16\x08Milan-B0", b"\x16\x08Milan\x01B0"))
    assert verify(desk, "--collateral", str(desk / "vcek.der")) == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--at", "yesterday"),
        ("--at", "2026-03-15"),
        ("--at", "0001-01-01T00:00:00+23:00"),
        ("--expect", "/nowhere/expect.toml"),
        ("--collateral", "/nowhere"),
        ("--rehearsal-root", "/nowhere"),
        ("--unknown",),
    ],
)
def test_misuse(desk: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(desk, *words) == 2
    assert "error: " in capsys.readouterr().err


def test_a_root_file_holds_one_root(desk: Path) -> None:
    assert verify(desk, "--rehearsal-root", str(desk / "chain" / "ask.der")) == 2


def test_genuine_says_what_it_does_not_judge(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(desk, policy=0xB001F)
    root = ("--rehearsal-root", str(desk / "chain" / "ark.der"))
    assert verify(desk, *root) == 10
    assert "DEBUG is set" in capsys.readouterr().out
    assert verify(desk, *root, "--expect", "genuine") == 0
    assert "Only authenticity was judged (--expect genuine)" in capsys.readouterr().out


def test_an_expectation_file(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = x509.fingerprint(x509.decoded(ark())).hex()
    text = WHOLE.replace("ab" * 32, root).replace("guest_svn = 3", "guest_svn = 1")
    (desk / "expect.toml").write_text(text)
    assert verify(desk, "--expect", str(desk / "expect.toml")) == 0
    assert "waived snp.host-data" in capsys.readouterr().out
    (desk / "expect.toml").write_text(text.replace("guest_svn = 1", "guest_svn = 2"))
    assert verify(desk, "--expect", str(desk / "expect.toml")) == 10
    (desk / "expect.toml").write_text(text.replace("guest_svn = 1", ""))
    assert verify(desk, "--expect", str(desk / "expect.toml")) == 2
    assert "snp.guest_svn is missing" in capsys.readouterr().err


def test_every_line_fits_80_columns(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ("--rehearsal-root", str(desk / "chain" / "ark.der"))
    verify(desk)
    verify(desk, *root)
    verify(desk, *root, "--expect", "genuine")
    rewrite(
        desk,
        vmpl=0xFFFFFFFF,
        platform_info=(1 << 64) - 1,
        committed_tcb=SnpReport.unpack(REPORT.pack()).current_tcb + 1,
    )
    verify(desk, *root)
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "asked for by the host" in out


def test_genuine_hardware(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["verify", str(vectors / MILAN / "report.bin"), "--collateral", str(vectors / MILAN / "vcek.pem")]
    assert run_command_line([*words, "--at", "2026-03-15T00:00:00Z"]) == 0
    seen = capsys.readouterr()
    assert seen.out.startswith("ACCEPTED\n")
    assert "vouched for by  AMD ARK-Milan" in seen.out
    assert "rehearsal" not in seen.out.lower()
    assert seen.err == ""
    assert run_command_line([*words, "--at", "2020-01-01T00:00:00Z"]) == 10
    assert "REJECTED: snp.chain.dates" in capsys.readouterr().out
