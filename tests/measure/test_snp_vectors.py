"""Launch digests that other implementations, and one machine, made of the same inputs."""

import csv
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ABSENT, vectors_folder
from warily.core.registers import Prediction
from warily.data.cpu_signatures import SIGNATURES
from warily.errors import UsageError
from warily.formats.ovmf import Section, SectionType
from warily.formats.sev_hashes import KernelHashes
from warily.formats.snp_page_info import PageType
from warily.formats.snp_vmsa import Vmsa
from warily.measure.launch_digest import LaunchDigest
from warily.measure.snp import Ingredients, SnpLaunch, Svsm, Vmm, ingredients, predict, replay
from warily.measure.vmsa import RESETS, application_processor, boot_processor

FOLDER = vectors_folder() / "measure"
Row = dict[str, str]


def published() -> list[dict[str, object]]:
    path = FOLDER / "snp/published.json"
    found: list[dict[str, object]] = json.loads(path.read_text()) if path.exists() else []
    return found


def rows(mode: str) -> list[object]:
    """The rows of a mode as test parameters; one whose input is not kept here is skipped, and says which."""
    path = FOLDER / "snp/snp_debian_sid.tsv"
    if not path.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=ABSENT))]
    with path.open(newline="") as file:
        found = [row for row in csv.DictReader(file, delimiter="\t") if row["mode"] == mode]
    params: list[object] = []
    for row in found:
        paths = [f"firmware/{row[key]}" for key in ("firmware", "svsm") if row[key]]
        paths += [f"payload/{row[key]}" for key in ("kernel", "initrd") if row[key]]
        missing = [name for name in paths if not (FOLDER / name).exists()]
        marks = [pytest.mark.skip(reason=f"input not kept: {', '.join(missing)}")] if missing else []
        params.append(pytest.param(row, id=row["id"], marks=marks))
    return params


def launch_of(row: Row) -> SnpLaunch:
    firmware = (FOLDER / "firmware" / row["firmware"]).read_bytes()
    assert hashlib.sha256(firmware).hexdigest() == row["firmware_sha256"]
    append = json.loads(row["append_json"]) if row["append_json"] == "null" else row["append_json"]
    return SnpLaunch(
        firmware=firmware,
        vcpus=int(row["vcpus"] or "1"),
        cpu=row["vcpu_type"]
        or row["vcpu_sig"]
        or "/".join(re.findall(r"--vcpu-(?:family|model|stepping) (\d+)", row["command"])),
        features=int(row["guest_features"] or "1", 16),
        vmm=Vmm(row["vmm"].lower()),
        kernel=(FOLDER / "payload" / row["kernel"]).read_bytes() if row["kernel"] else None,
        initrd=(FOLDER / "payload" / row["initrd"]).read_bytes() if row["initrd"] else None,
        command_line=None if append is None else append.encode(),
    )


def digest(prediction: Prediction) -> str:
    assert prediction.trace[-1].after == prediction.registers["launch_digest"].hex()
    return prediction.registers["launch_digest"].hex()


@pytest.mark.parametrize("row", rows("snp"))
def test_every_snp_row(row: Row) -> None:
    launch = launch_of(row)
    if row["digest"].startswith("ERR"):
        with pytest.raises(UsageError):
            predict(launch)
        return
    found = ingredients(launch)
    if row["snp_ovmf_hash"]:
        found = replace(found, seed=bytes.fromhex(row["snp_ovmf_hash"]))
    assert digest(replay(found, launch.vcpus)) == row["digest"]


@pytest.mark.parametrize("row", rows("snp:svsm"))
def test_every_svsm_row(row: Row) -> None:
    svsm = Svsm(image=(FOLDER / "firmware" / row["svsm"]).read_bytes(), variables=int(row["vars_size"]))
    assert digest(predict(replace(launch_of(row), svsm=svsm))) == row["digest"]


