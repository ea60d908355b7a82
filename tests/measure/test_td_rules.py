"""What a manifest says of a TD leads to what a prediction from the files does, for every shape."""

from dataclasses import replace

import pytest

from tests.core.test_manifest import MANIFEST
from tests.formats.test_linux_kernel import kernel
from tests.measure.test_tdx import ACPI, BUILT, KERNEL, image, launch, pe
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.core.shape_rules import TdMemory, holds
from warily.errors import FormatError, UsageError
from warily.formats.tcg_log import EventType
from warily.formats.tdvf import Tdvf
from warily.image.predict import Booted, events, registers, with_declared
from warily.measure.boot import hashed
from warily.measure.shapes import Shape, recompute
from warily.measure.td_memory import memory_of
from warily.measure.tdx import predict

GIB = 1 << 30
TABLES = tuple(
    replace(hashed(1, EventType.PLATFORM_CONFIG_FLAGS, name, ingredient="acpi", data=data), data=b"ACPI DATA")
    for name, data in (("loader", ACPI.loader), ("rsdp", ACPI.rsdp), ("tables", ACPI.tables))
)


def manifest(built: bytes = BUILT, *, program: bytes = KERNEL, memory: int = 2 * GIB) -> Manifest:
    """The manifest that a build of these parts writes, read again."""
    booted = Booted(kernel=program, initrd=b"initrd", command_line=b"quiet", cpu="EPYC-v4")
    made = replace(
        MANIFEST,
        platforms=(Platform.TDX,),
        memory=memory,
        registers=registers(booted, {Platform.TDX: built}),
        events=events(booted, {Platform.TDX: built}, memory=memory),
    )
    return Manifest.decode(with_declared(made).encode())


MADE = manifest()


