"""sev-snp-measure as an independent oracle, over inputs nobody chose by hand."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sevsnpmeasure import guest  # type: ignore[import-untyped]  # an oracle without types
from sevsnpmeasure.sev_mode import SevMode  # type: ignore[import-untyped]  # an oracle without types
from sevsnpmeasure.vmm_types import VMMType  # type: ignore[import-untyped]  # an oracle without types

from tests.ovmf_images import Firmware, firmwares, usual
from warily.errors import UsageError
from warily.measure.snp import SnpLaunch, Vmm, predict, predict_counts

APPENDS = ["", " ", "quiet ", " quiet", "quiet\n", "a\tb", "a  b", "unicode=é中"]
WORDS = st.sampled_from(APPENDS) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40
)


@st.composite
def launches(draw: st.DrawFn) -> tuple[SnpLaunch, bool]:
    firmware: Firmware = draw(firmwares())
    kernel = draw(st.none() | st.binary(max_size=64))
    launch = SnpLaunch(
        firmware=firmware.data,
        vcpus=draw(st.integers(1, 5)),
        cpu=f"{draw(st.integers(0, 0xFFFFFFFF)):x}",
        features=draw(st.integers(0, 0xFFFFFFFF)) | 1,
        vmm=draw(st.sampled_from(Vmm)),
        kernel=kernel,
        initrd=None if kernel is None else draw(st.none() | st.binary(max_size=64)),
        command_line=None if kernel is None else draw(st.none() | WORDS.map(str.encode)),
    )
    return launch, firmware.takes_kernel or kernel is None


def oracle(launch: SnpLaunch) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, data in (("fw", launch.firmware), ("kernel", launch.kernel), ("initrd", launch.initrd)):
            if data is not None:
                assert isinstance(data, bytes)
                paths[name] = str(Path(folder) / name)
                Path(paths[name]).write_bytes(data)
        found: bytes = guest.calc_launch_digest(
            SevMode.SEV_SNP,
            launch.vcpus,
            int(launch.cpu, 16),
            paths["fw"],
            paths.get("kernel"),
            paths.get("initrd"),
            None if launch.command_line is None else launch.command_line.decode(),
            launch.features,
            vmm_type={Vmm.QEMU: VMMType.QEMU, Vmm.EC2: VMMType.ec2, Vmm.GCE: VMMType.gce}[launch.vmm],
        )
        return found


@settings(max_examples=150, deadline=None)
@given(launches())
def test_every_launch_agrees(drawn: tuple[SnpLaunch, bool]) -> None:
    launch, possible = drawn
    if not possible:
        with pytest.raises(UsageError, match="does not measure a kernel"):
            predict(launch)
        with pytest.raises(RuntimeError):
            oracle(launch)
        return
    value = oracle(launch)
    assert predict(launch).registers == {"launch_digest": value}
    assert predict_counts(launch, [launch.vcpus, 1])[launch.vcpus] == value


@pytest.mark.parametrize("append", ["quiet ", " quiet", "quiet\n\n", "é ", ""])
def test_both_command_lines_agree(tmp_path: Path, append: str) -> None:
    """Whole processes: what the shell hands over is what is measured, blanks included."""
    (tmp_path / "fw").write_bytes(usual([(0x810000, 4096, 0x10), (0x80E000, 4096, 3)]))
    (tmp_path / "kernel").write_bytes(b"kernel")
    common = ["--kernel", "kernel", "--append", append, "--vcpus", "3"]
    ours = [
        sys.executable,
        "-m",
        "warily",
        "measure",
        "snp",
        "--firmware",
        "fw",
        "--cpu",
        "EPYC-Milan",
        "--features",
        "21",
    ]
    tool = str(Path(sys.executable).with_name("sev-snp-measure"))
    theirs = [tool, "--mode", "snp", "--ovmf", "fw", "--vcpu-type", "EPYC-Milan", "--guest-features", "0x21"]
    answers = [
        subprocess.run([*words, *common], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
        for words in (ours, theirs)
    ]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 96