@pytest.mark.parametrize("row", rows("snp:ovmf-hash"))
def test_every_seed_row(row: Row) -> None:
    found = ingredients(launch_of(row))
    assert found.seed.hex() == row["digest"]
    assert replay(found, 1).trace[0].after == row["digest"]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=str(row["id"]), marks=pytest.mark.skip(reason=f"input not kept: firmware/{row['ovmf']}"))
        if not (FOLDER / "firmware" / str(row["ovmf"])).exists()
        else pytest.param(row, id=str(row["id"]))
        for row in published()
        if row.get("mode") == "SEV_SNP"
    ],
)
def test_published_rows(row: dict[str, object]) -> None:
    kernel, initrd, append = ((row[key], b"" if row[key] else None) for key in ("kernel", "initrd", "append"))
    launch = SnpLaunch(
        firmware=(FOLDER / "firmware" / str(row["ovmf"])).read_bytes(),
        vcpus=int(str(row["vcpus"])),
        cpu=f"{row['vcpu_sig'] or 0:x}",
        features=int(str(row["guest_features"])),
        vmm=Vmm(str(row["vmm_type"]).lower()),
        kernel=kernel[1],
        initrd=initrd[1],
        command_line=None if append[0] is None else str(append[0]).encode(),
    )
    found = ingredients(launch)
    seed = bytes.fromhex(str(row["snp_ovmf_hash"]))
    assert digest(replay(replace(found, seed=seed or found.seed), launch.vcpus)) == row["digest"]


def test_a_report_signed_by_hardware(vectors: Path) -> None:
    """dstack's machine: its MEASUREMENT follows from the published ingredients."""
    facts = next(row for row in published() if row["id"] == "snppub-dstack-real-hw")
    report = (vectors / "measure/snp/hw/dstack_report.bin").read_bytes()
    vmsa = {"signature": SIGNATURES[str(facts["vcpu_type"])], "features": int(str(facts["guest_features"]))}
    reset, sections = RESETS[Vmm.QEMU], facts["ovmf_sections"]
    assert isinstance(sections, list)
    other = application_processor(reset, eip=int(str(facts["sev_es_reset_eip"])), **vmsa)
    found = Ingredients(
        firmware=bytes(32),
        firmware_gpa=0,
        seed=bytes.fromhex(str(facts["ovmf_hash"])),
        sections=tuple(Section(gpa=gpa, size=size, type=SectionType(kind)) for gpa, size, kind in sections),
        hashes=KernelHashes(
            command_line=hashlib.sha256(str(facts["base_cmdline"]).encode() + b"\0").digest(),
            initrd=bytes.fromhex(str(facts["initrd_sha256"])),
            kernel=bytes.fromhex(str(facts["kernel_sha256"])),
        ),
        hashes_offset=int(str(facts["sev_hashes_table_gpa"])) % 4096,
        vmm=Vmm.QEMU,
        boot_vmsa=hashlib.sha384(boot_processor(reset, **vmsa)).digest(),
        other_vmsa=hashlib.sha384(other).digest(),
    )
    assert digest(replay(found, int(str(facts["vcpus"])))) == facts["digest"] == report[0x90:0xC0].hex()


def test_chains_of_pages_that_google_asserts(vectors: Path) -> None:
    assert vectors.is_dir()
    facts = {row["id"]: row.get("digest") for row in published()}
    normal, zero = LaunchDigest(), LaunchDigest()
    normal.add_bytes(0, b"LGTM" * 4 + bytes(3 * 4096 - 32) + b"LGTM" * 4)
    zero.add_blank(PageType.ZERO, 0x9000, 3 * 4096)
    assert normal.value.hex() == facts["snppub-gce-normal3"]
    assert zero.value.hex() == facts["snppub-gce-zero3"]


def vmsa_pages() -> list[object]:
    paths = [path for path in sorted((FOLDER / "snp/vmsa").glob("*.bin")) if not path.name.startswith(("sev", "svsm"))]
    return [pytest.param(path, id=path.stem) for path in paths] or [
        pytest.param(FOLDER, marks=pytest.mark.skip(reason=ABSENT))
    ]


@pytest.mark.parametrize("path", vmsa_pages())
def test_vmsa_pages_are_byte_equal(path: Path) -> None:
    shape, which, _ = path.name.split(".")
    vmm, *model, features = shape.split("-")
    reset = RESETS[Vmm(vmm)]
    cpu = SIGNATURES["-".join(model)] if model else 0
    if which == "vmsa0":
        page = boot_processor(reset, signature=cpu, features=int(features, 16))
    else:
        page = application_processor(reset, eip=0x80B004, signature=cpu, features=int(features, 16))
    assert page == path.read_bytes()
    assert Vmsa.unpack(page).pack() == page


def test_every_cpu_model_of_amd_is_known(vectors: Path) -> None:
    with (vectors / "measure/snp/qemu_11.1.3_cpu_signatures.tsv").open(newline="") as file:
        facts = {name: int(value, 16) for name, *_, value in list(csv.reader(file, delimiter="\t"))[1:]}
    assert {name: value for name, value in facts.items() if name.startswith(("EPYC", "Dhyana"))} == SIGNATURES
