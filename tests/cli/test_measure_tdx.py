"""`warily measure tdx`, as a script sees it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.measure.test_tdx import ACPI, BUILT, KERNEL
from tests.smbios_tables import END, SYSTEM, of_guest, of_host
from warily.cli.main import run_command_line
from warily.cli.measure_tdx import size, version
from warily.core.boot_devices import BootDevices
from warily.errors import HostError, UsageError
from warily.host import qtest

NO_DEVICES = BootDevices(pci=(), order=b"", ata=False)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, data in (("firmware", BUILT), ("kernel", KERNEL), ("initrd", b"initrd")):
        (tmp_path / name).write_bytes(data)
    folder = tmp_path / "acpi"
    (folder / "etc/acpi").mkdir(parents=True)
    (folder / "etc/table-loader").write_bytes(ACPI.loader)
    (folder / "etc/acpi/rsdp").write_bytes(ACPI.rsdp)
    (folder / "etc_acpi_tables").write_bytes(ACPI.tables)
    words = ["measure", "tdx", "--firmware", str(tmp_path / "firmware"), "--memory", "2G", "--vcpus", "2"]
    return [*words, "--kernel", str(tmp_path / "kernel"), "--initrd", str(tmp_path / "initrd"), "--append", "quiet"]


def answer(capsys: pytest.CaptureFixture[str], words: list[str]) -> dict[str, Any]:
    assert run_command_line(words) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_has_registers_candidates_and_trace(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, [*files, "--acpi", str(tmp_path / "acpi"), "--json"])
    assert set(found) == {"registers", "candidates", "trace"}
    assert set(found["registers"]) == {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"}
    assert set(found["candidates"][0]) == {"name", "register", "value", "because"}
    assert {step["register"] for step in found["trace"]} == {"mrtd", "rtmr0", "rtmr1", "rtmr2"}


def test_text_names_what_is_absent(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([*files, "--trace"]) == 0
    out = capsys.readouterr().out
    assert "rtmr0  not predicted: ACPI tables" in out
    assert "rtmr2 " in out
    assert "load options (command line)" in out


def test_the_installed_qemu_gives_its_tables_where_it_is_the_one(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def tables(arguments: tuple[str, ...]) -> qtest.HostTables:
        asked.append(arguments)
        return qtest.HostTables(acpi=ACPI, smbios=SYSTEM + END, devices=NO_DEVICES, items={})

    monkeypatch.setattr(qtest, "qemu_version", lambda: (10, 2, 1))
    monkeypatch.setattr(qtest, "read_tables", tables)
    assert "rtmr0" in answer(capsys, [*files, "--qemu", "10.2", "--json"])["registers"]
    assert asked[0][-4:] == ("-smp", "2", "-m", "2097152K")
    assert "rtmr0" not in answer(capsys, [*files, "--qemu", "10.3", "--json"])["registers"]

    def broken() -> tuple[int, int, int]:
        raise HostError("no QEMU here")

    monkeypatch.setattr(qtest, "qemu_version", broken)
    assert run_command_line([*files, "--qemu", "10.2"]) == 0
    assert "no QEMU here" in capsys.readouterr().err


def test_a_genuine_log_gives_what_cannot_be_computed(
    files: list[str], vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    firmware = str(vectors / "measure/firmware/OVMF.generic.fd")
    words = [firmware if word.endswith("/firmware") else word for word in files]
    words += ["--acpi", str(vectors / "measure/pcr/acpi/directboot"), "--json"]
    assert "SMBIOS" in answer(capsys, words)["absent"]["rtmr0"]
    boot = vectors / "measure/pcr/boot/directboot"
    log = str(boot / "binary_bios_measurements")
    expected = answer(capsys, [*words, "--log", log])["registers"]["rtmr0"]
    (tmp_path / "smbios").write_bytes(of_host(of_guest(boot)))
    found = answer(capsys, [*words, "--smbios", str(tmp_path / "smbios")])
    assert found["registers"]["rtmr0"] == expected
    (tmp_path / "acpi/etc_smbios_smbios-tables.bin").write_bytes(of_host(of_guest(boot)))
    for name in ("table-loader", "acpi_rsdp", "acpi_tables"):
        data = (vectors / "measure/pcr/acpi/directboot" / f"etc_{name}").read_bytes()
        (tmp_path / f"acpi/etc_{name}").write_bytes(data)
    (tmp_path / "acpi/etc_tpm_log.bin").write_bytes((vectors / "measure/pcr/acpi/directboot/etc_tpm_log").read_bytes())
    beside = [str(tmp_path / "acpi") if word.endswith("directboot") else word for word in words]
    assert answer(capsys, beside)["registers"]["rtmr0"] == expected


def test_the_launch_says_which_tables(
    files: list[str], vectors: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], qtest.Setup]] = []

    def tables(arguments: list[str], *, setup: qtest.Setup) -> qtest.HostTables:
        asked.append((arguments, setup))
        return qtest.HostTables(
            acpi=ACPI, smbios=SYSTEM + END if "host" not in arguments else None, devices=NO_DEVICES, items={}
        )

    monkeypatch.setattr(qtest, "read_tables", tables)
    words = [
        str(vectors / "measure/firmware/OVMF.generic.fd") if word.endswith("/firmware") else word for word in files
    ]
    launch = "qemu-system-x86_64 -machine q35 -smbios 'type=1,product=A B'"
    assert "rtmr0" in answer(capsys, [*words, "--launch", launch, "--json"])["registers"]
    assert asked == [(["-machine", "q35", "-smbios", "type=1,product=A B"], qtest.OVMF)]
    found = answer(capsys, [*words, "--launch", "-cpu host", "--json"])
    assert "SMBIOS tables for this machine are not given" in found["absent"]["rtmr0"]
    old = [str(vectors / "measure/firmware/OVMF.bookworm.fd") if word.endswith("/firmware") else word for word in files]
    assert run_command_line([*old, "--launch", "-machine q35"]) == 0
    assert asked[-1][1] == qtest.OVMF_2022
    assert run_command_line([*words, "--launch", "'"]) == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2G", 2 << 30),
        ("64GiB", 64 << 30),
        ("512m", 512 << 20),
        ("2147483648", 2 << 30),
        ("1TB", 1 << 40),
        ("4096B", 4096),
    ],
)
def test_sizes(text: str, number: int) -> None:
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "G", "2 G", "-1", "2.5G", "0x10", "2P", "9" * 30])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError):
        size(text)


def test_versions() -> None:
    assert (version("10.2"), version("9.2.1")) == ((10, 2), (9, 2))
    for text in ("10", "v10.2", "10.2-rc1", ""):
        with pytest.raises(UsageError):
            version(text)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (["--memory", "1M"], 2),
        (["--layout", "nobody"], 2),
        (["--acpi", "/nonexistent"], 2),
        (["--log", "/dev/null"], 3),
        (["--firmware", "/dev/null"], 3),
        (["--vars", "/dev/null"], 2),
    ],
)
def test_statuses(files: list[str], change: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([*files, *change]) == status
    assert "warily: error" in capsys.readouterr().err
