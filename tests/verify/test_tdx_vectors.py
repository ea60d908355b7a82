"""Genuine Intel quotes, and what was made of them: every row of CASES.tsv and every negative of MANIFEST.tsv.

`dcap_qvl` is asked the same questions; docs/reference/tdx-differences.md explains every answer that differs.
"""

import csv
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import dcap_qvl  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.conftest import REPOSITORY, vectors_folder
from warily.core.appraisal import Appraisal
from warily.core.collateral import TdxCollateral
from warily.core.evidence import TdxEvidence
from warily.core.expect import TdxExpect
from warily.core.finding import Outcome
from warily.core.vendors import module_versions
from warily.errors import FormatError
from warily.formats.tdx_quote import Quote
from warily.verify import appraise, recognise
from warily.verify.tdx import p256
from warily.verify.tdx.presets import BASELINE, GENUINE
from warily.verify.tdx.roots import intel_root

MALFORMED, ACCEPTED = "malformed", "accepted"


@cache
def rows(table: str) -> list[dict[str, str]]:
    """The rows of one table beside the evidence, none where the vectors are absent."""
    path = vectors_folder() / "evidence" / table
    if not path.is_file():
        return []
    with path.open(newline="") as source:
        return list(csv.DictReader(source, delimiter="\t", quoting=csv.QUOTE_NONE))


CASES = [row for row in rows("CASES.tsv") if row["platform"] == "TDX"]
FILES = [row["file"] for row in rows("MANIFEST.tsv")]
QUOTES = [name for name in FILES if name.startswith("negative/tdx/")]
BUNDLES = [name for name in FILES if name.startswith("negative/tdx_collateral/")]

# Base files and time of the negatives, by the version that their names begin with.
BASES = {
    "v4": ("tdx/v4_dcap-qvl/tdx_quote", "tdx/v4_dcap-qvl/tdx_quote_collateral.json", datetime(2025, 7, 1, tzinfo=UTC)),
    "v5": (
        "tdx/v5_go-tdx-guest/quote_v5_sample.dat",
        "tdx/v5_go-tdx-guest/collateral_90c06f_2026-02.json",
        datetime(2026, 3, 1, tzinfo=UTC),
    ),
}
FIRST_FAILURE = {
    "tdx-v4-collateral-not-yet-valid": "tdx.tcb-info.dates",
    "tdx-v4-collateral-expired": "tdx.tcb-info.dates",
    "tdx-v4-collateral-expired-far": "tdx.tcb-info.dates",
    "tdx-v4-wrong-fmspc": "tdx.tcb-info.platform",
    "tdx-v4-below-all-levels": "tdx.tcb.level",
    "tdx-v4-tappd-below-all-levels": "tdx.tcb.level",
    "tdx-v5-outdated": "tdx.tcb.level",
    "tdx-v4-spr-e4": "tdx.tcb.level",
    "tdx-v4-debug": "tdx.debug",
    "tdx-v5-servicetd": "tdx.tcb.level",
}
# Structure is refused before any signature is looked at. What the signature covers is for the signature to find.
NEGATIVE = {
    "flip_ak": "tdx.qe.binding",
    "flip_qe_auth": "tdx.qe.binding",
    "forged_ak": "tdx.qe.binding",
    "flip_qe_isvsvn": "tdx.qe.signature",
    "flip_qe_mrsigner": "tdx.qe.signature",
    "flip_qe_sig": "tdx.qe.signature",
    "forged_root": "tdx.chain.root",
    "chain_dup_leaf": "tdx.chain.shape",
    "chain_empty": "tdx.chain.shape",
    "chain_leaf_only": "tdx.chain.shape",
    "chain_reversed": "tdx.chain.shape",
    "malleable_s": ACCEPTED,  # n - s is as valid as s; nothing here uses the quote's digest as a key
    "trailing_random": ACCEPTED,  # bytes that nothing covers; said in the findings and claims
    "outer_certtype5": MALFORMED,
    "tee_sgx": MALFORMED,
    "aktype3": MALFORMED,
}
STRUCTURE = re.compile(r"trunc_|.*_max$|siglen_short|version\d|bodytype|bodysize")
COLLATERAL = {
    "tcbinfo_status_changed": "tdx.tcb-info.signature",
    "tcbinfo_reserialised": "tdx.tcb-info.signature",
    "tcbinfo_nextupdate_extended": "tdx.tcb-info.signature",
    "tcb_sig_swapped": "tdx.tcb-info.signature",
    "tcb_chain_is_pck_ca": "tdx.tcb-info.issuer",
    "tcbinfo_of_other_fmspc": "tdx.tcb-info.platform",
    "qeid_isvsvn_lowered": "tdx.qe-identity.signature",
    "pck_crl_sig_flip": "tdx.crl.pck",
    "pck_crl_truncated": MALFORMED,
    "root_crl_empty": MALFORMED,
    "crls_swapped": "tdx.crl.root",
}


