"""`warily verify` over quotes of a TPM and event logs: exit statuses, JSON, and what a person reads."""

import json
from pathlib import Path

import pytest

from tests.forge_tpm import boot, pcrs_after
from tests.verify.test_expectation import WHOLE
from warily.cli.main import run_command_line
from warily.core.expect import TpmExpect
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.verify.expectation import read_expectation

AT = ["--at", "2026-03-15T00:00:00Z"]
TPM = """
[tpm]
authorities = []
attestation_keys = []
bindings = ["snp", "certificate"]
hardware = { waived = "there is none" }
nonce = "9009"
banks = ["sha256"]
selection = [0, 1, 2, 3, 4, 5, 6, 7]
pcrs = { waived = "the log says enough" }
log_registers = [0, 1, 2, 3, 4, 5, 6, 7]
secure_boot = true
instances = { waived = "any machine" }
user_data = { waived = "none" }
"""


def test_google_with_its_log(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = vectors / "evidence/tpm_quote/gce-cos-85-nonce9009.pb"
    assert run_command_line(["verify", str(path), *AT]) == 0
    said = capsys.readouterr().out
    assert said.startswith("ACCEPTED\n")
    assert "Secure Boot on" in said
    assert "a certificate of its attestation key" in said
    assert run_command_line(["verify", str(path), *AT, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accepted"]
    assert told["claims"]["boot"][0]["events"][0]["register"] == "PCR0"


def test_azure_shows_the_processor_below(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = vectors / "evidence/azure_snp_vtpm/trustee/evidence-v2.json"
    assert run_command_line(["verify", str(path), *AT]) == 0
    said = capsys.readouterr().out
    assert "virtual TPM of Azure on AMD SEV-SNP" in said
    assert "Milan-B0" in said


def test_a_log_of_another_boot_is_rejected(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = vectors / "evidence/tpm_quote/gce-cos-85-nonce9009.pb"
    log = vectors / "evidence/tpm_eventlog/go-tpm-tools/cos-101-amd-sev.bin"
    assert run_command_line(["verify", str(path), "--log", str(log), *AT, "--json"]) == 10
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert next(entry for entry in findings if entry["outcome"] == "fail")["check"] == "log.replay"


def test_a_td_quote_with_its_ccel(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = vectors / "evidence/tdx_ccel"
    quote = str(folder / "cos113_go-tdx-guest/quote.dat")
    assert run_command_line(["verify", quote, "--log", str(folder / "cos113_go-tdx-guest/ccel_data.dat"), *AT]) == 4
    capsys.readouterr()
    other = str(folder / "go-eventlog/cos-113-intel-tdx-dupe-separator.bin")
    assert run_command_line(["verify", quote, "--log", other, *AT]) == 10
    assert capsys.readouterr().out.startswith("REJECTED: log.replay")


@pytest.mark.parametrize(
    ("evidence", "log", "status", "word"),
    [
        ("tdx_ccel/dstack/ccel.bin", None, 2, "the evidence that it is to explain is missing"),
        ("azure_snp_vtpm/trustee/tpm-quote.msg", None, 2, "signature"),
        ("snp/turin_v5_aci_microsoft/report.bin", "tdx_ccel/dstack/ccel.bin", 2, "only a TPM and a TD have registers"),
        ("tpm_quote/gce-cos-85-nonce9009.pb", "azure_snp_vtpm/trustee/tpm-quote.msg", 3, "no event log"),
        ("tpm_quote/gce-cos-85-nonce9009.pb", "negative/eventlog/cos113_ccel_trunc.bin", 3, "event log"),
        ("azure_snp_vtpm/trustee/tpm-quote-v1.json", None, 4, ""),
    ],
)
def test_what_is_missing_or_wrong_has_its_status(
    vectors: Path, capsys: pytest.CaptureFixture[str], evidence: str, log: str | None, status: int, word: str
) -> None:
    logs = [] if log is None else ["--log", str(vectors / "evidence" / log)]
    assert run_command_line(["verify", str(vectors / "evidence" / evidence), *logs, *AT]) == status
    assert word in capsys.readouterr().err


def test_an_expectation_file_decides(vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(vectors / "evidence/tpm_quote/gce-cos-85-nonce9009.pb")
    file = tmp_path / "want.toml"
    file.write_text(TPM)
    assert run_command_line(["verify", path, "--expect", str(file), *AT]) == 0
    file.write_text(TPM.replace("secure_boot = true", "secure_boot = false"))
    assert run_command_line(["verify", path, "--expect", str(file), *AT]) == 10
    assert "REJECTED: vtpm.secure-boot" in capsys.readouterr().out


def test_expectations_are_read_whole() -> None:
    want = read_expectation(TPM.encode())
    assert isinstance(want, TpmExpect)
    assert want.nonce == b"\x90\x09"
    assert want.hardware == Waived("there is none")
    value = pcrs_after(boot())[4].hex()
    text = TPM.replace('pcrs = { waived = "the log says enough" }', f'pcrs = {{ sha256 = {{ 4 = ["{value}"] }} }}')
    want = read_expectation(text.encode())
    assert isinstance(want, TpmExpect)
    assert want.pcrs == {"sha256": {4: frozenset({bytes.fromhex(value)})}}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('nonce = "9009"\n', "", "tpm.nonce is missing"),
        ('"9009"', '"900"', "tpm.nonce"),
        ('["sha256"]', '["md5"]', "none of sha1, sha256, sha384, sha512"),
        ("[0, 1, 2, 3, 4, 5, 6, 7]", "[24]", "tpm.selection"),
        ('{ waived = "the log says enough" }', "{ sha256 = {} }", "tpm.pcrs.sha256"),
        ('{ waived = "the log says enough" }', "{ sha256 = { 24 = [] } }", "tpm.pcrs.sha256"),
        ('{ waived = "the log says enough" }', '{ sha256 = { 4 = ["00"] } }', "not 32 bytes"),
        ('{ waived = "the log says enough" }', "{}", "tpm.pcrs"),
        ('{ waived = "there is none" }', '"snp"', "the file.snp is missing"),
        ('{ waived = "there is none" }', '"arm"', "tpm.hardware is none of snp, tdx"),
        ('{ waived = "any machine" }', '["a\\nb"]', "one line"),
        ("secure_boot = true", "secure_boot = 1", "true or false"),
        ("secure_boot", "secureboot", "did you mean secure_boot"),
    ],
)
def test_a_bad_expectation_names_the_key(old: str, new: str, why: str) -> None:
    assert old in TPM
    with pytest.raises(UsageError, match=why):
        read_expectation(TPM.replace(old, new, 1).encode())


def test_the_processor_below_has_its_own_table() -> None:

    want = read_expectation((TPM.replace('{ waived = "there is none" }', '"snp"') + WHOLE).encode())
    assert isinstance(want, TpmExpect)
    assert type(want.hardware).__name__ == "SnpExpect"
