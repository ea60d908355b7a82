"""Genuine reports and manifests of NVIDIA devices, and the spoiled ones: what is right of each, and why."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.verify.test_snp_vectors import rows
from warily.core.appraisal import Appraisal
from warily.core.evidence import NvidiaEvidence
from warily.core.finding import Outcome
from warily.errors import FormatError
from warily.formats import pem
from warily.formats.nvidia_report import NvidiaReport
from warily.formats.swid_rim import SwidRim
from warily.formats.x509 import Certificate
from warily.verify import appraise, certificate_path, recognise
from warily.verify.expectation import read_expectation
from warily.verify.nvidia import chain
from warily.verify.nvidia.presets import BASELINE, GENUINE
from warily.verify.policy import check_policy, write_policy

AT = datetime(2024, 8, 1, tzinfo=UTC)
SWITCH_AT = datetime(2026, 8, 1, tzinfo=UTC)
SDK = "evidence/nvidia/attestation-sdk"
NVTRUST = "evidence/nvidia/hopper_550.90.07_nvtrust"
SWITCH_RIM = f"{SDK}/switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml"
GENUINE_REPORTS = {
    "nvtrust": (f"{NVTRUST}/hopperAttestationReport.txt", f"{NVTRUST}/hopperCertChain.txt"),
    "535": (f"{SDK}/gpu/hopperAttestationReport.txt", f"{SDK}/gpu/hopperCertChain.txt"),
    "570": (f"{SDK}/gpu/hopperAttestationReportExpired.txt", f"{SDK}/gpu/hopperCertChainExpired.txt"),
    "blackwell": (f"{SDK}/gpu/blackwellAttestationReport.txt", f"{SDK}/gpu/blackwellCertChain.txt"),
    "switch": (f"{SDK}/switchAttestationReport.txt", f"{SDK}/switchCertChain.txt"),
}


def judged(
    vectors: Path, report: str, *others: str, at: datetime = AT, baseline: bool = False, data: bytes | None = None
) -> Appraisal:
    evidence = recognise.evidence_from(data or (vectors / report).read_bytes())
    assert isinstance(evidence, NvidiaEvidence)
    collateral = recognise.collateral_for(evidence, [(vectors / other).read_bytes() for other in others])
    return appraise(evidence, collateral, BASELINE if baseline else GENUINE, at=at)


def first(appraisal: Appraisal) -> str | None:
    return appraisal.first_failure.check if appraisal.first_failure else None


@pytest.mark.parametrize("name", GENUINE_REPORTS)
def test_genuine_reports(vectors: Path, name: str) -> None:
    appraisal = judged(vectors, *GENUINE_REPORTS[name])
    assert appraisal.accepted, appraisal.first_failure
    assert (appraisal.anchor, appraisal.rehearsal) == ("NVIDIA Device Identity CA", False)


def test_the_pinned_roots_sign_themselves_and_stand_in_the_vectors(vectors: Path) -> None:
    for name, file in ((chain.DEVICE_ROOT, "verifier_device_root.pem"), (chain.MANIFEST_ROOT, "verifier_RIM_root.pem")):
        root = chain.pinned(name)
        assert certificate_path.signs(root, root)
        assert root.raw == pem.decode_blocks((vectors / "evidence/nvidia/roots" / file).read_bytes())[0].der


def test_a_switch_matches_its_manifest(vectors: Path) -> None:
    appraisal = judged(vectors, *GENUINE_REPORTS["switch"], SWITCH_RIM, at=SWITCH_AT, baseline=True)
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.claims["compared"] == {"vbios": "31 of 31 match"}


def test_a_gpu_matches_the_manifest_of_its_vbios_and_wants_that_of_its_driver(vectors: Path) -> None:
    rims = [f"evidence/nvidia/rims_nvtrust/{one.name}" for one in (vectors / "evidence/nvidia/rims_nvtrust").iterdir()]
    appraisal = judged(vectors, *GENUINE_REPORTS["535"], *rims, baseline=True)
    assert appraisal.undecided
    assert first(appraisal) == "nvidia.driver.present"
    assert appraisal.first_failure is not None
    assert "NV_GPU_DRIVER_GH100_535.86.09" in appraisal.first_failure.hint
    assert appraisal.claims["compared"] == {"vbios": "12 of 12 match"}


SPOILED = f"{SDK}/sample_rims"
MANIFESTS = {
    ("535", f"{SPOILED}/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml"): "nvidia.vbios.match",
    ("535", f"{SPOILED}/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml"): "nvidia.driver.digest",
    ("570", f"{SPOILED}/NV_GPU_DRIVER_GH100_570.124.03_expired.xml"): "nvidia.driver.digest",
    ("blackwell", f"{SDK}/incorrect_cert_chain_driver_rim.xml"): "nvidia.driver.present",
    ("nvtrust", f"{SDK}/incorrect_signature_driver_rim.xml"): "nvidia.driver.present",
    ("switch", f"{SPOILED}/NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml"): "nvidia.vbios.digest",
    ("switch", f"{SPOILED}/NV_SWITCH_BIOS_5612_0002_890_9610550001_measurement_mismatch.xml"): "nvidia.vbios.digest",
}
# The time at which the signers of spoiled manifests are valid, where that is not AT.
TIMES = {"570": datetime(2025, 6, 1, tzinfo=UTC), "blackwell": datetime(2025, 6, 1, tzinfo=UTC)}


@pytest.mark.parametrize(("name", "manifest"), MANIFESTS)
def test_spoiled_manifests(vectors: Path, name: str, manifest: str) -> None:
    rim = SwidRim.decode((vectors / manifest).read_bytes())
    signer = Certificate.decode(rim.certificates[0])
    at = TIMES.get(name, signer.not_before + (signer.not_after - signer.not_before) / 2)
    for baseline in (True, False):
        appraisal = judged(vectors, *GENUINE_REPORTS[name], manifest, at=at, baseline=baseline)
        failures = [finding.check for finding in appraisal.findings if finding.outcome is Outcome.FAIL]
        assert failures[:1] == [MANIFESTS[(name, manifest)]]
        assert not appraisal.undecided


def test_every_published_manifest_verifies_with_this_canonical_form(vectors: Path) -> None:
    seen = 0
    for path in sorted((vectors / "evidence/nvidia/rims_nvtrust").iterdir()):
        rim = SwidRim.decode(path.read_bytes())
        signer = Certificate.decode(rim.certificates[0])
        assert hashlib.sha384(rim.content).digest() == rim.digest, path.name
        assert chain.raw_verifies(signer, rim.signature, rim.signed_info), path.name
        seen += 1
    assert seen == 26


NEGATIVES = {"genuine": None, "no_request": "malformed", "trunc": "malformed", "mlen_max": "malformed"} | {
    "nblocks_ff": "malformed",
    **dict.fromkeys(("nonce_flip", "meas_flip", "opaque_flip", "sig_flip"), "nvidia.signature"),
}


def test_no_negative_is_forgotten(vectors: Path) -> None:
    assert vectors.is_dir()
    named = {Path(row["file"]).stem for row in rows("MANIFEST.tsv") if row["file"].startswith("negative/nvidia/")}
    assert named == {f"{kind}_{stem}" for kind in ("hopper", "blackwell") for stem in NEGATIVES}


@pytest.mark.parametrize("stem", NEGATIVES)
@pytest.mark.parametrize("kind", ["hopper", "blackwell"])
def test_negative(vectors: Path, kind: str, stem: str) -> None:
    chain_file = GENUINE_REPORTS["nvtrust" if kind == "hopper" else "blackwell"][1]
    try:
        appraisal = judged(vectors, f"evidence/negative/nvidia/{kind}_{stem}.bin", chain_file)
    except FormatError:
        assert NEGATIVES[stem] == "malformed"
        return
    assert first(appraisal) == NEGATIVES[stem]


@pytest.mark.parametrize(
    ("report", "chain_file"),
    [
        (f"{SDK}/gpu/hopperAttestationReportInvalidSignature.txt", f"{SDK}/gpu/hopperCertChain.txt"),
        (f"{SDK}/switch/switchAttestationReportInvalidSignature.txt", f"{SDK}/switch/switchCertChain.txt"),
        (GENUINE_REPORTS["535"][0], GENUINE_REPORTS["nvtrust"][1]),
    ],
)
def test_bad_signatures(vectors: Path, report: str, chain_file: str) -> None:
    assert first(judged(vectors, report, chain_file)) == "nvidia.signature"


@pytest.mark.parametrize(
    ("case", "check"),
    [(1, None), (2, "nvidia.chain.leaf"), (3, "nvidia.chain.links"), (4, "nvidia.chain.leaf")],
)
def test_chain_cases(vectors: Path, case: int, check: str | None) -> None:
    name = f"evidence/nvidia/trustee_chain_cases/hopper_cert_chain_case{case}.txt"
    appraisal = judged(vectors, GENUINE_REPORTS["nvtrust"][0], name)
    assert first(appraisal) == check
    assert not appraisal.undecided


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("evidence/hopper_evidence.json", 1),
        ("evidence/hopper_evidence_cert_hold.json", 1),
        ("evidence/multi_gpu_hopper.json", 4),
        ("sdk-testdata/evidence_hopper_590_12.json", 1),
    ],
)
def test_files_of_the_sdk(vectors: Path, file: str, count: int) -> None:
    data = (vectors / "spdm/nvidia" / file).read_bytes()
    appraisal = judged(vectors, file, data=data)
    assert appraisal.accepted, appraisal.first_failure
    assert len(appraisal.parts) == (count if count > 1 else 0)
    entries = json.loads(data)
    entries[-1]["nonce"] = "00" * 32
    changed = judged(vectors, file, data=json.dumps(entries).encode())
    assert first(changed) == "nvidia.envelope"
    alone = json.dumps(json.loads(data)[0]).encode()
    assert judged(vectors, file, data=alone).accepted
    listed = [{key: entry[key] for key in ("evidence", "certificate")} for entry in json.loads(data)]
    service = {"nonce": json.loads(data)[0]["nonce"], "arch": "HOPPER", "evidence_list": listed}
    assert judged(vectors, file, data=json.dumps(service).encode()).accepted


def test_a_device_that_stands_for_two(vectors: Path) -> None:
    entries = json.loads((vectors / "spdm/nvidia/evidence/multi_gpu_hopper.json").read_bytes())
    doubled = judged(vectors, "", data=json.dumps([*entries, entries[0]]).encode())
    assert first(doubled) == "nvidia.device.distinct"


def test_no_byte_of_a_genuine_report_can_change(vectors: Path) -> None:
    report, chain_file = GENUINE_REPORTS["switch"]
    data = bytes.fromhex((vectors / report).read_text())
    pinned = recognise.collateral_for(recognise.evidence_from(data), [(vectors / chain_file).read_bytes()])
    for at in range(0, len(data), 53):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        try:
            evidence = recognise.evidence_from(bytes(changed))
            assert isinstance(evidence, NvidiaEvidence)
            appraisal = appraise(evidence, pinned, GENUINE, at=AT)
        except FormatError:
            continue
        assert not appraisal.accepted, hex(at)


def test_no_byte_of_a_manifest_can_change_what_it_says(vectors: Path) -> None:
    data = (vectors / SWITCH_RIM).read_bytes()
    evidence = recognise.evidence_from((vectors / GENUINE_REPORTS["switch"][0]).read_bytes())
    ders = (vectors / GENUINE_REPORTS["switch"][1]).read_bytes()
    good = SwidRim.decode(data)
    for at in range(700, len(data), 1433):
        changed = bytearray(data)
        changed[at] ^= 1
        try:
            collateral = recognise.collateral_for(evidence, [ders, bytes(changed)])
            appraisal = appraise(evidence, collateral, BASELINE, at=SWITCH_AT)
        except FormatError:
            continue
        if appraisal.accepted:  # white space inside base64, a certificate that is not needed
            assert SwidRim.decode(bytes(changed)).golden == good.golden


def test_the_parse_is_the_one_that_the_sdk_expects(vectors: Path) -> None:
    folder = vectors / "spdm/nvidia/sdk-testdata"
    wanted = json.loads((folder / "spdm_parsed_output.json").read_text())
    report = NvidiaReport.decode(bytes.fromhex((folder / "hopperAttestationReport.txt").read_text()))
    assert len(report.response.blocks) == wanted["NumberOfBlocks"]
    assert f"0x{report.response.nonce.hex()}" == wanted["Nonce"]
    assert f"0x{report.response.signature.hex()}" == wanted["Signature"]
    for index, block in wanted["MeasurementRecord"]["MeasurementBlocks"].items():
        assert f"0x{report.measurements[int(index) - 1].hex()}" == block["DMTFSpecMeasurementValue"]
    assert (report.driver_version, report.vbios_version) == ("580.159.03", "96.00.74.00.20")


def test_the_expectation_that_evidence_suggests(vectors: Path) -> None:
    report, chain_file = GENUINE_REPORTS["switch"]
    evidence = recognise.evidence_from((vectors / report).read_bytes())
    files = [(vectors / name).read_bytes() for name in (chain_file, SWITCH_RIM)]
    collateral = recognise.collateral_for(evidence, files)
    text = write_policy(evidence, collateral, rehearsal_roots=frozenset(), at=SWITCH_AT).encode()
    want = read_expectation(text)
    assert appraise(evidence, collateral, want, at=SWITCH_AT).accepted
    assert not [note for note in check_policy(text) if note.level.value == "danger"]
    waived = replace(BASELINE, manifests=False)
    assert appraise(evidence, recognise.collateral_for(evidence, files[:1]), waived, at=SWITCH_AT).accepted
