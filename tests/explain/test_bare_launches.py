"""Launches without a manifest: a firmware under each monitor, an SVSM below one, an IGVM file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.measure.test_snp_hosts import svsm_image
from warily.cli.main import run_command_line
from warily.formats.igvm import Igvm
from warily.measure import igvm
from warily.measure.snp import REGISTER, SnpLaunch, Svsm, Vmm, predict

Explain = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Explain:
    """Run `warily explain`; its status and its answer."""

    def run(*words: object) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = run_command_line(["explain", *map(str, words), "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def launched(
    firmware: bytes, vmm: Vmm, *, vcpus: int, cpu: str = "EPYC-v4", features: int = 1, svsm: Svsm | None = None
) -> str:
    launch = SnpLaunch(
        firmware=firmware,
        vcpus=vcpus,
        cpu=cpu,
        features=features,
        vmm=vmm,
        kernel=None,
        initrd=None,
        command_line=None,
        svsm=svsm,
    )
    return predict(launch).registers[REGISTER].hex()


@pytest.fixture
def image(vectors: Path) -> Path:
    return vectors / "measure" / "firmware" / "OVMF.amdsev.fd"


@pytest.mark.parametrize("vmm", list(Vmm))
@pytest.mark.parametrize("vcpus", [1, 9])
def test_a_firmware_is_known_under_every_monitor(explain: Explain, image: Path, vmm: Vmm, vcpus: int) -> None:
    status, answer = explain(launched(image.read_bytes(), vmm, vcpus=vcpus), "--manifest", image)
    assert status == 0
    assert answer["known"][0]["shape"]["vcpus"] == vcpus


def test_what_differs_of_a_firmware_alone_is_named(explain: Explain, image: Path) -> None:
    value = launched(image.read_bytes(), Vmm.QEMU, vcpus=4, cpu="EPYC-Genoa", features=0x201)
    status, answer = explain(value, "--manifest", image)
    assert status == 10
    first = answer["nearest"][0]
    assert first["certain"]
    assert {entry["name"] for entry in first["inputs"]} == {"vcpus", "cpu", "features"}


@pytest.mark.parametrize(
    ("variables", "cpu", "changed"), [(0x84000, "EPYC-v4", set()), (0x20000, "EPYC-Milan", {"cpu"})]
)
def test_an_svsm_is_found_below_the_firmware(
    explain: Explain, image: Path, tmp_path: Path, variables: int, cpu: str, changed: set[str]
) -> None:
    (tmp_path / "svsm.bin").write_bytes(svsm_image())
    (tmp_path / "OVMF.fd").write_bytes(image.read_bytes())
    svsm = Svsm(image=svsm_image(), variables=variables)
    value = launched(image.read_bytes(), Vmm.QEMU, vcpus=1, cpu=cpu, svsm=svsm)
    status, answer = explain(value, "--manifest", tmp_path)
    assert status == (10 if changed else 0)
    if changed:
        assert {entry["name"] for entry in answer["nearest"][0]["inputs"]} == changed
    else:
        assert "svsm.bin" in answer["known"][0]["firmware"]
        assert f"{variables} bytes for variables" in answer["known"][0]["firmware"]


def test_an_igvm_file_is_known_in_each_way_it_is_measured(explain: Explain, vectors: Path) -> None:
    for path in sorted((vectors / "measure" / "igvm").glob("snp_*.igvm"))[:3]:
        for candidate in igvm.measure(Igvm.parse(path.read_bytes())).candidates:
            status, answer = explain(candidate.value.hex(), "--manifest", path)
            assert status == 0
            assert path.name in answer["known"][0]["sentence"]
