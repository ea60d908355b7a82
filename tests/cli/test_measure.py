"""`warily measure` as a user meets it."""

import json
import os
from pathlib import Path

import pytest

from tests.ovmf_images import usual
from warily.cli.main import run_command_line
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
        (["measure", "rehearsal", "--firmware", "fw", "--vcpus", "1"], 2, "--kernel"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], words: list[str], status: int, says: str) -> None:
    assert run_command_line(words) == status
    assert says in capsys.readouterr().err
