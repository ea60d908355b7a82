"""`warily measure` as a user meets it."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import igvm_files
from tests.ovmf_images import usual
from warily.cli.main import run_command_line
from warily.formats.snp_id_block import IdBlock
from warily.measure import rehearsal
from warily.measure.snp import SnpLaunch, Vmm, predict

FIRMWARE = usual([(0x810000, 4096, 0x10)])
KERNEL = b"kernel"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fw").write_bytes(FIRMWARE)
    (tmp_path / "kernel").write_bytes(KERNEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def expected(**changed: object) -> str:
    inputs: dict[str, object] = {
        "firmware": FIRMWARE,
        "vcpus": 2,
        "cpu": "EPYC-v4",
        "features": 1,
        "vmm": Vmm.QEMU,
        "kernel": None,
        "initrd": None,
        "command_line": None,
    }
    launch = SnpLaunch(**{**inputs, **changed})  # type: ignore[arg-type]  # one field each
    return predict(launch).registers["launch_digest"].hex()


SNP = ["measure", "snp", "--firmware", "fw", "--vcpus", "2"]
USUAL = [*SNP, "--cpu", "EPYC-v4", "--features", "1"]


@pytest.mark.usefixtures("folder")
def test_the_digest_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(USUAL) == 0
    assert capsys.readouterr().out == expected() + "\n"


@pytest.mark.usefixtures("folder")
def test_features_are_hexadecimal_and_cpu_may_be_a_signature(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([*SNP, "--cpu", "0x800f12", "--features", "0x21"]) == 0
    assert run_command_line([*SNP, "--cpu", "800f12", "--features", "21"]) == 0
    assert capsys.readouterr().out.split() == [expected(features=0x21)] * 2


@pytest.mark.usefixtures("folder")
def test_the_command_line_counts_as_raw_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    raw = b" quiet \xff\n"
    assert run_command_line([*USUAL, "--kernel", "kernel", "--append", os.fsdecode(raw)]) == 0
    assert capsys.readouterr().out.strip() == expected(kernel=KERNEL, command_line=raw)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("vmm", ["ec2", "gce"])
def test_other_monitors_need_no_cpu(capsys: pytest.CaptureFixture[str], vmm: str) -> None:
    assert run_command_line([*SNP, "--features", "1", "--vmm", vmm]) == 0
    assert capsys.readouterr().out.strip() == expected(vmm=Vmm(vmm))


@pytest.mark.usefixtures("folder")
def test_json_has_registers_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([*USUAL, "--json"], ["measure", "--json", *USUAL[1:]]):
        assert run_command_line(words) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["registers"] == {"launch_digest": expected()}
        assert answer["trace"][0]["step"] == "firmware"
        assert answer["trace"][-1]["after"] == expected()


@pytest.mark.usefixtures("folder")
def test_the_trace_may_be_by_pages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([*USUAL, "--trace"]) == 0
    parts = capsys.readouterr().out
    assert run_command_line([*USUAL, "--trace=pages"]) == 0
    whole = capsys.readouterr().out
    assert parts.startswith(expected())
    assert parts.count("firmware+") == 0
    assert whole.count("firmware+") == len(FIRMWARE) // 4096


@pytest.mark.usefixtures("folder")
def test_rehearsal(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["measure", "rehearsal", "--firmware", "fw", "--vcpus", "2", "--cpu", "EPYC-v4", "--kernel", "kernel"]
    assert run_command_line([*words, "--append", "x"]) == 0
    prediction = rehearsal.predict(
        firmware=FIRMWARE, kernel=KERNEL, initrd=None, command_line=b"x", vcpus=2, cpu="EPYC-v4"
    )
    assert capsys.readouterr().out.strip() == prediction.registers["launch_digest"].hex()
    assert run_command_line([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trace"][0]["input"] == "firmware"


@pytest.mark.usefixtures("folder")
def test_candidates_are_listed_and_matched(capsys: pytest.CaptureFixture[str]) -> None:
    launch = [*USUAL, "--kernel", "kernel"]
    assert run_command_line([*launch, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = {one["name"]: one for one in answer["candidates"]}
    assert list(found) == ["linux-6.10", "linux-6.9", "linux-6.6", "linux-6.10-debug-swap"]
    assert set(found["linux-6.9"]) == {"name", "register", "value", "because"}
    assert found["linux-6.10"]["value"] == answer["registers"]["launch_digest"]
    assert run_command_line([*launch, "--candidates"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(found["linux-6.10"]["value"])
    assert all(one["value"] in shown for one in found.values())
    assert run_command_line([*launch, "--match", found["linux-6.6"]["value"]]) == 0
    assert capsys.readouterr().out.startswith("linux-6.6: the host runs Linux 6.6 or 6.7")
    assert run_command_line([*launch, "--match", found["linux-6.6"]["value"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["matched"] == ["linux-6.6"]
    assert run_command_line([*launch, "--match", "00" * 48]) == 10
    assert "no candidate has 0000" in capsys.readouterr().err
    assert run_command_line([*launch, "--host", "linux-6.9"]) == 0
    assert capsys.readouterr().out.strip() == found["linux-6.9"]["value"]


@pytest.mark.usefixtures("folder")
def test_the_seed_stands_for_the_firmware(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["measure", "seed", "--firmware", "fw"]) == 0
    seed = capsys.readouterr().out.strip()
    assert run_command_line([*USUAL, "--seed", seed]) == 0
    assert capsys.readouterr().out.strip() == expected()
    assert run_command_line([*USUAL, "--seed", "00" * 48]) == 0
    assert capsys.readouterr().out.strip() != expected()


def test_the_generations_before_snp(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["measure", "sev", "--firmware", "fw"]) == 0
    assert capsys.readouterr().out.strip() == hashlib.sha256(FIRMWARE).hexdigest()
    words = ["measure", "sev-es", "--firmware", "fw", "--vcpus", "2", "--cpu", "EPYC", "--kernel", "kernel", "--json"]
    assert run_command_line(words) == 0
    steps = json.loads(capsys.readouterr().out)["trace"]
    assert [step["step"] for step in steps] == ["firmware", "kernel-hashes", "vmsa", "vmsa"]
    assert (folder / "kernel").read_bytes() == KERNEL


def test_an_igvm_file_is_measured_and_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    headers = [igvm_files.platform(1, igvm_files.SNP), igvm_files.page(0, igvm_files.DATA)]
    (folder / "file").write_bytes(igvm_files.igvm(headers, bytes(4096)))
    assert run_command_line(["measure", "igvm", "file"]) == 0
    value = capsys.readouterr().out.strip()
    assert len(value) == 96
    assert run_command_line(["measure", "igvm", "file", "--match", value]) == 0
    assert capsys.readouterr().out.startswith("hyper-v: ")
    assert run_command_line(["measure", "igvm", "file", "--list"]) == 0
    assert "platform=sev_snp" in capsys.readouterr().out
    assert run_command_line(["measure", "igvm", "file", "--list", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [entry["header"] for entry in answer["headers"]] == ["supported-platform", "page-data"]
    assert run_command_line(["measure", "igvm", "file", "--platform", "tdx"]) == 2
    assert "not for tdx" in capsys.readouterr().err
    assert run_command_line(["measure", "igvm", "fw"]) == 3


def test_an_id_block_is_signed_with_keys_from_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("id", "author"):
        key = ec.generate_private_key(ec.SECP384R1())
        (folder / name).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    words = ["measure", "id-block", "--digest", "ab" * 48, "--id-key", "id"]
    assert run_command_line([*words, "--author-key", "author", "--guest-svn", "7", "--family-id", "01" * 16]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {
        "launch_digest",
        "id_key_digest",
        "author_key_digest",
    }
    block = IdBlock.unpack((folder / "id_block.bin").read_bytes())
    assert (block.launch_digest, block.guest_svn, block.family_id) == (b"\xab" * 48, 7, b"\x01" * 16)
    assert len((folder / "id_auth.bin").read_bytes()) == 4096
    for wrong, says in (
        (["--id-key", "kernel"], "not an unencrypted private key"),
        (["--policy", "x"], "--policy x"),
        (["--guest-svn", "-1"], "--guest-svn -1"),
        (["--image-id", "00"], "--image-id 00"),
        (["--into", "absent"], "absent/id_block.bin"),
    ):
        assert run_command_line([*words, *wrong]) == 2
        assert says in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ([*SNP, "--features", "1"], 2, "--cpu is missing"),
        ([*SNP, "--features", "1", "--cpu", "EPYC-Milano"], 2, "did you mean EPYC-Milan"),
        ([*SNP, "--features", "zz", "--cpu", "EPYC"], 2, "not a hexadecimal number"),
        ([*SNP, "--features", "20", "--cpu", "EPYC"], 2, "SNPActive"),
        ([*USUAL, "--append", "x"], 2, "needs a kernel"),
        ([*USUAL, "--kernel", "absent"], 2, "absent: No such file"),
        ([*USUAL, "--vmm", "xen"], 2, "xen"),
        ([*USUAL[:3], "kernel", *USUAL[4:]], 3, "whole 4 KiB pages"),
        ([*USUAL[:3], ".", *USUAL[4:]], 2, "Is a directory"),
        (["measure"], 2, "PLATFORM"),
        (["measure", "vax"], 2, "invalid choice: 'vax'"),
        ([*USUAL, "--svsm", "fw"], 2, "--vars-size is missing"),
        ([*USUAL, "--vars-size", "0"], 2, "with --svsm only"),
        ([*USUAL, "--host", "bsd"], 2, "no host variant 'bsd'"),
        ([*USUAL, "--seed", "00"], 2, "--seed 00: not 48 bytes"),
        ([*USUAL, "--seed", "00" * 48, "--trace=pages"], 2, "no trace by pages"),
        ([*USUAL, "--match", "zz"], 2, "--match zz: not 48 bytes"),
        (["measure", "rehearsal", "--firmware", "fw", "--vcpus", "1"], 2, "--kernel"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], words: list[str], status: int, says: str) -> None:
    assert run_command_line(words) == status
    assert says in capsys.readouterr().err
