"""Expectation files written from evidence accept it and nothing weaker; dangers in them are named."""

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tests.forge import NOW, REPORT, Forged, ark, ask, leaf
from tests.verify.test_expectation import WHOLE
from tests.verify.test_snp_vectors import CASES, collateral
from warily.core.appraisal import Appraisal, Rejected
from warily.core.collateral import SnpCollateral
from warily.core.evidence import TpmEvidence
from warily.core.expect import SnpExpect
from warily.errors import UsageError
from warily.formats.snp_report import PolicyBit
from warily.verify import appraise, recognise
from warily.verify.expectation import read_expectation
from warily.verify.policy import TEMPLATES, check_policy, write_policy
from warily.verify.policy_note import Level
from warily.verify.presets import PRESETS


def written(case: Forged) -> str:
    return write_policy(case.evidence, case.collateral, rehearsal_roots=case.expectation.rehearsal_roots, at=NOW)


def judged(policy: str, case: Forged) -> Appraisal:
    return appraise(case.evidence, case.collateral, read_expectation(policy.encode()), at=NOW)


def dangers(text: str) -> list[str]:
    return [note.key for note in check_policy(text.encode()) if note.level is Level.DANGER]


def test_every_platform_has_a_template_and_every_key_a_comment() -> None:
    assert set(TEMPLATES) == {*PRESETS, TpmEvidence}
    for template in TEMPLATES.values():
        in_files = [entry.name for entry in fields(template.kind) if entry.name != "credential"]  # made for one key
        assert list(template.comments) == in_files
        assert all(comment.endswith(".") for comment in template.comments.values())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"vmpl": 3},
        {"platform_info": 1 << 63 | 0x25},
        {"policy": 0x1F | 1 << 17 | 1 << 20 | 1 << 22},
        {"key_info": 1, "author_key_digest": b"\x05" * 48, "id_key_digest": b"\x06" * 48, "family_id": b"\x07" * 16},
        {"guest_svn": (1 << 32) - 1, "host_data": bytes(32)},
    ],
)
def test_a_policy_accepts_what_it_was_made_from(changes: dict[str, Any]) -> None:
    case = Forged(report=replace(REPORT, **changes))
    policy = written(case)
    appraisal = judged(policy, case)
    assert appraisal.accepted, appraisal.first_failure
    assert judged(written(case), case).accepted
    assert "vouched for by rehearsal root" in policy
    assert dangers(policy) == ["snp.rehearsal_roots"]


@pytest.mark.parametrize("row", [row for row in CASES if row["expected"] == "ACCEPT"], ids=lambda row: row["id"])
def test_genuine_evidence_goes_round(vectors: Path, row: dict[str, str]) -> None:
    from datetime import datetime

    at = datetime.fromisoformat(row["verify_at"])
    evidence = recognise.evidence_from((vectors / "evidence" / row["evidence"]).read_bytes())
    offered = collateral(vectors, *row["endorsements"].split(" + "))
    policy = write_policy(evidence, offered, rehearsal_roots=frozenset(), at=at)
    want = read_expectation(policy.encode())
    assert isinstance(want, SnpExpect)
    appraisal = appraise(evidence, offered, want, at=at)
    assert appraisal.accepted, appraisal.first_failure
    assert "tcb_floor = { bootloader" in policy
    assert dangers(policy) == []
    other = appraise(evidence, offered, replace(want, measurements=frozenset({b"\x01" * 48})), at=at)
    assert not other.accepted


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"measurement": b"\x23" * 48}, "snp.measurement"),
        ({"host_data": b"\x23" * 32}, "snp.host-data"),
        ({"vmpl": 1}, "snp.vmpl"),
        ({"platform_info": 0x05}, "snp.platform"),
        ({"platform_info": 0x10025 << 8 | 0x25}, "snp.unknown-bits"),
        ({"guest_svn": 0}, "snp.guest-svn"),
        ({"policy": 0x3001F | 1 << 21}, "snp.policy"),
        ({"policy": 0x3001F | 1 << 19}, "snp.policy"),
        ({"launch_tcb": 0}, "snp.tcb.floor"),
    ],
)
def test_it_refuses_what_is_weaker_or_other(changes: dict[str, Any], check: str) -> None:
    policy = written(Forged())
    appraisal = judged(policy, Forged(report=replace(REPORT, **changes)))
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == check


