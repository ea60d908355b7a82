"""Expectation files of TDX, SGX and Nitro evidence: they accept what they were made from; dangers are named."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.forge_nitro import NOW, PCRS, ForgedNitro
from tests.verify.test_nitro import DEBUG, GOOD
from tests.verify.test_snp_vectors import rows
from warily.core.collateral import NitroCollateral, TpmCollateral
from warily.core.evidence import TpmEvidence
from warily.core.expect import SnpExpect, TpmExpect
from warily.core.finding import Outcome, Waived
from warily.verify import appraise, recognise
from warily.verify.expectation import read_expectation
from warily.verify.policy import check_policy, write_policy
from warily.verify.policy_note import Level

TPM_NOW = datetime(2026, 3, 15, tzinfo=UTC)
WANTED = ("UpToDate", "ConfigurationAndSWHardeningNeeded")
QUOTES = [row for row in rows("CASES.tsv") if row["platform"] in ("TDX", "SGX") and row["expected"] in WANTED]


def found(text: str, level: Level = Level.DANGER) -> list[str]:
    return [note.key for note in check_policy(text.encode()) if note.level is level]


@pytest.mark.parametrize("row", QUOTES, ids=lambda row: row["id"])
def test_a_genuine_quote_goes_round(vectors: Path, row: dict[str, str]) -> None:
    at = datetime.fromisoformat(row["verify_at"])
    evidence = recognise.evidence_from((vectors / "evidence" / row["evidence"]).read_bytes())
    offered = recognise.collateral_for(evidence, [(vectors / "evidence" / row["endorsements"]).read_bytes()])
    policy = write_policy(evidence, offered, rehearsal_roots=frozenset(), at=at)
    want: Any = read_expectation(policy.encode())
    appraisal = appraise(evidence, offered, want, at=at)
    assert appraisal.accepted, appraisal.first_failure
    assert found(policy) == []
    if row["expected"] == "UpToDate":
        other = appraise(evidence, offered, replace(want, rtmr1=frozenset({b"\x01" * 48})), at=at)
        assert other.outcome_of("tdx.rtmr1") is Outcome.FAIL
        assert want.statuses != frozenset()


def test_a_quote_without_collateral_makes_a_policy_that_says_so(vectors: Path) -> None:
    row = QUOTES[0]
    evidence = recognise.evidence_from((vectors / "evidence" / row["evidence"]).read_bytes())
    offered = recognise.collateral_for(evidence, [])
    policy = write_policy(evidence, offered, rehearsal_roots=frozenset(), at=datetime.fromisoformat(row["verify_at"]))
    assert "NOT judged" in policy.replace("\n# ", " ")
    assert "advisories = { waived" in policy


TDX = ("debug", "attributes", "mrservicetds", "enclaves", "mrtds", "statuses")


@pytest.mark.parametrize("key", TDX)
def test_waivers_that_are_dangerous_for_tdx(vectors: Path, key: str) -> None:
    row = QUOTES[0]
    at = datetime.fromisoformat(row["verify_at"])
    evidence = recognise.evidence_from((vectors / "evidence" / row["evidence"]).read_bytes())
    offered = recognise.collateral_for(evidence, [(vectors / "evidence" / row["endorsements"]).read_bytes()])
    policy = write_policy(evidence, offered, rehearsal_roots=frozenset(), at=at)
    assert found(waiving(policy, key)) == [f"tdx.{key}"]


def waiving(policy: str, key: str) -> str:
    lines = policy.splitlines()
    kept = [f'{key} = {{ waived = "for a test" }}' if line.startswith(f"{key} =") else line for line in lines]
    assert kept != lines
    return "\n".join(kept)


def nitro_policy(case: ForgedNitro) -> str:
    roots = case.expectation.rehearsal_roots
    return write_policy(case.evidence, NitroCollateral(), rehearsal_roots=roots, at=NOW)


def test_a_nitro_document_goes_round() -> None:
    case = ForgedNitro()
    policy = nitro_policy(case)
    assert appraise(case.evidence, NitroCollateral(), read_expectation(policy.encode()), at=NOW).accepted
    assert found(policy) == ["nitro.rehearsal_roots"]
    other = ForgedNitro(members={"pcrs": PCRS | {2: b"\x77" * 48}})
    appraisal = appraise(other.evidence, NitroCollateral(), read_expectation(policy.encode()), at=NOW)
    assert appraisal.outcome_of("nitro.pcrs") is Outcome.FAIL


def test_a_nitro_tpm_document_goes_round() -> None:
    case = ForgedNitro(members={"pcrs": ..., "nitrotpm_pcrs": {4: b"\x04" * 48, 23: bytes(48)}})
    policy = nitro_policy(case)
    assert 'pcrs = { 4 = ["' in policy
    assert appraise(case.evidence, NitroCollateral(), read_expectation(policy.encode()), at=NOW).accepted


@pytest.mark.parametrize("key", ["debug", "pcrs"])
def test_waivers_that_are_dangerous_for_nitro(key: str) -> None:
    policy = nitro_policy(ForgedNitro(trusted=ForgedNitro().trusted))
    assert f"nitro.{key}" in found(waiving(policy, key))
    assert f"nitro.{key}" not in found(policy)


def test_genuine_nitro_documents(vectors: Path) -> None:
    at = datetime(2025, 12, 25, 13, 15, 37, tzinfo=UTC)
    evidence = recognise.evidence_from((vectors / "evidence" / GOOD).read_bytes())
    policy = write_policy(evidence, NitroCollateral(), rehearsal_roots=frozenset(), at=at)
    assert appraise(evidence, NitroCollateral(), read_expectation(policy.encode()), at=at).accepted
    assert found(policy) == []
    early = datetime(2025, 12, 25, 8, 21, tzinfo=UTC)
    debug = recognise.evidence_from((vectors / "evidence" / DEBUG).read_bytes())
    refused = write_policy(debug, NitroCollateral(), rehearsal_roots=frozenset(), at=early)
    assert not appraise(debug, NitroCollateral(), read_expectation(refused.encode()), at=early).accepted


QUOTED = {
    "azure_snp_vtpm/trustee/evidence-v2.json": ("snp", "snp"),
    "tpm_quote/gce-cos-85-nonce9009.pb": ("certificate", None),
}


def tpm_policy(vectors: Path, name: str) -> tuple[TpmEvidence, str]:
    evidence = recognise.evidence_from((vectors / "evidence" / name).read_bytes())
    assert isinstance(evidence, TpmEvidence)
    return evidence, write_policy(evidence, TpmCollateral(), rehearsal_roots=frozenset(), at=TPM_NOW)


@pytest.mark.parametrize("name", QUOTED)
def test_quotes_of_a_tpm_go_round(vectors: Path, name: str) -> None:
    evidence, policy = tpm_policy(vectors, name)
    want = read_expectation(policy.encode())
    assert isinstance(want, TpmExpect)
    binding, below = QUOTED[name]
    assert want.bindings == frozenset({binding})
    assert isinstance(want.hardware, SnpExpect) is (below == "snp")
    appraisal = appraise(evidence, TpmCollateral(), want, at=TPM_NOW)
    assert appraisal.accepted, appraisal.first_failure
    assert found(policy) == []
    assert not isinstance(want.pcrs, Waived)
    bank = next(iter(want.pcrs))
    other = replace(want, pcrs={bank: {**want.pcrs[bank], 4: frozenset({bytes(32)})}})
    assert appraise(evidence, TpmCollateral(), other, at=TPM_NOW).outcome_of("vtpm.pcrs") is Outcome.FAIL


def test_a_log_makes_the_file_ask_for_one(vectors: Path) -> None:
    evidence, policy = tpm_policy(vectors, "tpm_quote/gce-cos-85-nonce9009.pb")
    want = read_expectation(policy.encode())
    assert isinstance(want, TpmExpect)
    assert want.log_registers == frozenset(range(8))
    assert want.secure_boot is True
    assert want.instances == frozenset({"google.com:wuale-gcp-testing/us-central1-a/cos-test/6797026933021542085"})
    silent = replace(evidence, event_logs=())
    assert appraise(silent, TpmCollateral(), want, at=TPM_NOW).undecided


@pytest.mark.parametrize(
    ("key", "value", "danger"),
    [
        ("bindings", '{ waived = "w" }', "any kind of voucher"),
        ("bindings", "[]", "nothing can pass"),
        ("bindings", '["named"]', "none can pass so"),
        ("hardware", '{ waived = "w" }', "below its TPM"),
        ("banks", '{ waived = "w" }', "SHA-1"),
        ("banks", "[]", "nothing can pass"),
        ("banks", '["sha1"]', "SHA-1"),
        ("pcrs", '{ waived = "w" }', "any software passes"),
        ("pcrs", "{ sha256 = { 4 = [] } }", "PCR4 is empty"),
        ("pcrs", '{ sha1 = { 4 = ["' + "01" * 20 + '"] } }', "made to order"),
    ],
)
def test_a_danger_of_a_tpm_expectation_is_named(vectors: Path, key: str, value: str, danger: str) -> None:
    _, policy = tpm_policy(vectors, "azure_snp_vtpm/trustee/evidence-v2.json")
    head, mark, below = policy.partition("\n[snp]\n")
    lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in head.splitlines()]
    text = "\n".join(lines) + (mark + below if key != "hardware" else "")
    said = [note.says for note in check_policy(text.encode()) if note.level is Level.DANGER]
    assert any(danger in entry for entry in said), said


def test_dangers_of_the_processor_below_are_named_too(vectors: Path) -> None:
    _, policy = tpm_policy(vectors, "azure_snp_vtpm/trustee/evidence-v2.json")
    assert found(policy.replace("migration_agent = false", "migration_agent = true")) == ["snp.migration_agent"]
