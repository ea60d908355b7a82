"""Genuine SNP evidence, and what was made of it: every row of CASES.tsv and every negative of MANIFEST.tsv."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import vectors_folder
from warily.core.appraisal import Appraisal
from warily.core.collateral import SnpCollateral
from warily.core.evidence import SnpEvidence
from warily.core.expect import BitRule, SnpExpect
from warily.core.finding import Outcome
from warily.errors import FormatError
from warily.verify import appraise, recognise, x509
from warily.verify.snp.presets import BASELINE, GENUINE
from warily.verify.snp.products import is_root

AT = datetime(2026, 3, 15, tzinfo=UTC)


@cache
def rows(table: str) -> list[dict[str, str]]:
    """The rows of one table beside the evidence, none where the vectors are absent."""
    path = vectors_folder() / "evidence" / table
    if not path.is_file():
        return []
    with path.open(newline="") as source:
        return list(csv.DictReader(source, delimiter="\t", quoting=csv.QUOTE_NONE))


CASES = [row for row in rows("CASES.tsv") if row["platform"] == "SNP"]
NEGATIVES = [row["file"] for row in rows("MANIFEST.tsv") if row["file"].startswith("negative/snp/")]
FORGED = "negative/snp/forged_milan/"

# What the first failure must be, where CASES.tsv says REJECT.
FIRST_FAILURE = {
    "snp-milan-v2-debug": "snp.policy",
    "snp-milan-v3-vlek-expired": "snp.chain.dates",
    "snp-milan-v3-vlek-under-ask": "snp.chain.intermediate",
    "snp-turin-under-genoa-roots": "snp.chain.intermediate",
    "snp-wrong-vcek-0": "snp.signature",
    "snp-wrong-vcek-1": "snp.signature",
    "snp-wrong-vcek-2": "snp.signature",
    "snp-wrong-vcek-3": "snp.signature",
    "snp-wrong-vcek-4": "snp.signing-key",  # the report says VLEK, the certificate is a VCEK
}


def collateral(folder: Path, *names: str) -> SnpCollateral:
    return recognise.collateral_from((folder / "evidence" / name).read_bytes() for name in names)


def judge(
    folder: Path, name: str, offered: SnpCollateral, expect: SnpExpect = BASELINE, at: datetime = AT
) -> Appraisal:
    evidence = recognise.evidence_from((folder / "evidence" / name).read_bytes())
    return appraise(evidence, offered, expect, at=at)


def test_no_case_is_forgotten(vectors: Path) -> None:
    assert vectors.is_dir()
    assert {row["id"] for row in CASES if row["expected"] == "REJECT"} == set(FIRST_FAILURE)
    assert len(NEGATIVES) > 60


@pytest.mark.parametrize("row", CASES, ids=lambda row: row["id"])
def test_case(vectors: Path, row: dict[str, str]) -> None:
    offered = collateral(vectors, *row["endorsements"].split(" + "))
    if row["id"] == "snp-milan-v3-vlek-under-ask":  # the row means: with the ASK, without the ASVK
        kept = (der for der in offered.certificates if not x509.decoded(der).name.startswith("SEV-VLEK-"))
        offered = replace(offered, certificates=tuple(kept))
    appraisal = judge(vectors, row["evidence"], offered, at=datetime.fromisoformat(row["verify_at"]))
    if row["expected"] == "ACCEPT":
        assert appraisal.accepted, appraisal.first_failure
        assert appraisal.anchor.startswith("AMD ARK-")
        assert not appraisal.rehearsal
        return
    assert not appraisal.accepted
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == FIRST_FAILURE[row["id"]]
    assert appraisal.first_failure.outcome is Outcome.FAIL


@pytest.mark.parametrize("row", [row for row in CASES if row["expected"] == "ACCEPT"], ids=lambda row: row["id"])
def test_the_leaf_alone_is_enough(vectors: Path, row: dict[str, str]) -> None:
    offered = collateral(vectors, row["endorsements"].split(" + ")[0])
    assert judge(vectors, row["evidence"], offered, at=datetime.fromisoformat(row["verify_at"])).accepted


BASES = {
    "milan_v3": ("snp/milan_v3_aci_microsoft/vcek.pem", "snp/roots/milan_ask_ark_asvk.pem"),
    "turin_v5": ("snp/turin_v5_aci_microsoft/vcek.pem", "snp/roots/turin_ask_ark_asvk.pem"),
}
MALFORMED = "malformed"
ACCEPTED = "accepted"

# Structure is refused before any signature is looked at; everything else is for the signature to find.
EXCEPTIONS = {
    "turin_v5_flip_version_hi": MALFORMED,
    "turin_v5_flip_reserved_208": MALFORMED,
    "turin_v5_flip_reserved_last_signed": MALFORMED,
    "version6": MALFORMED,
    "version1": MALFORMED,
    "sig_tail_nonzero": MALFORMED,
    "trunc_0": MALFORMED,
    "trunc_1": MALFORMED,
    "trunc_671": MALFORMED,
    "trunc_1183": MALFORMED,
    "long": MALFORMED,
    "keysel_none": "snp.signing-key",
    "turin_v5_flip_key_info": "snp.signing-key",  # it now names a VLEK, and a VCEK was offered
    "malleable_s": ACCEPTED,  # n - S is as valid as S; nothing here uses the report's digest as a key
    "msg_report_rsp": ACCEPTED,  # what the ioctl returns, taken on purpose
}


def wanted(stem: str) -> str:
    return EXCEPTIONS.get(stem) or EXCEPTIONS.get(stem.split("_", 2)[2]) or "snp.signature"


@pytest.mark.parametrize(
    "name", [name for name in NEGATIVES if not name.startswith(FORGED)], ids=lambda n: Path(n).stem
)
def test_negative(vectors: Path, name: str) -> None:
    stem = Path(name).stem
    offered = collateral(vectors, *BASES["_".join(stem.split("_")[:2])])
    try:
        appraisal = judge(vectors, name, offered)
    except FormatError:
        assert wanted(stem) == MALFORMED
        return
    first = appraisal.first_failure
    assert (first.check if first else ACCEPTED) == wanted(stem)
    assert appraisal.accepted is (wanted(stem) == ACCEPTED)


# Signed under the forged chain. Under `baseline` each fails at its own rule; `None`: accepted there, decidable below.
SIGNED = {
    "report": None,
    "signed_debug": "snp.policy",
    "signed_migrate_ma": "snp.migration-agent",
    "signed_policy_bit17_clear": "snp.policy.reserved",
    "signed_vmpl3": None,
    "signed_vmpl_host": "snp.vmpl.guest",
    "signed_committed_gt_current": "snp.tcb.committed",
    "signed_reported_tcb_not_in_vcek": "snp.tcb.bound",
    "signed_reported_gt_committed": "snp.tcb.reported",
    "signed_chip_id": "snp.chip.bound",
    "signed_chip_id_zero": "snp.chip.bound",
    "signed_cpuid_other_product": "snp.product",
    "signed_vlek_bit": "snp.signing-key",
    "signed_mask_chip_key": "snp.chip.bound",
    "signed_reserved_4c": MALFORMED,
    "signed_reserved_208": MALFORMED,
    "signed_alias_check_clear": None,
    "signed_smt_on": None,
    "signed_plat_unknown_bit63": "snp.unknown-bits",
}
DECIDABLE = {
    "signed_vmpl3": replace(BASELINE, vmpls=frozenset({0})),
    "signed_alias_check_clear": replace(BASELINE, platform=BitRule(required=1 << 5, forbidden=0)),
    "signed_smt_on": replace(BASELINE, platform=BitRule(required=0, forbidden=1 << 0)),
}
FORGED_REPORTS = [name for name in NEGATIVES if name.startswith(FORGED) and name.endswith(".bin")]


def forged_chain(folder: Path) -> tuple[SnpCollateral, frozenset[bytes]]:
    """The forged certificates, and the fingerprint under which a test may trust their root."""
    offered = collateral(folder, f"{FORGED}vcek.pem", f"{FORGED}ask_ark.pem")
    roots = (x509.decoded(der) for der in offered.certificates)
    return offered, frozenset(x509.fingerprint(root) for root in roots if is_root(root))


@pytest.mark.parametrize("name", FORGED_REPORTS, ids=lambda name: Path(name).stem)
def test_forged_chain(vectors: Path, name: str) -> None:
    stem = Path(name).stem
    offered, trusted = forged_chain(vectors)
    try:
        untrusted = judge(vectors, name, offered, GENUINE)
    except FormatError:
        assert SIGNED[stem] == MALFORMED
        return
    first = untrusted.first_failure
    assert first is not None
    assert first.check == ("snp.signing-key" if stem == "signed_vlek_bit" else "snp.chain.root")
    appraisal = judge(vectors, name, offered, replace(BASELINE, rehearsal_roots=trusted))
    assert appraisal.rehearsal or stem == "signed_vlek_bit"
    assert (appraisal.first_failure.check if appraisal.first_failure else None) == SIGNED[stem]
    if stem in DECIDABLE:
        strict = judge(vectors, name, offered, replace(DECIDABLE[stem], rehearsal_roots=trusted))
        assert not strict.accepted


def test_a_forged_leaf_under_the_genuine_names_is_refused(vectors: Path) -> None:
    appraisal = judge(vectors, f"{FORGED}report.bin", collateral(vectors, f"{FORGED}vcek.pem"))
    assert appraisal.outcome_of("snp.chain.leaf") is Outcome.FAIL


@pytest.mark.parametrize("kind", ["legacy", "new"])
def test_the_certificate_of_another_chip_is_refused(vectors: Path, kind: str) -> None:
    name = "snp/milan_v2_trustee"
    appraisal = judge(vectors, f"{name}/report.bin", collateral(vectors, f"{name}/test-vcek-invalid-{kind}.der"))
    assert appraisal.first_failure is not None
    assert not appraisal.accepted


def every_bit(_: int) -> range:
    return range(8)


def two_bits(at: int) -> tuple[int, int]:
    return at % 8, (at + 5) % 8


@pytest.mark.parametrize(
    ("name", "leaf", "bits"),
    [
        ("turin_v5_aci_microsoft/report.bin", "turin_v5_aci_microsoft/vcek.pem", every_bit),
        ("genoa_v3_aci_microsoft/report.bin", "genoa_v3_aci_microsoft/vcek.pem", two_bits),
        ("milan_v2_virtee/report.hex", "milan_v2_virtee/vcek.der", two_bits),
    ],
)
def test_no_signed_bit_can_change(vectors: Path, name: str, leaf: str, bits: Callable[[int], range]) -> None:
    evidence = recognise.evidence_from((vectors / "evidence" / "snp" / name).read_bytes())
    assert isinstance(evidence, SnpEvidence)
    offered = collateral(vectors, f"snp/{leaf}")
    assert appraise(evidence, offered, GENUINE, at=AT).accepted
    refused = 0
    for at in range(0x2A0):
        for bit in bits(at):
            changed = bytearray(evidence.report)
            changed[at] ^= 1 << bit
            try:
                appraisal = appraise(replace(evidence, report=bytes(changed)), offered, GENUINE, at=AT)
            except FormatError:
                refused += 1
                continue
            assert not appraisal.accepted, hex(at)
            refused += 1
    assert refused == sum(len(bits(at)) for at in range(0x2A0))


def test_claims_say_what_the_manifest_says(vectors: Path) -> None:
    name = "snp/turin_v5_aci_microsoft"
    claims = judge(vectors, f"{name}/report.bin", collateral(vectors, f"{name}/vcek.pem")).claims
    assert claims["measurement"] == (
        "6d6c354511d6f7c6d7504668903dc5bdc066a048b651840d8d03fb85299ebfa142fccf1d1b0baca496841bdf243619d4"
    )
    assert claims["tcb"]["reported"] == {"fmc": 1, "bootloader": 1, "tee": 1, "snp": 4, "microcode": 0x51}  # type: ignore[index]  # nested
    assert claims["platform"] == {
        "value": "0x65",
        "bits": ["SMT_EN", "ECC_EN", "ALIAS_CHECK_COMPLETE", "IOMMU_WRITE_SAFE"],
    }
    assert claims["firmware"] == {"current": "1.55.65", "committed": "1.55.65"}
    assert claims["mitigations"] == {"launch": "0x3f", "current": "0x3f"}


def test_a_cloud_key_names_its_cloud(vectors: Path) -> None:
    name = "snp/milan_v3_vlek_aws_trustee"
    at = datetime(2025, 1, 15, tzinfo=UTC)
    claims = judge(vectors, f"{name}/report.bin", collateral(vectors, f"{name}/vlek.der"), at=at).claims
    assert claims["csp_id"] == "CN=cc-us-east-2.amazonaws.com"
    assert claims["vmpl"] == 1