def blob(folder: Path, name: str) -> bytes:
    return (folder / "evidence" / name).read_bytes()


def judge(folder: Path, quote: str, bundle: str, at: datetime, expect: TdxExpect = BASELINE) -> Appraisal:
    evidence = recognise.evidence_from(blob(folder, quote))
    return appraise(evidence, recognise.collateral_for(evidence, [blob(folder, bundle)]), expect, at=at)


def answer(folder: Path, quote: str, bundle: str, at: datetime) -> str:
    try:
        appraisal = judge(folder, quote, bundle, at)
    except FormatError:
        return MALFORMED
    first = appraisal.first_failure
    assert appraisal.accepted is (first is None)
    assert first is None or first.outcome is Outcome.FAIL
    return first.check if first else ACCEPTED


def status(appraisal: Appraisal) -> Any:  # noqa: ANN401  # as in JSON
    tcb: Any = appraisal.claims["tcb"]
    return tcb["status"], tcb["advisories"]


def test_no_case_is_forgotten(vectors: Path) -> None:
    assert vectors.is_dir()
    assert {row["id"] for row in CASES if row["expected"] == "REJECT"} == set(FIRST_FAILURE)
    assert {Path(name).stem.removeprefix("dcap_b0c06f_") for name in BUNDLES} == set(COLLATERAL)
    assert len(QUOTES) > 90


@pytest.mark.parametrize("row", CASES, ids=lambda row: row["id"])
def test_case(vectors: Path, row: dict[str, str]) -> None:
    at = datetime.fromisoformat(row["verify_at"])
    given = (vectors, row["evidence"], row["endorsements"], at)
    if row["expected"] == "REJECT":
        assert answer(*given) == FIRST_FAILURE[row["id"]]
        return
    appraisal = judge(*given, GENUINE)
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.anchor == "Intel SGX Root CA"
    advisories = [one for one in row["reason"].removeprefix("advisories=").split(",") if one]
    assert status(appraisal) == (row["expected"], advisories)
    assert judge(*given).accepted is (row["expected"] == "UpToDate")


def test_an_sgx_quote_is_no_td(vectors: Path) -> None:
    row = next(row for row in CASES if row["id"] == "sgx-v3")
    at = datetime.fromisoformat(row["verify_at"])
    assert answer(vectors, row["evidence"], row["endorsements"], at) == "tdx.enclave"


@pytest.mark.parametrize("name", QUOTES, ids=lambda name: Path(name).stem)
def test_negative_quote(vectors: Path, name: str) -> None:
    version, _, stem = Path(name).stem.partition("_")
    wanted = NEGATIVE.get(stem) or (MALFORMED if STRUCTURE.match(stem) else "tdx.signature")
    _, bundle, at = BASES[version]
    assert answer(vectors, name, bundle, at) == wanted


