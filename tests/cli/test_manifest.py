"""`warily manifest show`, `verify --files` and `predict`, as people and scripts meet them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.measure.test_shapes import MANIFEST as SNP
from tests.measure.test_shapes import PARTS
from tests.measure.test_td_rules import GIB, MADE
from tests.measure.test_td_rules import manifest as built
from tests.measure.test_tdx import ACPI, launch
from tests.smbios_tables import of_guest, of_host
from warily.cli.main import run_command_line
from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest
from warily.host import keys
from warily.measure.tdx import predict
from warily.release.signing import sign_manifest

SBOM = json.dumps(
    {"bomFormat": "CycloneDX", "components": [{"name": "python3", "version": "3.13.5-1"}, {"name": "zlib1g"}]}
).encode()
LISTED = Ingredient(role="sbom", name="sbom.cdx.json", size=len(SBOM), sha256=hashlib.sha256(SBOM).digest())
BOTH = replace(
    SNP,
    ingredients=(*SNP.ingredients, LISTED),
    platforms=(*SNP.platforms, Platform.TDX),
    memory=MADE.memory,
    registers=(*SNP.registers, *MADE.registers),
    events=MADE.events,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of an image, with its manifest, signed and not."""
    monkeypatch.setenv("WARILY_KEYS", str(tmp_path / "keys"))
    image = tmp_path / "image"
    image.mkdir()
    for name, data in {**PARTS, "sbom.cdx.json": SBOM}.items():
        (image / name).write_bytes(data)
    (image / "manifest.json").write_bytes(BOTH.encode())
    (image / "manifest.dsse.json").write_bytes(sign_manifest(BOTH, keys.signing_key("owner")))
    return image


def manifest(action: str, path: Path, *words: str) -> int:
    return run_command_line(["manifest", action, str(path), *words])


def test_show_says_what_is_there_and_what_is_open(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert manifest("show", folder / "manifest.json") == 0
    out = capsys.readouterr().out
    assert "(signature not looked at)" in out
    assert "declared shape       2 vCPUs, 2 GiB, EPYC-v4" in out
    assert "packages             2, in sbom.cdx.json, which the manifest names by digest" in out
    assert "and 63 values for other shapes and hosts, a rule for any number of processors" in out
    assert "    open: ACPI tables: QEMU's ACPI tables for this machine are not given" in out
    assert "zlib1g" not in out
    assert manifest("show", folder / "manifest.json", "--packages") == 0
    assert "    python3                          3.13.5-1" in capsys.readouterr().out


def test_another_list_of_packages_is_not_shown_as_the_image_s(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sbom.cdx.json").write_bytes(SBOM.replace(b"3.13.5", b"3.13.6"))
    assert manifest("show", folder / "manifest.json") == 0
    assert "packages             sbom.cdx.json beside the manifest: another file" in capsys.readouterr().out
    (folder / "sbom.cdx.json").unlink()
    assert manifest("show", folder / "manifest.json") == 0
    assert "beside the manifest: not there" in capsys.readouterr().out


def test_the_files_are_verified_with_the_signature(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signed = folder / "manifest.dsse.json"
    assert manifest("verify", signed, "--files") == 0
    out = capsys.readouterr().out
    assert out.count("as the manifest says") == len(BOTH.ingredients)
    for name in ("sbom.cdx.json", "kernel"):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(before + b"\n")
        assert manifest("verify", signed, "--files", "--json") == 10
        assert json.loads(capsys.readouterr().out)["files"][name] == "another file"
        assert manifest("verify", signed) == 0
        (folder / name).write_bytes(before)
        capsys.readouterr()
    (folder / "initrd").unlink()
    assert manifest("verify", signed, "--files") == 10
    assert "not there" in capsys.readouterr().out


def test_predict_is_what_measure_says(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in {"table-loader": ACPI.loader, "acpi_rsdp": ACPI.rsdp, "acpi_tables": ACPI.tables}.items():
        (tmp_path / f"etc_{name}").write_bytes(data)
    words = ("--platform", "tdx", "--memory", "3G", "--vcpus", "4", "--qemu", "10.1", "--json")
    assert manifest("predict", folder / "manifest.dsse.json", *words, "--acpi", str(tmp_path)) == 0
    said = json.loads(capsys.readouterr().out)
    whole = predict(launch(memory=3 * GIB, vcpus=4, qemu=(10, 1))).registers
    assert said["registers"] == {name: value.hex() for name, value in whole.items() if name != "rtmr3"}
    assert manifest("predict", folder / "manifest.dsse.json", *words) == 0
    assert "ACPI tables" in json.loads(capsys.readouterr().out)["absent"]["rtmr0"]


def test_predict_takes_smbios_tables_with_what_firmware_adds_to_them(
    tmp_path: Path, vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    firmware = vectors / "measure/firmware/OVMF.generic.fd"
    made = built(firmware.read_bytes())
    (tmp_path / "manifest.json").write_bytes(made.encode())
    boot, acpi = vectors / "measure/pcr/boot/directboot", vectors / "measure/pcr/acpi/directboot"
    (tmp_path / "tables").write_bytes(of_host(of_guest(boot)))
    words = ("--platform", "tdx", "--json", "--acpi", str(acpi), "--smbios", str(tmp_path / "tables"))
    assert manifest("predict", tmp_path / "manifest.json", *words) == 0
    assert "adds to them about itself" in json.loads(capsys.readouterr().out)["absent"]["rtmr0"]
    assert manifest("predict", tmp_path / "manifest.json", *words, "--firmware", str(firmware)) == 0
    found = json.loads(capsys.readouterr().out)["registers"]["rtmr0"]
    log = ("--log", str(boot / "binary_bios_measurements"))
    assert manifest("predict", tmp_path / "manifest.json", *words[:5], *log) == 0
    assert json.loads(capsys.readouterr().out)["registers"]["rtmr0"] == found


def test_predict_without_a_word_is_the_declared_shape(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Manifest.decode((folder / "manifest.json").read_bytes())
    assert manifest("predict", folder / "manifest.json") == 0
    (entry,) = made.declared(made.platforms[0])
    assert capsys.readouterr().out.startswith(entry.value.hex())
    assert manifest("predict", folder / "manifest.json", "--host", "linux-6.9", "--trace") == 0
    assert "vCPU 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--platform", "sev"), "the manifest of ledger is not for it"),
        (("--platform", "tdx", "--host", "later"), "knows no host 'later'"),
        (("--platform", "snp", "--host", "later"), "no host variant 'later'"),
        (("--platform", "tdx", "--memory", "much"), "not a size"),
        (("--platform", "snp", "--vcpus", "0"), "0 vCPUs"),
        (("--platform", "snp", "--cpu", "i486"), "unknown CPU model"),
    ],
)
def test_a_wrong_use_is_said(
    folder: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manifest("predict", folder / "manifest.json", *words) == 2
    assert said in capsys.readouterr().err
