"""The boot model against logs of real boots: fold what was logged, and predict what will be."""

import hashlib
import json
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ABSENT, vectors_folder
from tests.smbios_tables import of_guest, of_host
from warily.core.acpi_blobs import AcpiBlobs
from warily.core.registers import BANKS, RegisterBank
from warily.formats.smbios import SmbiosTables
from warily.formats.tcg_log import EventLog, EventType
from warily.formats.tdvf import SectionType, Tdvf
from warily.formats.uefi_varstore import VariableStore
from warily.measure.boot import (
    BootEvent,
    BootInputs,
    FirmwareFacts,
    events_of,
    examine,
    fold,
    hashed,
    is_of_td,
    known,
    pcr,
    predict_events,
    rtmr,
    unknown,
)
from warily.measure.firmware_pcr import firmware_events
from warily.verify.eventlog import replay

FOLDER = vectors_folder() / "measure"
BOOTS = sorted(path.name for path in (FOLDER / "pcr/boot").glob("*")) or [""]
TD_LOGS = ("go-eventlog/CCEL_unpadded.data.bin", "dstack/ccel.bin", "go-eventlog/event_log.bin")


def boot_log(name: str) -> EventLog:
    path = FOLDER / "pcr/boot" / name / "binary_bios_measurements"
    if not path.exists():
        pytest.skip(ABSENT)
    return EventLog.decode(path.read_bytes())


@pytest.mark.parametrize("name", BOOTS)
@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384"])
def test_the_fold_of_a_log_is_what_the_tpm_had(name: str, algorithm: str) -> None:
    folded = fold(events_of(boot_log(name)), algorithm)
    run = json.loads((FOLDER / "pcr/boot" / name / "run.json").read_text())
    size = hashlib.new(algorithm).digest_size
    unexplained = run["pcrs_not_explained_by_firmware_log"][algorithm]
    for index, value in run["pcrs"][algorithm].items():
        if int(index) not in unexplained:
            assert folded.registers.get(pcr(int(index)), bytes(size)).hex() == value, index
    assert folded.trace[-1].after == folded.registers[folded.trace[-1].register or ""].hex()


@cache
def firmware_shown() -> tuple[FirmwareFacts, tuple[BootEvent, ...], VariableStore]:
    """What the firmware of these boots shows, its events of PCR 0, its variables. Unpacking it takes a while."""
    firmware = (FOLDER / "firmware/OVMF.generic.fd").read_bytes()
    section = Tdvf.parse(firmware).only(SectionType.CFV)
    assert section is not None
    return examine(firmware), firmware_events(firmware), VariableStore.parse(firmware[: section.raw_size])


def inputs(name: str, events: tuple[BootEvent, ...]) -> BootInputs:
    """Everything that these boots depend on and that is kept here; kernel and initrd come from the log."""
    facts, volumes, variables = firmware_shown()
    acpi = FOLDER / "pcr/acpi" / name
    blobs = {
        key: (acpi / file).read_bytes()
        for key, file in {
            "loader": "etc_table-loader",
            "rsdp": "etc_acpi_rsdp",
            "tables": "etc_acpi_tables",
            "tpm_log": "etc_tpm_log",
        }.items()
        if acpi.exists()
    }
    image = next(event for event in events if event.type == EventType.EFI_BOOT_SERVICES_APPLICATION)
    initrd = [event for event in events if event.register == 9][-1]
    return BootInputs(
        facts=facts,
        firmware_events=volumes,
        variables=variables,
        acpi=AcpiBlobs(**blobs)
        if blobs
        else tuple(event for event in events if event.type == EventType.PLATFORM_CONFIG_FLAGS),
        smbios=SmbiosTables.decode(of_host(of_guest(FOLDER / "pcr/boot" / name))),
        image=image.digests,
        stub=tuple(event for event in events if event.register == 11 or (event.register, event.type) == (1, 6)),
        load_options=f"{'' if 'uki' in name else 'initrd=initrd '}console=ttyS0 warily.test=1\0".encode("utf-16-le"),
        initrd=initrd.digests,
        partitions=b"",
        boot_variables=tuple(event for event in events if event.type == EventType.EFI_VARIABLE_BOOT)
        if name == "uki-esp"
        else None,
        failed_exits=1 if name == "uki-esp" else 0,
    )


@pytest.mark.parametrize("name", BOOTS)
@pytest.mark.parametrize("algorithm", ["sha256", "sha384"])
def test_the_layout_predicts_every_register_of_a_real_boot(name: str, algorithm: str) -> None:
    events = events_of(boot_log(name))
    given = inputs(name, events)
    assert [layout.name for layout in given.facts.layouts] == ["ovmf-2025.08"]
    predicted = predict_events(
        given, given.facts.layouts[0], platform="tpm", route="disk" if name == "uki-esp" else "kernel"
    )
    digests = [event.digest(algorithm) for event in predicted]
    assert digests == [event.digest(algorithm) for event in events]
    assert fold(predicted, algorithm).registers == fold(events, algorithm).registers


@pytest.mark.parametrize("name", TD_LOGS)
def test_logs_of_tds_fold_as_the_verifier_replays_them(vectors: Path, name: str) -> None:
    log = EventLog.decode((vectors / "evidence/tdx_ccel" / name).read_bytes())
    assert is_of_td(log)
    values = {index: bytes(48) for index in (1, 2, 3)}
    bank = RegisterBank(
        algorithm=BANKS["sha384"],
        values=values,
        prefix="RTMR",
        first=1,
        required=frozenset(values),
        separated=False,
    )
    replayed = replay(log, bank).values
    folded = fold(events_of(log, measurement_registers=True), "sha384", place=rtmr)
    assert {f"rtmr{index - 1}": replayed[index] for index in (1, 2, 3)} == {
        name: folded.registers.get(name, bytes(48)) for name in ("rtmr0", "rtmr1", "rtmr2")
    }


def test_an_event_that_nobody_can_tell_leaves_its_register_open() -> None:
    events = (
        hashed(4, EventType.EFI_ACTION, "one", ingredient="", data=b"one"),
        unknown(4, EventType.EFI_ACTION, "two", ingredient="x", because="it is not given"),
        known(5, EventType.EFI_ACTION, "three", ingredient="", digests={"sha256": bytes(32)}),
        hashed(0, EventType.NO_ACTION, "told", ingredient="", data=b"told"),
    )
    folded = fold(events, "sha256")
    assert folded.registers == {"pcr5": hashlib.sha256(bytes(64)).digest()}
    assert folded.absent == {"pcr4": "two: it is not given"}
    assert [step.register for step in folded.trace] == ["pcr5"]
    assert fold(events, "sha384").absent == {"pcr4": "two: it is not given", "pcr5": "three: no sha384 digest is known"}


def test_a_register_may_begin_elsewhere() -> None:
    start = bytes(31) + b"\3"
    event = hashed(0, EventType.SEPARATOR, "separator", ingredient="", data=bytes(4))
    folded = fold((event,), "sha256", start={"pcr0": start})
    assert folded.registers["pcr0"] == hashlib.sha256(start + hashlib.sha256(bytes(4)).digest()).digest()


@pytest.mark.parametrize(
    ("index", "register"),
    [(0, None), (1, "rtmr0"), (2, "rtmr1"), (6, "rtmr1"), (7, "rtmr0"), (8, "rtmr2"), (15, "rtmr2"), (16, None)],
)
def test_which_rtmr_stands_for_a_pcr(index: int, register: str | None) -> None:
    assert rtmr(index) == register