@pytest.mark.parametrize("name", BUNDLES, ids=lambda name: Path(name).stem)
def test_negative_collateral(vectors: Path, name: str) -> None:
    quote, _, at = BASES["v4"]
    assert answer(vectors, quote, name, at) == COLLATERAL[Path(name).stem.removeprefix("dcap_b0c06f_")]


@pytest.mark.parametrize("version", BASES)
def test_without_collateral_nothing_is_decided(vectors: Path, version: str) -> None:
    name, _, at = BASES[version]
    evidence = recognise.evidence_from(blob(vectors, name))
    appraisal = appraise(evidence, TdxCollateral(), GENUINE, at=at)
    assert appraisal.undecided
    assert appraisal.outcome_of("tdx.signature") is Outcome.PASS


def test_collateral_as_intel_serves_it(vectors: Path) -> None:
    """TCB info, QE identity and lists in single files, chains apart: the same answer as from the bundle."""
    folder = vectors / "evidence" / "tdx" / "spr_e4_v4_go-tdx-guest"
    bundle = json.loads((folder / "collateral_50806f_2023-06.json").read_text())
    files = [
        (folder / name).read_bytes()
        for name in ("sample_tcbInfo_response", "sample_qeIdentity_response", "pckcrl", "rootcrl.der")
    ]
    files[-1] = files[-1].hex().encode()
    evidence = recognise.evidence_from((vectors / "evidence/tdx/v4_debug_trustee/tdx_quote_4.dat").read_bytes())
    at = datetime(2023, 7, 1, tzinfo=UTC)
    offered = recognise.collateral_for(evidence, [*files, bundle["tcb_info_issuer_chain"].encode()])
    appraisal = appraise(evidence, offered, GENUINE, at=at)
    assert appraisal.accepted, appraisal.first_failure
    assert status(appraisal) == ("UpToDate", [])
    without = recognise.collateral_for(evidence, files)
    assert appraise(evidence, without, GENUINE, at=at).undecided


def test_the_collateral_of_another_platform_lies_beside_without_harm(vectors: Path) -> None:
    name, bundle, at = BASES["v4"]
    evidence = recognise.evidence_from(blob(vectors, name))
    beside = [blob(vectors, bundle), blob(vectors, "snp/milan_v3_aci_microsoft/vcek.pem")]
    assert appraise(evidence, recognise.collateral_for(evidence, beside), BASELINE, at=at).accepted


@pytest.mark.parametrize("version", BASES)
def test_no_signed_bit_can_change(vectors: Path, version: str) -> None:
    """One bit of every third byte of header and body; the issue's long run took every bit."""
    name, bundle, at = BASES[version]
    evidence = recognise.evidence_from(blob(vectors, name))
    assert isinstance(evidence, TdxEvidence)
    offered = recognise.collateral_for(evidence, [blob(vectors, bundle)])
    assert appraise(evidence, offered, GENUINE, at=at).accepted
    for byte in range(0, len(Quote.decode(evidence.quote).signed), 3):
        changed = bytearray(evidence.quote)
        changed[byte] ^= 1 << (byte * 5 % 8)
        try:
            appraisal = appraise(replace(evidence, quote=bytes(changed)), offered, GENUINE, at=at)
        except FormatError:
            continue
        assert not appraisal.accepted, byte


def test_claims_say_what_the_manifest_says(vectors: Path) -> None:
    name, bundle, at = BASES["v5"]
    claims = judge(vectors, name, bundle, at).claims
    assert claims["tee_tcb_svn"] == "0b010400000000000000000000000000"
    assert claims["tee_tcb_svn2"] == "0d010400000000000000000000000000"
    assert claims["module"] == "1.5.16"
    assert claims["mrservicetd"] == "00" * 48
    assert claims["td_attributes"] == {"value": "0x10000000", "bits": ["SEPT_VE_DISABLE"]}
    assert claims["trailing"] == {"bytes": 0, "zero": True}


def test_the_pinned_root_signs_itself_and_is_the_published_one(vectors: Path) -> None:
    assert p256.is_signed_by(intel_root(), intel_root())
    assert intel_root().raw == blob(vectors, "tdx/roots/intel_sgx_root_ca.der")


