"""Registers of measured boots: known ones, and those of which an event or two are others."""

import hashlib
from dataclasses import replace

import pytest

from tests.explain.known_builds import declared, firmware, manifest, payload
from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest
from warily.explain.boots import OtherFile
from warily.explain.builds import build_of
from warily.explain.explainer import Explainer
from warily.image import predict
from warily.measure import tdx
from warily.measure.td_boot import TdxLaunch

GIB = 1 << 30
LINE = "console=ttyS0 quiet loglevel=4"


def launch(*, initrd: str = "initrd_a.bin", line: str = LINE, memory: int = GIB) -> TdxLaunch:
    return TdxLaunch(
        firmware=firmware("OVMF.inteltdx.ms.fd"),
        memory=memory,
        vcpus=2,
        kernel=payload("kernel_a.bin"),
        initrd=payload(initrd),
        command_line=line.encode(),
    )


def td_manifest() -> Manifest:
    image = {Platform.TDX: firmware("OVMF.inteltdx.ms.fd")}
    inputs = replace(declared(), line=LINE)
    booted = predict.Booted(kernel=inputs.kernel, initrd=inputs.initrd, command_line=LINE.encode(), cpu="EPYC-v4")
    base = manifest(inputs)
    parts = (
        *(part for part in base.ingredients if not part.role.startswith("firmware")),
        Ingredient(role="firmware-tdx", name="ovmf.fd", size=1, sha256=hashlib.sha256(image[Platform.TDX]).digest()),
    )
    return replace(
        base,
        ingredients=parts,
        platforms=(Platform.TDX,),
        launches=(),
        registers=predict.registers(booted, image),
        events=predict.events(booted, image, memory=base.memory),
    )


@pytest.fixture(scope="module")
def explainer(vectors: object) -> Explainer:
    del vectors  # only so that the test is skipped without them
    other = payload("initrd_b.bin")
    digests = {name: hashlib.new(name, other).digest() for name in ("sha256", "sha384")}
    files = [OtherFile(ingredient="initrd", name="initrd_b.bin", digests=digests)]
    return Explainer([build_of(td_manifest(), where="m.json")], files=files)


def test_what_is_predicted_is_known(explainer: Explainer) -> None:
    found = tdx.predict(launch()).registers
    for register in ("mrtd", "rtmr2"):
        answer = explainer.explain(found[register], register=register)
        assert answer.known[0].fields["register"] == register, register
        assert answer.known[0].fields["manifest"] == "ledger"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"line": f"{LINE} nokaslr"}, [("command line", "", "nokaslr")]),
        ({"line": "console=ttyS0 loglevel=4"}, [("command line", "quiet", "")]),
        ({"line": "console=ttyS0 quiet loglevel=7"}, [("command line", "loglevel=4", "loglevel=7")]),
        ({"line": "console=ttyS0 loglevel=4 single"}, [("command line", "quiet", ""), ("command line", "", "single")]),
    ],
)
def test_the_words_that_differ_are_named(
    explainer: Explainer, changes: dict[str, str], named: list[tuple[str, str, str]]
) -> None:
    value = tdx.predict(launch(line=changes["line"])).registers["rtmr2"]
    answer = explainer.explain(value, register="rtmr2")
    assert not answer.known
    assert [(entry.name, entry.was, entry.now) for entry in answer.nearest[0].inputs] == named


def test_a_file_that_was_exchanged_is_named_with_the_word_that_was_added(explainer: Explainer) -> None:
    value = tdx.predict(launch(initrd="initrd_b.bin", line=f"{LINE} debug")).registers["rtmr2"]
    answer = explainer.explain(value)
    assert {entry.name for entry in answer.nearest[0].inputs} == {"command line", "initrd"}
    assert any("initrd_b.bin" in entry.now for entry in answer.nearest[0].inputs)


def test_another_size_of_memory_is_known(explainer: Explainer) -> None:
    """The ACPI tables are open here, so the event is looked for, not RTMR0."""
    boot = explainer.boots[0]
    at, other, change = next(entry for entry in boot.vary if entry[2].now == "4 GiB")
    assert boot.events[at].name == other.name
    assert (change.name, change.was) == ("memory", "1 GiB")
    assert change.now == "4 GiB"
    logged = next(step for step in _td_hob_steps(4 * GIB))
    assert other.digest("sha384") == logged


def _td_hob_steps(memory: int) -> list[bytes]:
    """The digest of the hand-off block list, from the firmware itself."""
    from warily.formats.tdvf import Tdvf
    from warily.measure.td_memory import qemu_td_hob

    image = firmware("OVMF.inteltdx.ms.fd")
    return [hashlib.sha384(qemu_td_hob(Tdvf.parse(image), memory).measured).digest()]


def test_of_a_register_that_nothing_explains_is_said_what_was_not_excluded(explainer: Explainer) -> None:
    answer = explainer.explain(bytes(range(48)), register="rtmr2")
    assert not answer.known
    (near,) = answer.nearest
    assert not near.certain
    assert near.because.startswith("not proven")
    assert {entry.name for entry in near.inputs} == {"command line", "initrd"}


def test_an_unknown_mrtd_is_another_firmware(explainer: Explainer) -> None:
    (near,) = explainer.explain(bytes(range(48)), register="mrtd").nearest
    assert not near.certain
    assert [entry.name for entry in near.inputs] == ["firmware"]
