"""`warily verify` on quotes: exit statuses, JSON, words in 80 columns."""

import json
from pathlib import Path

import pytest

from tests.forge_tdx import NOW, ROOT_PLAN, Forged, certificate, level, statement, tcb_info
from tests.verify.test_tdx_expectation import WHOLE
from tests.verify.test_tdx_recognise import BUNDLE
from warily.cli.main import run_command_line

GENUINE = "evidence/tdx/v5_go-tdx-guest"
DEBUG = ("evidence/tdx/v4_debug_trustee/tdx_quote_4.dat", "evidence/tdx/spr_e4_v4_go-tdx-guest")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a quote, its collateral and the root above both."""
    (tmp_path / "quote.bin").write_bytes(Forged(trailing=b"\x00" * 70).quote.encode())
    (tmp_path / "collateral.json").write_bytes(BUNDLE)
    (tmp_path / "root.der").write_bytes(certificate(ROOT_PLAN))
    return tmp_path


def verify(desk: Path, *words: str, collateral: bool = True) -> int:
    offered = ("--collateral", str(desk / "collateral.json")) if collateral else ()
    return run_command_line(["verify", str(desk / "quote.bin"), *offered, "--at", NOW.isoformat(), *words])


def test_a_rehearsal_is_accepted_only_by_name_and_says_so(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(desk) == 10
    assert "REJECTED: tdx.chain.root" in capsys.readouterr().out
    assert verify(desk, "--rehearsal-root", str(desk / "root.der")) == 0
    out = capsys.readouterr().out
    assert out.startswith("ACCEPTED as a rehearsal")
    assert "TCB status      UpToDate, by levels of 2024-11-13" in out
    assert "70 zero bytes" in out
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_missing_collateral_is_undecided(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ("--rehearsal-root", str(desk / "root.der"))
    assert verify(desk, *root, "--json", collateral=False) == 4
    found = json.loads(capsys.readouterr().out)
    open_ = next(finding for finding in found["findings"] if finding["outcome"] == "undecided")
    assert open_["check"] == "tdx.tcb-info.issuer"
    assert "90c06f000000" in open_["hint"]
    assert found["claims"] == {}


def test_malformed_evidence_and_collateral(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "collateral.json").write_bytes(b'{"tcb_info": "{"}')
    assert verify(desk) == 3
    (desk / "quote.bin").write_bytes(Forged().quote.encode()[:-1])
    assert verify(desk, collateral=False) == 3
    assert "quote: signature data" in capsys.readouterr().err


def test_an_expectation_file(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ("--rehearsal-root", str(desk / "root.der"))
    (desk / "expect.toml").write_text(WHOLE)
    assert verify(desk, *root, "--expect", str(desk / "expect.toml"), "--json") == 10
    outcomes = {one["check"]: one["outcome"] for one in json.loads(capsys.readouterr().out)["findings"]}
    failing = {check for check, outcome in outcomes.items() if outcome == "fail"}
    assert failing == {"tdx.platform", "tdx.platform.listed", "tdx.svn.tee"}
    assert outcomes["tdx.rtmr0"] == "waived"
    (desk / "expect.toml").write_text(WHOLE.replace("[tdx]", "[snp]"))
    assert verify(desk, *root, "--expect", str(desk / "expect.toml")) == 2


def test_a_status_that_is_not_wanted_says_what_it_answers_to(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    levels = [level("OutOfDate", sgx=5, tdx=(5, 0, 3), advisoryIDs=["INTEL-SA-01036"])]
    made = statement(tcb_info(tcbLevels=levels))
    bundle = json.loads(BUNDLE) | {"tcb_info": made.text.decode(), "tcb_info_signature": made.signature.hex()}
    (desk / "collateral.json").write_text(json.dumps(bundle))
    assert verify(desk, "--rehearsal-root", str(desk / "root.der")) == 10
    out = capsys.readouterr().out
    assert "REJECTED: tdx.tcb.status" in out
    assert "INTEL-SA-01036" in out


def test_genuine_hardware(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["verify", str(vectors / GENUINE / "quote_v5_sample.dat"), "--at", "2026-03-01T00:00:00Z"]
    bundle = ["--collateral", str(vectors / GENUINE / "collateral_90c06f_2026-02.json")]
    assert run_command_line([*words, *bundle]) == 0
    seen = capsys.readouterr()
    assert seen.out.startswith("ACCEPTED\n")
    assert "vouched for by  Intel SGX Root CA" in seen.out
    assert "TDX module      1.5.16" in seen.out
    assert [line for line in seen.out.splitlines() if len(line) > 80] == []
    assert seen.err == ""
    assert run_command_line([*words, *bundle, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["claims"]["tcb"]["status"] == "UpToDate"
    assert run_command_line(words) == 4


def test_a_genuine_td_under_debug(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quote, folder = DEBUG
    bundle = vectors / folder / "collateral_50806f_2023-06.json"
    words = ["verify", str(vectors / quote), "--collateral", str(bundle), "--at", "2023-07-01T00:00:00Z"]
    assert run_command_line(words) == 10
    assert "REJECTED: tdx.debug" in capsys.readouterr().out
    assert run_command_line([*words, "--expect", "genuine"]) == 0
    out = capsys.readouterr().out
    assert "Only authenticity was judged" in out
    assert "0x10000001 DEBUG SEPT_VE_DISABLE" in out
