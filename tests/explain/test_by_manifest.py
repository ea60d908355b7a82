"""Evidence judged by a signed manifest: what it predicts passes, all else is refused, what it leaves open is said."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests import forge, forge_tdx
from tests.measure.test_matching import hob
from tests.measure.test_shapes import MANIFEST as SNP
from tests.measure.test_td_rules import GIB, MADE, TABLES
from tests.measure.test_tdx import launch
from warily.core.appraisal import Appraisal
from warily.core.declaration import Platform
from warily.core.evidence import NitroEvidence
from warily.core.expect import LastWord
from warily.core.finding import Outcome, Waived, failed, passed
from warily.core.manifest import Manifest
from warily.errors import UsageError
from warily.explain import by_manifest
from warily.explain.by_manifest import CHECK, appraise_by_manifest
from warily.measure.matching import Match
from warily.measure.shapes import Shape, recompute
from warily.measure.tdx import predict
from warily.verify import appraise

USUAL = Shape(vcpus=2, cpu="EPYC-v4", memory=GIB)


@cache
def launched(platform: Platform, shape: Shape = USUAL) -> bytes:
    return recompute(SNP, platform, shape).registers["launch_digest"]


def snp(measurement: bytes, *, manifest: Manifest = SNP, **more: Any) -> Appraisal:  # noqa: ANN401  # any argument
    made = forge.Forged(report=replace(forge.REPORT, measurement=measurement))
    values: dict[str, Any] = {
        "evidence": made.evidence,
        "collateral": made.collateral,
        "expect": made.expectation,
    }
    return appraise_by_manifest(manifest=manifest, at=forge.NOW, **(values | more))


def tdx(**registers: Any) -> forge_tdx.Forged:  # noqa: ANN401  # any field of the report
    td = replace(forge_tdx.TD15, base=replace(forge_tdx.TD, **registers))
    return forge_tdx.Forged(body=td)


def judged(made: forge_tdx.Forged, *logs: bytes, manifest: Manifest = MADE, **more: Any) -> Appraisal:  # noqa: ANN401  # any argument
    evidence = replace(made.evidence, event_logs=logs)
    values: dict[str, Any] = {"evidence": evidence, "collateral": made.collateral, "expect": made.expectation}
    return appraise_by_manifest(manifest=manifest, at=forge_tdx.NOW, **(values | more))


def said(appraisal: Appraisal, check: str = CHECK) -> str:
    return next(finding for finding in appraisal.findings if finding.check == check).found


def test_a_rehearsal_of_any_shape_is_accepted_and_named() -> None:
    found = snp(launched(Platform.REHEARSAL))
    assert found.accepted
    assert said(found) == "ledger on rehearsal: 2 vCPUs, EPYC-v4"
    assert found.outcome_of("snp.measurement") is Outcome.PASS
    other = snp(launched(Platform.REHEARSAL, replace(USUAL, vcpus=300)))
    assert other.accepted
    assert said(other) == "ledger on rehearsal: 300 vCPUs, EPYC-v4; declared are 2 vCPUs, EPYC-v4"


def test_what_the_manifest_does_not_predict_is_rejected() -> None:
    found = snp(bytes(48))
    assert not found.accepted
    assert found.outcome_of(CHECK) is Outcome.FAIL
    assert found.outcome_of("snp.measurement") is Outcome.FAIL
    assert "another value in launch_digest" in said(found)


def test_a_rehearsal_does_not_vouch_for_hardware() -> None:
    found = snp(launched(Platform.SNP))
    assert not found.accepted
    assert said(found) == "vouched for by a rehearsal"


def test_hardware_is_named_with_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """No genuine report has a manifest of ours; so the anchor is taken for AMD's here, and nothing else is changed."""
    real = appraise
    monkeypatch.setattr(by_manifest, "appraise", lambda *args, **more: replace(real(*args, **more), rehearsal=False))
    assert said(snp(launched(Platform.SNP))) == "ledger on snp: 2 vCPUs, EPYC-v4, host linux-6.10"
    older = replace(USUAL, host="linux-6.9", cpu="EPYC-Turin")
    expected = "ledger on snp: 2 vCPUs, EPYC-Turin, host linux-6.9; declared are 2 vCPUs, EPYC-v4"
    assert said(snp(launched(Platform.SNP, older))) == expected
    assert said(snp(launched(Platform.REHEARSAL))) == "vouched for by hardware"