@pytest.mark.parametrize("qemu", [None, (8, 2), (9, 2), (10, 1), (10, 2), (11, 0)])
@pytest.mark.parametrize("memory", [GIB // 2, GIB, 2 * GIB, 0xB0000000, 3 * GIB, 64 * GIB])
def test_every_shape_equals_a_prediction_from_the_files(memory: int, qemu: tuple[int, int] | None) -> None:
    shape = Shape(vcpus=3, cpu="", memory=memory, qemu=qemu)
    found = recompute(MADE, Platform.TDX, shape, supplied={"acpi": TABLES}).registers
    whole = predict(launch(memory=memory, vcpus=3, qemu=qemu)).registers
    assert found == {name: value for name, value in whole.items() if name != "rtmr3"}


def test_sizes_that_are_not_listed_are_absent_rather_than_wrong() -> None:
    for memory in (GIB // 2 - 4096, GIB + 4096, 0xB0000000 - 4096):
        found = recompute(MADE, Platform.TDX, Shape(vcpus=1, cpu="", memory=memory, qemu=(10, 1)))
        assert "rtmr1" not in found.registers
        assert "not in the manifest" in dict(found.absent)["rtmr1"]
    odd = manifest(memory=GIB + (1 << 20))
    found = recompute(odd, Platform.TDX, Shape(vcpus=1, cpu="", memory=odd.memory, qemu=(10, 1)))
    assert found.registers["rtmr1"] == predict(launch(memory=odd.memory, qemu=(10, 1))).registers["rtmr1"]


def test_candidates_are_those_of_a_prediction() -> None:
    found = recompute(MADE, Platform.TDX, Shape(vcpus=1, cpu="", memory=2 * GIB))
    whole = predict(launch(qemu=None))
    for register in ("mrtd", "rtmr1"):
        ours = {one.value for one in found.candidates if one.register == register}
        theirs = {one.value for one in whole.candidates if one.register == register and "gce" not in one.name}
        assert theirs <= ours
    assert all(one.because for one in found.candidates)
    again = recompute(MADE, Platform.TDX, Shape(vcpus=1, cpu="", memory=2 * GIB, host="second-exit"))
    named = next(one for one in found.candidates if one.name == "second-exit")
    assert again.registers["rtmr1"] == named.value


def test_the_declared_shape_is_written_down() -> None:
    found = recompute(MADE, Platform.TDX, Shape(vcpus=MADE.cpus, cpu=MADE.cpu, memory=MADE.memory))
    for register in ("mrtd", "rtmr1", "rtmr2"):
        assert found.registers[register] in MADE.values(Platform.TDX, register)
    assert not MADE.values(Platform.TDX, "rtmr0")
    assert dict(found.absent) == {"rtmr0": "ACPI tables: QEMU's ACPI tables for this machine are not given"}


def test_nothing_in_a_manifest_depends_on_the_building_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is asked: QEMU of the building host is none of the ingredients."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert manifest() == MADE


def test_a_kernel_that_measures_nothing_leaves_zeros() -> None:
    old = manifest(program=pe(kernel(version=b"6.8.12\0")))
    assert recompute(old, Platform.TDX, Shape(vcpus=1, cpu="", memory=GIB)).registers["rtmr2"] == bytes(48)


def test_firmware_that_shows_no_events_leaves_all_open() -> None:
    made = manifest(image(b""))
    found = recompute(made, Platform.TDX, Shape(vcpus=1, cpu="", memory=GIB))
    assert set(found.registers) == {"mrtd"}
    assert set(dict(found.absent)) == {"rtmr0", "rtmr1", "rtmr2"}


def test_a_host_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="knows no host 'later'") as caught:
        recompute(MADE, Platform.TDX, Shape(vcpus=1, cpu="", memory=GIB, host="later"))
    assert caught.value.hint == "it knows second-exit, two-pass"


def test_conditions() -> None:
    shape = Shape(vcpus=2, cpu="EPYC", memory=GIB, qemu=(10, 1)).known()
    assert holds({}, shape)
    assert holds({"qemu": "..10.2", "memory": str(GIB), "vcpus": "2..3", "cpu": "EPYC", "host": ""}, shape)
    assert holds({"qemu": "10.1..10.1.5"}, shape)
    assert not holds({"qemu": "10.2.."}, shape)
    assert not holds({"memory": f"..{GIB}"}, shape)
    assert not holds({"qemu": "..10.2"}, {})
    assert holds({"qemu": "10.2.."}, Shape(vcpus=1, cpu="", memory=1).known())
    with pytest.raises(UsageError, match="for 'moon'"):
        holds({"moon": "full"}, shape)
    with pytest.raises(UsageError, match="numbers with dots"):
        holds({"qemu": "..ten"}, shape)


@pytest.mark.parametrize(
    "change",
    [
        {"gpa": -1},
        {"gpa": 1 << 60},
        {"accepted": [{"start": 8, "end": 8}]},
        {"accepted": [{"start": 1, "end": 2}] * 65},
        {"accepted": [{"start": 1, "end": 2, "more": 3}]},
        {"more": 1},
    ],
)
def test_a_broken_td_hob_is_refused(change: dict[str, object]) -> None:
    import json

    text = json.loads(MADE.encode())
    rule = next(rule for rule in text["events"] if "td_hob" in rule)
    rule["td_hob"] |= change
    with pytest.raises(FormatError):
        Manifest.decode(json.dumps(text).encode())


def test_ranges_in_any_order_end_in_a_value_or_a_refusal() -> None:
    """A manifest from outside: whatever ranges it names, nothing breaks."""
    rule = next(rule for rule in MADE.events if rule.td_hob)
    assert rule.td_hob == memory_of(Tdvf.parse(BUILT))
    turned = TdMemory(hob=rule.td_hob.hob, accepted=rule.td_hob.accepted[::-1])
    events = tuple(replace(one, td_hob=turned) if one.td_hob else one for one in MADE.events)
    found = recompute(replace(MADE, events=events), Platform.TDX, Shape(vcpus=1, cpu="", memory=GIB))
    assert "rtmr1" in found.registers
    with pytest.raises(UsageError, match="which the firmware needs"):
        recompute(MADE, Platform.TDX, Shape(vcpus=1, cpu="", memory=1 << 20))
