"""Launch digests of SEV and SEV-ES guests, as sev-snp-measure gives them."""

import csv
import json
from pathlib import Path

import pytest
from sevsnpmeasure import guest  # type: ignore[import-untyped]  # an oracle without types
from sevsnpmeasure.sev_mode import SevMode  # type: ignore[import-untyped]  # an oracle without types

from tests.conftest import ABSENT, vectors_folder
from tests.ovmf_images import entry, image, usual
from warily.errors import UsageError
from warily.measure.direct_boot import DirectBoot
from warily.measure.sev import SevLaunch, predict

FOLDER = vectors_folder() / "measure"
BARE = DirectBoot(kernel=None, initrd=None, command_line=None)
KERNEL = DirectBoot(kernel=b"kernel", initrd=b"initrd", command_line=b" quiet ")


def rows() -> list[object]:
    path = FOLDER / "snp/snp_debian_sid.tsv"
    if not path.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=ABSENT))]
    with path.open(newline="") as file:
        found = [row for row in csv.DictReader(file, delimiter="\t") if row["mode"] in ("sev", "seves")]
    params: list[object] = []
    for row in found:
        missing = not (FOLDER / "firmware" / row["firmware"]).exists()
        marks = [pytest.mark.skip(reason=f"input not kept: firmware/{row['firmware']}")] if missing else []
        params.append(pytest.param(row, id=row["id"], marks=marks))
    return params


@pytest.mark.parametrize("row", rows())
def test_every_row(row: dict[str, str]) -> None:
    def payload(name: str) -> bytes | None:
        return (FOLDER / "payload" / name).read_bytes() if name else None

    append = None if row["append_json"] == "null" else row["append_json"]
    launch = SevLaunch(
        firmware=(FOLDER / "firmware" / row["firmware"]).read_bytes(),
        boot=DirectBoot(
            kernel=payload(row["kernel"]),
            initrd=payload(row["initrd"]),
            command_line=None if append is None else append.encode(),
        ),
        vcpus=int(row["vcpus"] or 1) if row["mode"] == "seves" else None,
        cpu=row["vcpu_type"],
    )
    if row["digest"].startswith("ERR"):
        with pytest.raises(UsageError):
            predict(launch)
        return
    found = predict(launch)
    assert found.registers["launch_digest"].hex() == found.trace[-1].after == row["digest"]


def published() -> list[object]:
    path = FOLDER / "snp/published.json"
    found = json.loads(path.read_text()) if path.exists() else []
    params: list[object] = []
    for row in found:
        if row.get("mode") in ("SEV", "SEV_ES"):
            missing = not (FOLDER / "firmware" / row["ovmf"]).exists()
            marks = [pytest.mark.skip(reason=f"input not kept: firmware/{row['ovmf']}")] if missing else []
            params.append(pytest.param(row, id=row["id"], marks=marks))
    return params


@pytest.mark.parametrize("row", published())
def test_published_rows(row: dict[str, object]) -> None:
    empty = None if row["kernel"] is None else b""
    launch = SevLaunch(
        firmware=(FOLDER / "firmware" / str(row["ovmf"])).read_bytes(),
        boot=DirectBoot(
            kernel=empty, initrd=empty, command_line=None if empty is None else str(row["append"]).encode()
        ),
        vcpus=int(str(row["vcpus"])) if row["mode"] == "SEV_ES" else None,
        cpu=f"{row['vcpu_sig'] or 0:x}",
    )
    assert predict(launch).registers["launch_digest"].hex() == row["digest"]


@pytest.mark.parametrize("vcpus", [None, 1, 3])
@pytest.mark.parametrize("boot", [BARE, KERNEL], ids=["bare", "kernel"])
def test_the_oracle_agrees(tmp_path: Path, vcpus: int | None, boot: DirectBoot) -> None:
    firmware = usual([(0x810000, 4096, 0x10)])
    for name, data in (("fw", firmware), ("kernel", b"kernel"), ("initrd", b"initrd")):
        (tmp_path / name).write_bytes(data)
    direct = [str(tmp_path / "kernel"), str(tmp_path / "initrd"), " quiet "] if boot is KERNEL else [None, None, None]
    mode = SevMode.SEV if vcpus is None else SevMode.SEV_ES
    theirs: bytes = guest.calc_launch_digest(mode, vcpus or 1, 0xA00F11, str(tmp_path / "fw"), *direct, 0)
    ours = predict(SevLaunch(firmware=firmware, boot=boot, vcpus=vcpus, cpu="EPYC-Milan"))
    assert ours.registers == {"launch_digest": theirs}
    assert len(ours.trace) == 1 + (boot is KERNEL) + (vcpus or 0)


def test_what_cannot_be_is_refused() -> None:
    plain = image(entry("00000000-0000-0000-0000-000000000001", b""))
    with pytest.raises(UsageError, match="no table for kernel hashes"):
        predict(SevLaunch(firmware=plain, boot=KERNEL, vcpus=None, cpu=""))
    with pytest.raises(UsageError, match="no SEV-ES reset block"):
        predict(SevLaunch(firmware=plain, boot=BARE, vcpus=2, cpu="EPYC"))
    assert predict(SevLaunch(firmware=plain, boot=BARE, vcpus=1, cpu="EPYC")).registers
    with pytest.raises(UsageError, match="0 vCPUs"):
        predict(SevLaunch(firmware=plain, boot=BARE, vcpus=0, cpu="EPYC"))
