"""`warily explain` and `warily diff` as people and scripts meet them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.explain.known_builds import GRANTOR, Inputs, declared, firmware, line, manifest, payload
from tests.forge import REPORT, signed
from warily.cli.main import run_command_line

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def image(vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the manifest of the declared build and the list of its packages."""
    del vectors  # the firmware is real
    monkeypatch.setenv("WARILY_KEYS", str(tmp_path / "keys"))
    return written(declared(), tmp_path / "image", {"openssl": "3.5.1-1", "linux-image-amd64": "6.12.41-1"})


def written(inputs: Inputs, folder: Path, packages: dict[str, str], *, root: str = "one") -> Path:
    folder.mkdir()
    entries = [{"type": "library", "name": name, "version": version} for name, version in packages.items()]
    sbom = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": entries}).encode()
    made = manifest(inputs, root=root)
    part = replace(made.ingredients[0], role="sbom", name="sbom.cdx.json", sha256=hashlib.sha256(sbom).digest())
    (folder / "manifest.json").write_bytes(replace(made, ingredients=(*made.ingredients, part)).encode())
    (folder / "sbom.cdx.json").write_bytes(sbom)
    return folder


def run(capsys: Captured, *words: str | Path) -> tuple[int, dict[str, object]]:
    status = run_command_line([*map(str, words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_known_value_reads_as_a_sentence(image: Path, capsys: Captured) -> None:
    value = declared().digest().hex()
    assert run_command_line(["explain", value, "--manifest", str(image)]) == 0
    out = capsys.readouterr().out
    assert "the launch digest (MEASUREMENT) of an AMD SEV-SNP guest running ledger (Debian trixie)" in out
    assert "kernel linux-image-amd64 6.12.41-1, 2 packages" in out
    assert "not signed, with 2 vCPUs of model EPYC-v4, on a host of kind linux-6.10" in out
    status, found = run(capsys, "explain", f"0x{value.upper()}", "--manifest", image / "manifest.json")
    assert (status, found["nearest"]) == (0, [])


def test_an_unknown_value_names_its_cause(image: Path, capsys: Captured) -> None:
    value = replace(declared(), line=f"{line()} nokaslr").digest().hex()
    status, found = run(capsys, "explain", value, "--manifest", image)
    assert (status, found["known"]) == (10, [])
    near: list[dict[str, object]] = found["nearest"]  # type: ignore[assignment]  # the contract
    assert near[0]["manifest"] == "ledger"
    assert near[0]["inputs"] == [{"name": "command line", "was": "", "is": "nokaslr"}]
    assert run_command_line(["explain", value, "--manifest", str(image)]) == 10
    assert "is   nokaslr" in capsys.readouterr().out


def test_nothing_to_compare_with_is_no_decision(capsys: Captured) -> None:
    status, found = run(capsys, "explain", "ab" * 48)
    assert (status, found["known"], found["nearest"]) == (4, [], [])
    assert run_command_line(["explain", "no value, no file"]) == 2
    assert run_command_line(["explain"]) == 2
    assert run_command_line(["explain", "ab" * 16 + "c"]) == 2


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (hashlib.sha384(bytes(4)).hexdigest(), "SHA384 of a separator"),
        (bytes(48).hex(), "nothing was measured into"),
        (
            "49b66faa451d19ebbdbe89371b8daf2b65aa3984ec90110343e9e2eec116af08850fa20e3b1aa9a874d77a65380ee7e6",
            "MRSEAM of Intel's TDX module 1.5.08",
        ),
    ],
)
def test_what_vendors_and_every_log_have_is_known_without_a_manifest(
    capsys: Captured, value: str, sentence: str
) -> None:
    status, found = run(capsys, "explain", value)
    known: list[dict[str, str]] = found["known"]  # type: ignore[assignment]  # the contract
    assert status == 0
    assert sentence in known[0]["sentence"]


def test_parts_of_a_build_are_known_by_their_digests(image: Path, capsys: Captured) -> None:
    for value, said in (
        (hashlib.sha256(payload("kernel_a.bin")).hexdigest(), "kernel.bin (kernel)"),
        (GRANTOR.hex(), "the key of the broker"),
    ):
        status, found = run(capsys, "explain", value, "--manifest", image)
        known: list[dict[str, str]] = found["known"]  # type: ignore[assignment]  # the contract
        assert (status, said in known[0]["sentence"]) == (0, True)


def test_files_without_a_manifest_are_put_together(vectors: Path, tmp_path: Path, capsys: Captured) -> None:
    del vectors
    for name, data in (
        ("OVMF.amdsev.fd", firmware("OVMF.amdsev.fd")),
        ("kernel_a.bin", payload("kernel_a.bin")),
        ("initrd_a.bin", payload("initrd_a.bin")),
        ("cmdline", line().encode()),
    ):
        (tmp_path / name).write_bytes(data)
    other = tmp_path / "initrd_b.bin"
    status, found = run(capsys, "explain", replace(declared(), vcpus=9).digest().hex(), "--manifest", tmp_path)
    assert status == 0
    other_folder = tmp_path.parent / f"{tmp_path.name}-with"
    other_folder.mkdir()
    other = other_folder / "initrd_b.bin"
    other.write_bytes(payload("initrd_b.bin"))
    value = replace(declared(), initrd=payload("initrd_b.bin"), vcpus=1).digest().hex()
    status, found = run(capsys, "explain", value, "--manifest", tmp_path, "--with", other)
    near: list[dict[str, list[dict[str, str]]]] = found["nearest"]  # type: ignore[assignment]  # the contract
    assert status == 10
    assert [entry["name"] for entry in near[0]["inputs"]] == ["initrd"]


def test_a_report_is_explained_value_by_value(image: Path, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "report.bin"
    path.write_bytes(signed(replace(REPORT, measurement=declared().digest())))
    status, found = run(capsys, "explain", path, "--manifest", image)
    assert (status, found["kind"], found["all_known"]) == (0, "SEV-SNP report", True)
    path.write_bytes(signed(replace(REPORT, measurement=replace(declared(), features=0x201).digest())))
    status, found = run(capsys, "explain", path, "--manifest", image)
    near: list[dict[str, list[dict[str, str]]]] = found["nearest"]  # type: ignore[assignment]  # the contract
    assert (status, near[0]["inputs"][0]["is"]) == (10, "0x201 (SNPActive, SecureTSC)")
    assert run_command_line(["explain", str(path)]) == 4
    assert "policy" in capsys.readouterr().out


def test_a_genuine_quote_and_its_log(vectors: Path, capsys: Captured) -> None:
    folder = vectors / "evidence/tdx_ccel/cos113_go-tdx-guest"
    status, found = run(capsys, "explain", folder / "quote.dat", "--log", folder / "ccel_data.dat")
    logs: list[dict[str, dict[str, bool]]] = found["logs"]  # type: ignore[assignment]  # the contract
    assert status == 4
    assert logs[0]["leads_to_evidence"] == {"rtmr0": True, "rtmr1": True, "rtmr2": True}
    assert run_command_line(["explain", str(folder / "ccel_data.dat")]) == 4
    assert "EV_EFI_HANDOFF_TABLES2" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["evidence/nitro", "evidence/tpm_quote", "evidence/nvidia", "evidence/tdx"])
def test_no_genuine_evidence_is_too_much(vectors: Path, capsys: Captured, path: str) -> None:
    """Every file ends with a status of its own, never with a traceback."""
    for entry in sorted((vectors / path).rglob("*"))[:40]:
        if entry.is_file():
            assert run_command_line(["explain", str(entry)]) in (0, 2, 3, 4)
    capsys.readouterr()


def test_a_log_against_one_that_is_known(vectors: Path, capsys: Captured) -> None:
    folder = vectors / "measure/pcr/boot"
    logs = [folder / name / "binary_bios_measurements" for name in ("directboot", "direct-smp4")]
    status, found = run(capsys, "explain", logs[1], "--manifest", logs[0])
    near: list[dict[str, dict[str, str]]] = found["nearest"]  # type: ignore[assignment]  # the contract
    assert (status, near[0]["first"]["register"]) == (10, "pcr1")
    assert run(capsys, "explain", logs[0], "--manifest", logs[0])[0] == 0


def test_two_images_differ_by_their_packages(image: Path, tmp_path: Path, capsys: Captured) -> None:
    packages = {"openssl": "3.5.4-1", "linux-image-amd64": "6.12.41-1"}
    inputs = replace(declared(), line=line("two"), vcpus=4)
    later = written(inputs, tmp_path / "later", packages, root="two")
    status, found = run(capsys, "diff", image, later)
    inputs_found: list[dict[str, object]] = found["inputs"]  # type: ignore[assignment]  # the contract
    assert (status, found["identical"]) == (0, False)
    assert [entry["name"] for entry in inputs_found] == ["vcpus", "root hash"]
    assert found["packages"] == [{"name": "package openssl", "was": "3.5.1-1", "is": "3.5.4-1"}]
    assert run(capsys, "diff", image, image)[1]["identical"] is True
    status, found = run(capsys, "explain", later, "--manifest", image)
    assert status == 10
    assert run(capsys, "explain", image, "--manifest", image)[0] == 0


def test_two_predictions_differ_from_a_step_on(vectors: Path, tmp_path: Path, capsys: Captured) -> None:
    path = vectors / "measure/firmware/OVMF.amdsev.fd"
    common = ["measure", "snp", "--firmware", str(path), "--cpu", "EPYC-v4", "--features", "1", "--json"]
    for count in ("1", "2"):
        assert run_command_line([*common, "--vcpus", count]) == 0
        (tmp_path / count).write_text(capsys.readouterr().out)
    status, found = run(capsys, "diff", tmp_path / "1", tmp_path / "2")
    steps: list[dict[str, str]] = found["steps"]  # type: ignore[assignment]  # the contract
    assert (status, steps[0]["name"], steps[0]["was"]) == (0, "vmsa vCPU 1", "")


def test_things_of_two_kinds_are_not_compared(image: Path, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "report.bin"
    path.write_bytes(signed(REPORT))
    assert run_command_line(["diff", str(image), str(path)]) == 2
    capsys.readouterr()
    changed = tmp_path / "other.bin"
    changed.write_bytes(signed(replace(REPORT, guest_svn=9)))
    _, found = run(capsys, "diff", path, changed)
    fields: list[dict[str, str]] = found["fields"]  # type: ignore[assignment]  # the contract
    assert any("guest_svn" in entry["name"] and entry["is"] == "9" for entry in fields)


def test_a_register_is_named_as_predictions_name_it(vectors: Path, capsys: Captured) -> None:
    log = vectors / "measure/pcr/boot/directboot/binary_bios_measurements"
    run_command_line(["measure", "pcr", "--log", str(log), "--json"])
    value = json.loads(capsys.readouterr().out)["registers"]["sha256:4"]
    for name in ("sha256:4", "pcr4", "PCR4", ""):
        status, answer = run(capsys, "explain", value, "--manifest", log, *(["--register", name] if name else []))
        assert status == 0, name
        assert answer["known"][0]["register"] == "pcr4"  # type: ignore[index]  # an object with lists
