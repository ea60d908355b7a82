"""`warily measure pcr` as a user meets it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.esp_images import SYSTEM_PARTITION, fat32, gpt
from tests.smbios_tables import END, SYSTEM
from tests.uki_images import assemble, minimal_stub
from warily.cli.main import run_command_line

SECTIONS = [(".linux", b"kernel"), (".cmdline", b"line")]
PATH = "enter-initrd:leave-initrd"


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "linux.efi"
    path.write_bytes(assemble(minimal_stub(version="255"), SECTIONS))
    return str(path)


def pcr11(bank: str, path: str = "") -> bytes:
    value = bytes(hashlib.new(bank).digest_size)
    words = [part for name, content in SECTIONS for part in (f"{name}\0".encode(), content)]
    for word in (*words, *(phase.encode() for phase in path.split(":") if phase)):
        value = hashlib.new(bank, value + hashlib.new(bank, word).digest()).digest()
    return value


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run_command_line(["measure", "pcr", "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_an_image_in_all_banks_with_its_phases(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "--uki", image)
    assert found["registers"] == {f"{bank}:11": pcr11(bank).hex() for bank in ("sha1", "sha256", "sha384", "sha512")}
    values = {(one["register"], one["name"]): one["value"] for one in found["candidates"]}
    assert values["sha384:11", PATH] == pcr11("sha384", PATH).hex()
    assert len(values) == 16
    assert len(found["trace"]) == 16


def test_a_phase_path_and_a_bank(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["measure", "pcr", "--uki", image, "--bank", "sha256", "--phases", PATH]) == 0
    assert capsys.readouterr().out == pcr11("sha256", PATH).hex() + "\n"


def test_sections_are_as_good_as_the_image(image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = []
    for name, content in SECTIONS:
        (tmp_path / name).write_bytes(content)
        words += ["--section", f"{name.removeprefix('.')}={tmp_path / name}"]
    assert asked(capsys, *words)["registers"] == asked(capsys, "--uki", image)["registers"]


def test_the_policy_is_over_the_value_and_over_each_candidate(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "--uki", image, "--bank", "sha256", "--tpm-policy")
    digest = hashlib.sha256(pcr11("sha256")).digest()
    said = bytes.fromhex("0000017f00000001000b03000800") + digest
    assert found["registers"]["policy:sha256:11"] == hashlib.sha256(bytes(32) + said).hexdigest()
    names = [one["name"] for one in found["candidates"] if one["register"] == "policy:sha256:11"]
    assert names == [one["name"] for one in found["candidates"] if one["register"] == "sha256:11"]


def test_a_log(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = vectors / "measure" / "pcr" / "boot" / "uki-esp"
    wanted = json.loads((folder / "run.json").read_text())["pcrs"]["sha384"]
    found = asked(capsys, "--log", str(folder / "binary_bios_measurements"), "--bank", "sha384")
    assert {name: value for name, value in found["registers"].items() if value != wanted[name[7:]]} == {}
    assert set(found["registers"]) == {f"sha384:{index}" for index in (0, 1, 2, 3, 4, 5, 6, 7, 9, 11)}


@pytest.fixture
def bootable(tmp_path: Path) -> str:
    """An image with a program in it, so that firmware can start it."""
    path = tmp_path / "bootable.efi"
    path.write_bytes(assemble(minimal_stub(version="252"), [(".linux", minimal_stub()), (".cmdline", b"line")]))
    return str(path)


def test_a_disk_image_says_what_firmware_measures_of_it(
    vectors: Path, bootable: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    firmware = str(vectors / "measure/firmware/OVMF.generic.fd")
    (tmp_path / "disk").write_bytes(gpt((SYSTEM_PARTITION, b"x")))
    (tmp_path / "raw").write_bytes(fat32({"A": b"x"})[:4096])
    (tmp_path / "dmi").write_bytes(SYSTEM + END)
    words = ["--firmware", firmware, "--uki", bootable, "--bank", "sha256", "--smbios", str(tmp_path / "dmi")]
    words += ["--launch", "-nodefaults -machine q35 -drive if=none,id=d,file=x -device virtio-blk-pci,drive=d"]
    found = asked(capsys, *words, "--disk", str(tmp_path / "disk"))
    assert "absent" not in found
    plain = asked(capsys, *words, "--disk", str(tmp_path / "raw"))["registers"]
    differ = {name for name, value in plain.items() if value != found["registers"][name]}
    assert differ == {"sha256:1", "sha256:5"}  # the name of the option, and the table
    opened = asked(capsys, *words, "--disk")["absent"]
    assert "content, which is not given" in opened["sha256:1"]
    assert "partition table is not given" in opened["sha256:5"]
    assert run_command_line(["measure", "pcr", *words, "--disk", str(tmp_path / "nothing")]) == 2


def test_a_loader_before_the_image(
    vectors: Path, bootable: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    firmware = str(vectors / "measure/firmware/OVMF.generic.fd")
    said = b"#### LoaderInfo: systemd-boot 254.1 ####"
    (tmp_path / "loader").write_bytes(assemble(minimal_stub(), [(".sdmagic", said)]))
    words = ["--firmware", firmware, "--uki", bootable, "--bank", "sha256", "--disk"]
    words += ["--loader", str(tmp_path / "loader")]
    found, without = asked(capsys, *words), asked(capsys, *words[:-2])
    assert "sha256:12" in found["registers"]
    assert "sha256:12" not in without["registers"]
    assert found["registers"]["sha256:4"] != without["registers"]["sha256:4"]
    for wrong in (["--append", "x"], []):
        rest = [word for word in words if word != "--disk"] if not wrong else words
        assert run_command_line(["measure", "pcr", *rest, *wrong]) == 2


def test_a_machine_whose_pcr_1_stays_open(vectors: Path, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    firmware = str(vectors / "measure" / "firmware" / "OVMF.generic.fd")
    Path(image).write_bytes(assemble(minimal_stub(version="255"), [(".linux", minimal_stub()), (".cmdline", b"l")]))
    found = asked(capsys, "--firmware", firmware, "--uki", image, "--bank", "sha256")
    assert set(found["absent"]) == {"sha256:1"}
    assert set(found["registers"]) == {f"sha256:{index}" for index in (0, 2, 3, 4, 5, 6, 7, 9, 11)}
    assert (
        run_command_line(
            [
                "measure",
                "pcr",
                "--firmware",
                firmware,
                "--uki",
                image,
                "--bank",
                "sha256",
                "--pcrs",
                "1",
                "--tpm-policy",
            ]
        )
        == 2
    )
    assert "sha256:1 is not predicted" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--kernel", "k"],
        ["--uki", "missing.efi"],
        ["--section", "linux"],
        ["--section", "strange=/dev/null"],
        ["--uki", "a", "--section", "linux=b"],
    ],
)
def test_what_cannot_be_asked_is_refused(words: list[str]) -> None:
    assert run_command_line(["measure", "pcr", *words]) == 2


@pytest.mark.parametrize(
    "words", [["--pcrs", "x"], ["--pcrs", "7,"], ["--pcrs", "7"], ["--phases", "a:"], ["--bank", "md5"]]
)
def test_options_that_make_no_sense_are_refused(words: list[str], image: str) -> None:
    assert run_command_line(["measure", "pcr", "--uki", image, "--tpm-policy", *words]) == 2


def test_a_file_that_is_no_image_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"MZ")
    assert run_command_line(["measure", "pcr", "--uki", str(tmp_path / "x")]) == 3
    assert run_command_line(["measure", "pcr", "--log", str(tmp_path / "x")]) == 3
