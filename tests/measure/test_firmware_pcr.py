"""PCR 0: versions and volumes of genuine firmware, against another implementation and against real boots."""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.uki_images import minimal_stub
from warily.errors import FormatError, UsageError
from warily.formats.firmware_volume import parse_volumes
from warily.formats.uefi_varstore import Variable, VariableStore
from warily.measure import firmware_pcr
from warily.measure.boot import BootEvent, fold
from warily.measure.boot.steps import separator
from warily.measure.firmware_pcr import MEMORY_TYPES, MEMORY_TYPES_VENDOR, firmware_events
from warily.measure.pcr import predict
from warily.measure.pei_timer import PEI_CORE, timer_port_at
from warily.measure.platform_info import MAX_MEMORY, MAX_VCPUS, MachineShape, PlatformInfo


def test_every_row_of_virt_fw_measure(vectors: Path) -> None:
    with (vectors / "measure" / "pcr" / "pcr0_virt_fw_measure_26.10.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 9
    events = {}
    for name in {row["firmware"] for row in rows}:
        events[name] = firmware_events((vectors / "measure" / "firmware" / name).read_bytes())
    for row in rows:
        assert f"{row['version_string']!r}" in events[row["firmware"]][0].name  # nobody had to tell the version
        found = fold([*_as_it_lies(events[row["firmware"]]), separator(0)], row["bank"])
        assert found.registers["pcr0"].hex() == row["pcr0"]


def _as_it_lies(events: tuple[BootEvent, ...]) -> Iterator[BootEvent]:
    """That tool takes the volumes as the image has them, whatever is written there before they are measured."""
    for event in events:
        others = [other.hashed for other in event.alternatives if other.name == "unwritten"]
        yield replace(event, hashed=others[0]) if others else event


def test_the_port_of_the_timer_is_written_into_the_volume(vectors: Path) -> None:
    """Seen at the TPM of a q35 machine that started this firmware under QEMU 7.2."""
    events = firmware_events((vectors / "measure" / "firmware" / "OVMF.amdsev.fd").read_bytes())
    found = fold([*events, separator(0)], "sha256").registers["pcr0"].hex()
    assert found == "eae4703d09a7cd0e0f93b2010e3a540fb146af2e9bedcc9f1fa0eb492e706936"
    prediction = predict([*events, separator(0)], banks=["sha256"])
    assert prediction.registers["sha256:0"].hex() == found
    assert [(each.name, each.register) for each in prediction.candidates] == [
        ("pc", "sha256:0"),
        ("unwritten", "sha256:0"),
    ]
    assert len({found, *(each.value.hex() for each in prediction.candidates)}) == 3
    plain = firmware_events((vectors / "measure" / "firmware" / "OVMF.generic.fd").read_bytes())
    assert not any(event.alternatives for event in plain)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\x83\xc3\x08\x89\x1d", b"\x83\xc3\x09\x89\x1d"),  # adds something else
        (b"\x83\xc3\x08\x89\x1d", b"\x83\xc3\x08\x8b\x1d"),  # reads
        (b".data\0\0\0", b"MZ\0\0\0\0\0\0"),
        (b"\x40\0\0\xc0", b"\x40\0\0\x40"),  # cannot be written
    ],
)
def test_where_the_port_is_kept_is_not_guessed(vectors: Path, before: bytes, after: bytes) -> None:
    image = parse_volumes((vectors / "measure" / "firmware" / "OVMF.amdsev.fd").read_bytes())
    volume = next(each for each in image.volumes if PEI_CORE in each.files)
    at = timer_port_at(volume)
    assert at is not None
    data = bytes(volume.data)
    changed = data.replace(before, after)
    assert changed != data
    found = timer_port_at(replace(volume, data=memoryview(changed)))
    assert found == (at if after.startswith(b"MZ") else None)  # names of sections decide nothing


def test_firmware_that_runs_smm_writes_what_is_not_modelled(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = (vectors / "measure" / "firmware" / "OVMF.generic.fd").read_bytes()
    monkeypatch.setattr(firmware_pcr, "SMM_DRIVER", PEI_CORE)  # no vector runs SMM; every image has this file
    event = firmware_events(image)[1]
    assert event.hashed is None
    assert "SMM" in event.because


def test_another_version_can_be_named(vectors: Path) -> None:
    firmware = (vectors / "measure" / "firmware" / "OVMF.amdsev.fd").read_bytes()
    assert firmware_events(firmware, version="other")[0].hashed == "other\0".encode("utf-16-le")


def test_firmware_without_a_tpm_driver_extends_nothing(vectors: Path) -> None:
    with pytest.raises(UsageError, match="measures nothing"):
        firmware_events((vectors / "measure" / "firmware" / "OVMF.inteltdx.ms.fd").read_bytes())


def test_firmware_of_2022_writes_the_machine_into_what_it_measures(vectors: Path) -> None:
    firmware = (vectors / "measure" / "firmware" / "OVMF.bookworm.fd").read_bytes()

    event = firmware_events(firmware, writes=True)[1]
    assert event.digest("sha256") is None
    assert "not given" in event.because
    event = firmware_events(firmware, shape=MachineShape(memory=1 << 30, vcpus=2), writes=True)[1]
    assert event.hashed is not None
    # Seen in the memory of such a machine, and at its TPM.
    seen = "ebe33dae7d1eef6031caaabf578acf24c47ab444abb52d04f900a353b7b5eabe"
    assert hashlib.sha256(event.hashed).hexdigest() == seen


def test_memory_that_earlier_boots_used_is_not_modelled(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen in the memory of a machine with OVMF_CODE_4M.secboot.fd and OVMF_VARS_4M.snakeoil.fd of Debian 12."""
    firmware = (vectors / "measure" / "firmware" / "OVMF.bookworm.fd").read_bytes()
    shape = MachineShape(memory=1 << 30, vcpus=2)
    used = Variable(vendor=MEMORY_TYPES_VENDOR, name=MEMORY_TYPES, attributes=7, value=bytes(48))
    usual = firmware_events(firmware, shape=shape, writes=True, variables=VariableStore(variables=(used,)))[1]
    assert usual.hashed is not None  # without SMM nobody reads it
    smm = PlatformInfo(name="x", volume=b"", at=0xE0D8, smm=True)
    monkeypatch.setattr(firmware_pcr, "platform_info_of", lambda _: smm)
    for variables, known in (((used,), False), ((), True)):
        store = VariableStore(variables=variables)
        event = firmware_events(firmware, shape=shape, writes=True, variables=store)[1]
        assert (event.hashed is not None) is known
        assert known or "earlier boots used" in event.because


def test_shapes_beyond_the_model_are_refused() -> None:
    info = PlatformInfo(name="", volume=b"", at=0, smm=False)
    volume = bytes(200)
    assert info.written(volume, MachineShape(memory=1 << 30, vcpus=2)) != info.written(
        volume, MachineShape(memory=1 << 30, vcpus=3)
    )
    for memory, vcpus, bits in ((MAX_MEMORY + 1, 1, 40), (1 << 30, MAX_VCPUS + 1, 40), (1 << 30, 1, 48), (0, 1, 40)):
        with pytest.raises(UsageError):
            info.written(volume, MachineShape(memory=memory, vcpus=vcpus, physical_bits=bits))


def test_what_is_no_firmware_is_refused() -> None:
    with pytest.raises(FormatError):
        firmware_events(minimal_stub())