def test_evidence_that_is_not_genuine_reaches_no_manifest() -> None:
    made = forge.Forged(report=replace(forge.REPORT, measurement=launched(Platform.REHEARSAL)), trusts=None)
    found = snp(launched(Platform.REHEARSAL), expect=made.expectation)
    assert found.outcome_of(CHECK) is Outcome.NOT_REACHED
    assert not found.accepted


def test_an_expectation_that_names_measurements_keeps_its_say() -> None:
    value = launched(Platform.REHEARSAL)
    other = replace(forge.Forged().expectation, measurements=frozenset({bytes(48)}))
    found = snp(value, expect=other)
    assert (found.outcome_of(CHECK), found.outcome_of("snp.measurement")) == (Outcome.PASS, Outcome.FAIL)
    assert not found.accepted


def test_what_a_log_says_of_the_manifest_counts() -> None:
    value = launched(Platform.REHEARSAL)
    fine, late = passed("logged.version", "version 3"), failed("logged.version", expected="4", found="3")
    assert snp(value, logged=(fine,)).accepted
    refused = snp(value, logged=(late,))
    assert not refused.accepted
    assert refused.first_failure == late


def test_the_last_word_sees_the_manifest_s_finding() -> None:
    want = LastWord(over=forge.Forged().expectation, cel='findings.exists(f, f.check == "manifest.shape")')
    assert snp(launched(Platform.REHEARSAL), expect=want).accepted


def test_a_td_is_accepted_with_what_the_host_did() -> None:
    values = recompute(MADE, Platform.TDX, Shape(vcpus=2, cpu="", memory=2 * GIB, host="second-exit")).registers
    found = judged(tdx(**values))
    assert found.accepted
    assert said(found) == "ledger on tdx: mrtd usual, rtmr2 usual, rtmr1 second-exit, rtmr0 left open"
    assert found.outcome_of("tdx.rtmr0") is Outcome.WAIVED
    assert "leaves it open: ACPI tables" in said(found, "tdx.rtmr0")
    assert {found.outcome_of(f"tdx.{name}") for name in ("mrtd", "rtmr1", "rtmr2")} == {Outcome.PASS}


@pytest.mark.parametrize("register", ["mrtd", "rtmr1", "rtmr2"])
def test_another_register_of_a_td_is_rejected(register: str) -> None:
    values = recompute(MADE, Platform.TDX, Shape(vcpus=2, cpu="", memory=2 * GIB)).registers
    found = judged(tdx(**(values | {register: b"\x99" * 48})))
    assert found.outcome_of(f"tdx.{register}") is Outcome.FAIL
    assert said(found) == f"another value in {register}"
    assert not found.accepted


def test_rtmr0_is_judged_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log's events stand in for its bytes: tests/measure/test_matching.py has a genuine one."""
    whole = {name: value for name, value in predict(launch(memory=8 * GIB)).registers.items() if name != "rtmr3"}
    monkeypatch.setattr(by_manifest, "_events", lambda _: (hob(8 * GIB), *TABLES))
    found = judged(tdx(**whole))
    assert found.accepted
    assert found.outcome_of("tdx.rtmr0") is Outcome.PASS
    assert said(found).endswith("rtmr2 usual, 8 GiB of memory, taken from the log: acpi")
    refused = judged(tdx(**(whole | {"rtmr0": b"\x99" * 48})))
    assert refused.outcome_of("tdx.rtmr0") is Outcome.FAIL
    assert said(refused) == "another value in rtmr0"


def test_a_register_that_is_waived_for_a_reason_stays_judged_by_the_manifest() -> None:
    values = recompute(MADE, Platform.TDX, Shape(vcpus=2, cpu="", memory=2 * GIB)).registers
    made = tdx(**(values | {"rtmr2": b"\x99" * 48}))
    want = replace(made.expectation, rtmr2=Waived("we know better"))
    assert not judged(made, expect=want).accepted


def test_evidence_of_another_platform_is_a_wrong_use() -> None:
    with pytest.raises(UsageError, match="says nothing of such evidence"):
        judged(tdx(), evidence=NitroEvidence(document=b""))
    with pytest.raises(UsageError, match="says nothing of such evidence"):
        snp(bytes(48), manifest=replace(SNP, launches=()))
    with pytest.raises(UsageError, match="no shape rule for tdx"):
        judged(tdx(), manifest=SNP)


def test_a_manifest_without_a_word_on_any_register_accepts_nothing() -> None:
    nothing = Match(shape=USUAL, values={}, named={}, absent={"rtmr0": "x"})
    found = snp(launched(Platform.REHEARSAL))
    refused = by_manifest.registers_are_predicted(found, SNP, Platform.REHEARSAL, nothing)
    assert refused.outcome is Outcome.FAIL
