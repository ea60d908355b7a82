"""PCRs of five real boots: replayed from their logs, and predicted from what their inputs are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.smbios_tables import END, SYSTEM
from tests.uki_images import assemble, minimal_stub
from warily.core.acpi_blobs import AcpiBlobs
from warily.core.registers import BANKS
from warily.errors import FormatError, UsageError
from warily.formats.smbios import SmbiosTables
from warily.formats.tcg_log import EventLog
from warily.measure.pcr import ALL_BANKS, PcrBoot, boot_events, predict, replay
from warily.measure.uki import USUAL_PATHS, section_events

BOOTS = ("direct-bios", "direct-smp4", "directboot", "uki-esp", "uki-kernel")
LOGGED = ("sha1", "sha256", "sha384")
IMA = 10  # extended by the running kernel, in no firmware log


def a_boot(vectors: Path, name: str) -> tuple[EventLog, dict[str, Any]]:
    folder = vectors / "measure" / "pcr" / "boot" / name
    log = EventLog.decode((folder / "binary_bios_measurements").read_bytes())
    return log, json.loads((folder / "run.json").read_text())


@pytest.mark.parametrize("name", BOOTS)
def test_a_log_leads_to_the_registers_of_the_machine(name: str, vectors: Path) -> None:
    log, run = a_boot(vectors, name)
    found = replay(log, ALL_BANKS)
    assert {register.partition(":")[0] for register in found.registers} == set(LOGGED)
    for bank in LOGGED:
        for index, value in run["pcrs"][bank].items():
            if int(index) != IMA and int(value, 16) and int(index) < 17:
                assert found.registers[f"{bank}:{index}"].hex() == value


@pytest.mark.parametrize(("name", "acpi"), [("directboot", "directboot"), ("direct-smp4", "direct-smp4")])
def test_firmware_variables_and_tables_lead_to_the_registers_of_the_machine(
    name: str, acpi: str, vectors: Path
) -> None:
    folder = vectors / "measure"
    log, run = a_boot(vectors, name)
    blobs = [folder / "pcr" / "acpi" / acpi / f"etc_{blob}" for blob in ("table-loader", "acpi_rsdp", "acpi_tables")]
    loader, rsdp, tables = (blob.read_bytes() for blob in blobs)
    tpm_log = (folder / "pcr" / "acpi" / acpi / "etc_tpm_log").read_bytes()
    boot = PcrBoot(
        firmware=(folder / "firmware" / "OVMF_CODE_4M.fd").read_bytes(),
        variables=(folder / "firmware" / "OVMF.generic.fd").read_bytes(),
        program=minimal_stub(),  # the kernel of these boots is not kept, so PCRs 4 and 9 are not compared
        acpi=AcpiBlobs(loader=loader, rsdp=rsdp, tables=tables, tpm_log=tpm_log),
    )
    with_log = PcrBoot(**{field: getattr(boot, field) for field in PcrBoot.__annotations__} | {"log": log})
    found = predict(boot_events(with_log, LOGGED), banks=LOGGED)
    assert found.absent == ()
    for bank in LOGGED:
        for index in (0, 1, 2, 3, 5, 6, 7):
            assert found.registers[f"{bank}:{index}"].hex() == run["pcrs"][bank][str(index)], (bank, index)


def test_the_locality_of_the_start_counts_in_pcr_0_alone() -> None:
    events = section_events({".linux": b"k"}, algorithms=["sha256"])
    found = predict(events, banks=["sha256"], locality=3).registers
    assert found["sha256:0"] == bytes(31) + b"\3"
    assert found["sha256:11"] == predict(events, banks=["sha256"]).registers["sha256:11"]


def test_candidates_are_the_values_at_each_phase() -> None:
    events = section_events({".linux": b"k"}, algorithms=ALL_BANKS)
    found = predict(events, banks=ALL_BANKS, paths=USUAL_PATHS)
    assert len(found.candidates) == len(ALL_BANKS) * len(USUAL_PATHS)
    for one in found.candidates:
        bank = one.register.partition(":")[0]
        path = "" if one.name == "start" else one.name
        assert predict(events, banks=[bank], path=path).registers[one.register] == one.value


def test_leaving_boot_services_twice_is_a_candidate(vectors: Path) -> None:
    _, once = a_boot(vectors, "directboot")
    log, twice = a_boot(vectors, "uki-esp")  # whose disk has no partition table that counts
    firmware = (vectors / "measure" / "firmware" / "OVMF.generic.fd").read_bytes()
    boot = PcrBoot(firmware=firmware, program=minimal_stub(), log=log, partitions=b"")
    found = predict(boot_events(boot, ["sha256"]), banks=["sha256"])
    assert found.registers["sha256:5"].hex() == once["pcrs"]["sha256"]["5"]
    assert [(one.register, one.value.hex()) for one in found.candidates] == [("sha256:5", twice["pcrs"]["sha256"]["5"])]


def test_a_log_without_the_bank_that_is_asked_for_is_refused(vectors: Path) -> None:
    log, _ = a_boot(vectors, "directboot")
    assert BANKS["sha512"] not in dict(log.algorithms)
    with pytest.raises(FormatError, match="no digests for sha512"):
        replay(log, ["sha512"])


def test_a_disk_boot_says_what_is_not_modelled(vectors: Path) -> None:
    firmware = (vectors / "measure" / "firmware" / "OVMF.generic.fd").read_bytes()
    found = predict(
        boot_events(PcrBoot(firmware=firmware, program=minimal_stub(), route="disk"), ["sha256"]), banks=["sha256"]
    )
    assert set(dict(found.absent)) == {"sha256:1", "sha256:5"}


def test_without_a_log_the_smbios_tables_stay_open(vectors: Path) -> None:
    firmware = (vectors / "measure" / "firmware" / "OVMF.generic.fd").read_bytes()
    boot = PcrBoot(firmware=firmware, program=minimal_stub(), acpi=AcpiBlobs(loader=b"", rsdp=b"", tables=b""))
    found = predict(boot_events(boot, ["sha256"]), banks=["sha256"])
    assert [(name, "SMBIOS" in because) for name, because in found.absent] == [("sha256:1", True)]
    given = replace(boot, smbios=SmbiosTables.decode(SYSTEM + END))
    assert predict(boot_events(given, ["sha256"]), banks=["sha256"]).absent == ()


@pytest.mark.parametrize(
    ("stub", "given", "without"),
    [("252", [], []), ("257", [], []), ("258", ["not known"], ["not known"]), ("262", [""], ["they are not given"])],
)
def test_a_late_stub_measures_smbios_tables_too(vectors: Path, stub: str, given: list[str], without: list[str]) -> None:
    firmware = (vectors / "measure" / "firmware" / "OVMF.generic.fd").read_bytes()
    boot = PcrBoot(firmware=firmware, program=assemble(minimal_stub(version=stub), [(".linux", minimal_stub())]))
    for each, reasons in ((replace(boot, smbios=SmbiosTables.decode(SYSTEM + END)), given), (boot, without)):
        found = [event for event in boot_events(each, ["sha256"]) if (event.register, event.type) == (1, 6)]
        assert len(found) == len(reasons)
        assert all(reason in event.because for event, reason in zip(found, reasons, strict=True))
        for event in found:
            assert event.because or event.hashed == SYSTEM[:24] + b"\0" + SYSTEM[25:]


def test_an_image_takes_no_second_initrd(vectors: Path) -> None:
    firmware = (vectors / "measure" / "firmware" / "OVMF.generic.fd").read_bytes()
    image = assemble(minimal_stub(version="252"), [(".linux", minimal_stub())])
    with pytest.raises(UsageError, match="initrd inside"):
        boot_events(PcrBoot(firmware=firmware, program=image, initrd=b"x"), ["sha256"])
