"""A bare TPM quote with its pieces as loose files, as tpm2-tools leave them: found by content, judged as one."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import forge, forge_tpm
from tests.forge import ark
from tests.forge_tdx import Forged as ForgedTd
from tests.forge_tpm import QuotePlan
from tests.verify.test_tdx_recognise import BUNDLE
from warily.cli.main import run_command_line
from warily.formats import pem

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


def azure(folder: Path) -> list[str]:
    """Azure's evidence as loose files, as tpm2-tools and the metadata service give them, and the words to judge it."""
    case = forge_tpm.ForgedAzure()
    quote = case.evidence.quotes[0]
    chain = "".join(pem.encode_block(pem.Block(label=pem.CERTIFICATE, der=der)) for der in forge.Forged().certificates)
    files = {
        "q": quote.message, "a": quote.signature, "b": b"".join(value for _, _, value in quote.pcrs),
        "c": case.evidence.hcl_report, "d": json.dumps({"vcekCert": chain, "tcbm": "00"}).encode(),
        "root.der": ark(),
    }  # fmt: skip
    for name, data in files.items():
        (folder / name).write_bytes(data)
    given = [word for name in "abcd" for word in ("--collateral", str(folder / name))]
    nonce = ["--nonce", forge_tpm.NONCE.hex(), "--rehearsal-root", str(folder / "root.der")]
    return ["verify", str(folder / "q"), *given, *nonce, "--at", f"{forge.NOW:%Y-%m-%dT%H:%M:%SZ}"]


def test_azures_pieces_are_one_piece_of_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = azure(tmp_path)
    assert run_command_line(words) == 0
    assert "the processor (AMD SEV-SNP), through Azure's paravisor" in capsys.readouterr().out
    report = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(report.replace(b'"vmUniqueId":"F0F0"', b'"vmUniqueId":"F0F1"'))
    assert run_command_line([*words, "--json"]) == 10
    assert json.loads(capsys.readouterr().out)["first_failure"] == "vtpm.runtime-data"


def test_collateral_of_intel_beside_a_quote_does_no_harm(tmp_path: Path) -> None:
    words = azure(tmp_path)
    (tmp_path / "intel.json").write_bytes(BUNDLE)
    (tmp_path / "td").write_bytes(ForgedTd().quote.encode())
    assert run_command_line([*words, "--collateral", str(tmp_path / "intel.json")]) == 0
    assert run_command_line([*words, "--collateral", str(tmp_path / "td")]) == 0  # a TD below an SNP report: not asked


@pytest.mark.parametrize("bank", [0x0012, 0x0027])
def test_values_of_banks_that_nothing_replays_are_compared_and_refused(
    tmp_path: Path, bank: int, capsys: pytest.CaptureFixture[str]
) -> None:
    made = QuotePlan(bank=bank, values={0: bytes(32), 7: b"\x07" * 32}).make()
    for name, data in (("t.quote", made.message), ("t.sig", made.signature), ("t.pcrs", bytes(32) + b"\x07" * 32)):
        (tmp_path / name).write_bytes(data)
    key = pem.encode_block(pem.Block(label="PUBLIC KEY", der=forge_tpm.spki("ak")))
    (tmp_path / "ak.pem").write_text(key)
    words = ["verify", str(tmp_path / "t.quote"), "--collateral", str(tmp_path / "ak.pem"), *AT, "--json"]
    assert run_command_line(words) == 10
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["first_failure"]) == ("rejected", "vtpm.bank")
    assert run_command_line([*words, "--expect", "genuine"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "accepted"


def test_an_authority_is_named_by_its_file_or_its_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = QuotePlan().make()
    root = forge_tpm.ROOT.make()
    chain = b"".join(
        pem.encode_block(pem.Block(label=pem.CERTIFICATE, der=plan.make())).encode()
        for plan in (forge_tpm.LEAF, forge_tpm.MIDDLE, forge_tpm.ROOT)
    )
    values = b"".join(value for _, _, value in made.pcrs)
    for name, data in (
        ("t.quote", made.message), ("t.sig", made.signature), ("t.pcrs", values), ("chain.pem", chain), ("root", root),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
    at = ["--at", f"{forge.NOW:%Y-%m-%dT%H:%M:%SZ}"]
    words = [str(tmp_path / "t.quote"), "--collateral", str(tmp_path / "chain.pem"), *at]
    assert run_command_line(["verify", *words, "--json"]) == 10
    assert json.loads(capsys.readouterr().out)["first_failure"] == "vtpm.chain.root"
    for named in (str(tmp_path / "root"), hashlib.sha256(root).hexdigest()):
        assert run_command_line(["verify", *words, "--authority", named]) == 0
    policy = tmp_path / "tpm.toml"
    assert (
        run_command_line(["policy", "init", *words, "--authority", str(tmp_path / "root"), "--out", str(policy)]) == 0
    )
    assert run_command_line(["verify", *words, "--expect", str(policy)]) == 0
    assert run_command_line(["verify", *words, "--authority", str(tmp_path / "chain.pem")]) == 2
    (tmp_path / "report").write_bytes(forge.signed(forge.REPORT))
    assert run_command_line(["verify", str(tmp_path / "report"), "--authority", str(tmp_path / "root")]) == 2
