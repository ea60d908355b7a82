"""`warily verify` on reports of devices: exit statuses, what people read, tokens with a part for each device."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import forge_spdm
from tests.forge_nvidia import NOW, certificate
from warily.cli.main import run_command_line

SDK = "evidence/nvidia/attestation-sdk"


def switch(vectors: Path) -> list[str]:
    folder = vectors / SDK
    rim = folder / "switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml"
    report, ders = folder / "switchAttestationReport.txt", folder / "switchCertChain.txt"
    return ["verify", str(report), "--collateral", str(ders), "--collateral", str(rim), "--at", "2026-08-01T00:00:00Z"]


def test_a_person_reads_what_it_is(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(switch(vectors)) == 0
    said = capsys.readouterr().out
    assert said.startswith("ACCEPTED\n")
    assert "firmware: yes, 31 of 31 match what NVIDIA signed" in said
    assert max(map(len, said.splitlines())) <= 80
    assert run_command_line([*switch(vectors)[:4], "--at", "2026-08-01T00:00:00Z"]) == 4
    assert "NV_SWITCH_BIOS_5612_0002_890_9610550001" in capsys.readouterr().out.replace("\n", "").replace(" ", "")


def test_each_device_has_a_part_in_the_token(vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file = vectors / "spdm/nvidia/evidence/multi_gpu_hopper.json"
    words = ["verify", str(file), "--expect", "genuine", "--json", "--ear", str(tmp_path / "key.pem")]
    assert run_command_line(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["parts"]) == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]
    body = found["ear"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert list(claims["submods"]) == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]


def test_what_is_no_evidence_says_so(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["verify", str(vectors / "spdm/tdisp-reports/ok-2bar.bin")]) == 2
    assert "proves nothing" in capsys.readouterr().err
    rim = vectors / SDK / "NV_GPU_DRIVER_GH100_550.144.03.xml"
    assert run_command_line(["verify", str(rim)]) == 3


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("spdm/nvidia/hopper-report.bin", "GPU, driver 535.86.09, VBIOS 96.00.5E.00.01"),
        ("spdm/nvidia/evidence/multi_gpu_hopper.json", "4 devices"),
        ("spdm/nvidia/rims/NV_GPU_DRIVER_GH100_570.124.03_expired.xml", "GH100 570.124.03, GPU"),
        ("spdm/own-transcripts/spdm12-ok.bin", "MEASUREMENTS"),
        ("spdm/libspdm/sample_key/mldsa65/bundle_responder.certchain.der", "certificates"),
        ("spdm/tdisp-reports/bad-overlap.bin", "overlap"),
        ("spdm/tdisp-reports/bad-count.bin", "malformed"),
        ("spdm/tdisp-reports/fw-update-allowed.bin", "refuse: the firmware may be changed"),
        ("spdm/tdisp-reports/non-tee-mem.bin", "map shared"),
        ("spdm/tdisp-reports/ats-prs.bin", "ATS"),
        ("spdm/tdisp-reports/ok-2bar.bin", "nothing that a strict policy refuses"),
    ],
)
def test_inspect(vectors: Path, file: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["inspect", str(vectors / file)]) == 0
    assert said in capsys.readouterr().out


def test_a_devices_maker_is_named_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = forge_spdm.ForgedSpdm()
    (tmp_path / "conversation").write_bytes(case.evidence.transcript)
    (tmp_path / "root.der").write_bytes(certificate(forge_spdm.ROOT))
    words = [str(tmp_path / "conversation"), "--at", f"{NOW:%Y-%m-%dT%H:%M:%SZ}"]
    assert run_command_line(["verify", *words]) != 0
    named = ["--authority", str(tmp_path / "root.der")]
    assert run_command_line(["verify", *words, *named]) == 0
    assert "rehearsal" not in capsys.readouterr().out
    policy = tmp_path / "device.toml"
    assert run_command_line(["policy", "init", *words, *named, "--out", str(policy)]) == 0
    assert run_command_line(["verify", *words, "--expect", str(policy)]) == 0
