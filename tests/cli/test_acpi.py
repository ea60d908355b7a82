"""`warily acpi` as it is typed: what it prints, and its exit statuses."""

import json
from pathlib import Path

import pytest

from tests.acpi_tables import table
from warily.cli.main import run_command_line

RAM = ("--ram", "0-0x80000000")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    status = run_command_line(["acpi", *map(str, words)])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "status", "found"),
    [
        ("hostile-static/FACP-ok-pio.aml", 0, []),
        ("hostile-static/CCEL-host.aml", 10, ["STATIC_POINTER_RAM"]),
        ("hostile-static/MCFG-over-ram.aml", 10, ["STATIC_MMIO_OVER_RAM"]),
        ("hostile-static/mal-checksum.aml", 3, ["MALFORMED_CHECKSUM"]),
        ("hostile-static/mal-zero-body.aml", 0, []),
        ("badaml/01-ram-const-ini.aml", 10, ["MEM_RAM_WRITE"]),
        ("badaml/17-ok-mmio-device.aml", 0, []),
    ],
)
def test_inspect(vectors: Path, capsys: pytest.CaptureFixture[str], name: str, status: int, found: list[str]) -> None:
    ended, out = run(capsys, "inspect", vectors / "acpi" / name, *RAM, "--json")
    assert ended == status
    said = json.loads(out)
    assert sorted({each["id"] for each in said["findings"]}) == found
    assert all(set(each) == {"id", "where", "reach", "evidence"} for each in said["findings"])
    assert said["ram_assumed"] is False


def test_inspect_without_a_map_assumes_one(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, out = run(capsys, "inspect", vectors / "acpi/hostile-static/SRAT-dup.aml", "--json")
    assert ended == 10
    assert json.loads(out)["ram_assumed"] is True


def test_inspect_a_capture_takes_its_map_and_its_script(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, out = run(capsys, "inspect", vectors / "acpi/fwcfg-qemu7.2/q35-2c-2g", "--json")
    said = json.loads(out)
    assert (ended, said["findings"], said["ram"]) == (0, [], ["0x0-0x80000000"])


@pytest.mark.parametrize("content", [b"", b"hello", b"DSDT", bytes(100), b"\xff" * 64])
def test_files_that_are_no_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    ended, out = run(capsys, "inspect", file, "--json")
    assert ended == 3
    assert [each["id"] for each in json.loads(out)["findings"]] == ["MALFORMED_LENGTH"]


def test_a_map_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x"
    file.write_bytes(table("OEM1", b"").raw)
    assert run(capsys, "inspect", file, "--ram", "5-1")[0] == 2
    assert run(capsys, "inspect", tmp_path / "missing")[0] == 2
    assert run(capsys, "inspect", file)[0] == 0


def test_loader(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = vectors / "acpi/hostile-loader"
    ended, out = run(capsys, "loader", folder / "ptr-oob.bin", "--json")
    assert (ended, [each["id"] for each in json.loads(out)["findings"]]) == (10, ["LOADER_OOB"])
    assert run(capsys, "loader", folder / "not-multiple.bin")[0] == 3
    assert run(capsys, "loader", folder / "good-q35.bin") == (0, "no findings\n")


def test_show(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, out = run(capsys, "show", vectors / "acpi/hostile-static/MCFG-over-ram.aml")
    assert ended == 0
    assert "base               0x10000000" in out
    ended, out = run(capsys, "show", vectors / "acpi/hostile-static/MCFG-over-ram.aml", "--json")
    assert json.loads(out)["tables"][0]["parts"][1]["fields"]["base"] == 0x10000000


def test_predict_pin_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = ("--machine", "pc", "--cpus", "2", "--memory", "256M")
    ended, out = run(capsys, "predict", *shape, "--into", tmp_path / "blobs", "--json")
    assert ended == 0
    said = json.loads(out)
    assert [each["name"] for each in said["measured"]] == ["etc/table-loader", "etc/acpi/rsdp", "etc/acpi/tables"]
    assert run(capsys, "pin", *shape, "--output", tmp_path / "pin.json")[0] == 0
    ended, out = run(capsys, "check", tmp_path / "pin.json", tmp_path / "blobs", "--json")
    assert (ended, json.loads(out)["equal"]) == (0, True)
    assert (
        run(capsys, "predict", "--into", tmp_path / "other", "--", "-nodefaults", "-machine", "pc", "-smp", "3")[0] == 0
    )
    ended, out = run(capsys, "check", tmp_path / "pin.json", tmp_path / "other")
    assert ended == 10
    assert "APIC differs at 0x4-0x5" in out
    assert "excluded" not in out
    assert "what this leaves open:" in out
    assert run(capsys, "check", tmp_path / "pin.json")[0] == 2


@pytest.mark.parametrize("words", [("--window", "x"), ("--ecam", "0x123")])
def test_addresses_that_are_none(capsys: pytest.CaptureFixture[str], words: tuple[str, str]) -> None:
    assert run(capsys, "predict", *words)[0] == 2