def test_modules_have_the_names_that_intel_gave_them(vectors: Path) -> None:
    with (vectors / "evidence/reference_values/tdx_module_mrseam.tsv").open(newline="") as source:
        known = {row["mrseam_sha384"]: row["module_version"] for row in csv.DictReader(source, delimiter="\t")}
    assert module_versions() == known


def oracle(folder: Path, quote: str, bundle: str, at: datetime) -> str:
    """What dcap_qvl says: a status, or `reject`."""
    raw = blob(folder, quote)
    if raw[:2] in (b"0x", b"04") and raw[2:3] != b"\x00":
        raw = bytes.fromhex(raw.decode().strip().removeprefix("0x"))
    try:
        collateral = dcap_qvl.QuoteCollateralV3.from_json(blob(folder, bundle).decode())
        return str(dcap_qvl.verify(raw, collateral, int(at.timestamp())).status)
    except (ValueError, RuntimeError):
        return "reject"


GENUINE_QUOTES = [
    "tdx/spr_e4_v4_go-tdx-guest/quote.dat",
    "tdx/v5_go-tdx-guest/quote_v5_sample.dat",
    "tdx/v4_dcap-qvl/tdx_quote",
    "tdx/v4_dcap-qvl/tdx-quote.hex",
    "tdx/v4_dcap-qvl/quote-from-tappd.hex",
    "tdx/v5_dcap-qvl/tdx_quote_outdated",
    "tdx/v4_debug_trustee/tdx_quote_4.dat",
    "tdx/v5_servicetd_trustee/tdx_quote_5.dat",
    "tdx/v4_dstack_ra-tls/tdx_quote",
    "tdx_ccel/cos113_go-tdx-guest/quote.dat",
    "azure_tdx_vtpm/trustee/td-quote.bin",
    "tdx/intel_qvl_synthetic/quote.dat",
    "tdx/sgx_v3_dcap-qvl/sgx_quote",
]
GENUINE_BUNDLES = [
    ("tdx/spr_e4_v4_go-tdx-guest/collateral_50806f_2023-06.json", "2023-07-01T00:00:00+00:00"),
    ("tdx/v4_dcap-qvl/tdx_quote_collateral.json", "2025-07-01T00:00:00+00:00"),
    ("tdx/v5_dcap-qvl/tdx_quote_outdated_collateral.json", "2026-03-01T00:00:00+00:00"),
    ("tdx/v5_go-tdx-guest/collateral_90c06f_2026-02.json", "2026-03-01T00:00:00+00:00"),
    ("tdx/sgx_v3_dcap-qvl/sgx_quote_collateral.json", "2025-07-01T00:00:00+00:00"),
]
QUESTIONS = (
    [(row["evidence"], row["endorsements"], row["verify_at"]) for row in CASES]
    + [(name, BASES[Path(name).stem[:2]][1], BASES[Path(name).stem[:2]][2].isoformat()) for name in QUOTES]
    + [(BASES["v4"][0], name, BASES["v4"][2].isoformat()) for name in BUNDLES]
    + [(quote, bundle, when) for quote in GENUINE_QUOTES for bundle, when in GENUINE_BUNDLES]
)


def test_every_disagreement_with_dcap_qvl_is_explained(vectors: Path) -> None:
    page = (REPOSITORY / "docs" / "reference" / "tdx-differences.md").read_text()
    explained = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    differ = set()
    for quote, bundle, when in QUESTIONS:
        at = datetime.fromisoformat(when)
        theirs = oracle(vectors, quote, bundle, at)
        try:
            appraisal = judge(vectors, quote, bundle, at)
        except FormatError:
            ours = "reject"
        else:
            ours = status(appraisal)[0] if appraisal.accepted else "reject"
        if ours != theirs:
            differ.add(Path(bundle if bundle in BUNDLES else quote).name)
    assert differ == explained