@pytest.mark.parametrize("bit", [PolicyBit.DEBUG, PolicyBit.MIGRATE_MA])
def test_debugging_and_migration_stay_refused(bit: PolicyBit) -> None:
    case = Forged(report=replace(REPORT, policy=REPORT.policy | bit))
    assert not judged(written(case), case).accepted


def test_evidence_that_is_not_genuine_makes_no_policy() -> None:
    with pytest.raises(Rejected, match=r"snp\.signature"):
        written(Forged(key="mallory"))
    with pytest.raises(Rejected, match=r"snp\.chain\.root"):
        written(Forged(trusts=None))


def test_evidence_that_cannot_be_judged_says_so() -> None:
    policy = written(Forged(certificates=()))
    assert "NOT judged, for want of the VCEK" in policy
    assert tomllib.loads(policy)["snp"]["tcb_floor"]["microcode"] == 219
    assert judged(policy, Forged()).accepted


def test_without_a_product_there_is_no_floor() -> None:
    report = replace(REPORT, version=2, cpuid_family=0, cpuid_model=0, cpuid_stepping=0)
    without = write_policy(Forged(report=report).evidence, SnpCollateral(), rehearsal_roots=frozenset(), at=NOW)
    assert "tcb_floor = { waived" in without
    assert "tcb_floor = { bootloader = 4" in written(Forged(report=report, certificates=(leaf(), ask(), ark())))


GOOD = WHOLE.replace(f'rehearsal_roots = ["{"ab" * 32}"]', "rehearsal_roots = []")


def changed(key: str, value: str) -> str:
    kept = [line for line in GOOD.splitlines() if not line.startswith(f"{key} =")]
    return "\n".join([*kept, f"{key} = {value}"])


WAIVED = '{ waived = "for a test" }'


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("rehearsal_roots", f'["{"ab" * 32}"]', "software processors"),
        ("measurements", WAIVED, "any software"),
        ("measurements", "[]", "nothing can pass"),
        ("measurements", f'["{"00" * 48}"]', "all zeros"),
        ("vmpls", WAIVED, "the host asked for"),
        ("vmpls", "[]", "nothing can pass"),
        ("policy", WAIVED, "DEBUG is not forbidden"),
        ("policy", '{ required = [], forbidden = ["MIGRATE_MA"] }', "DEBUG is not forbidden"),
        ("policy", '{ required = ["SMT"], forbidden = ["SMT", "DEBUG"] }', "SMT is required and forbidden"),
        ("policy", '{ required = [], forbidden = ["RESERVED_ONE", "DEBUG"] }', "always set"),
        ("platform", "{ required = [5], forbidden = [5] }", "ALIAS_CHECK_COMPLETE is required and forbidden"),
        ("migration_agent", "true", "an agent"),
        ("migration_agent", WAIVED, "an agent"),
    ],
)
def test_a_danger_is_named(key: str, value: str, says: str) -> None:
    assert dangers(GOOD) == []
    found = [note for note in check_policy(changed(key, value).encode()) if note.level is Level.DANGER]
    assert [(note.key, says in note.says) for note in found] == [(f"snp.{key}", True)]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("report_data", WAIVED, "freshness"),
        ("host_data", WAIVED, "nobody looks"),
        ("tcb_floor", WAIVED, "any age"),
        ("tcb_floor", "{ fmc = 0, bootloader = 0, tee = 0, snp = 0, microcode = 0 }", "any age"),
        ("unknown_bits", "true", "cannot read"),
        ("chip_ids", WAIVED, "extracted chip"),
        ("platform", WAIVED, "BadRAM"),
        ("platform", "{ required = [5, 40], forbidden = [] }", "bit 40"),
    ],
)
def test_a_remark_is_made(key: str, value: str, says: str) -> None:
    found = check_policy(changed(key, value).encode())
    assert any(note.key == f"snp.{key}" and says in note.says for note in found)
    assert all(note.level is Level.REMARK for note in found)


def test_dangers_come_first_and_a_broken_file_is_misuse() -> None:
    levels = [note.level for note in check_policy(changed("vmpls", WAIVED).encode())]
    assert levels[0] is Level.DANGER
    assert levels == sorted(levels)
    with pytest.raises(UsageError, match="did you mean measurements"):
        check_policy((GOOD + "measurement = []").encode())
