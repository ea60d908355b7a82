"""What a prediction depends on, what it refuses, and what its trace says."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ovmf_images import RESET_BLOCK, entry, image, usual
from warily.errors import FormatError, UsageError
from warily.measure.cpu import signature
from warily.measure.snp import SnpLaunch, Vmm, ingredients, pages, predict, predict_counts, replay

SECTIONS = [(0x800000, 0x3000, 1), (0x80D000, 0x1000, 2), (0x80E000, 0x1000, 3), (0x810000, 0x1000, 0x10)]
LAUNCH = SnpLaunch(
    firmware=usual(SECTIONS),
    vcpus=2,
    cpu="EPYC-v4",
    features=1,
    vmm=Vmm.QEMU,
    kernel=b"kernel",
    initrd=b"initrd",
    command_line=b"quiet",
)


def value(launch: SnpLaunch) -> bytes:
    return predict(launch).registers["launch_digest"]


@given(st.sampled_from(["firmware", "kernel", "initrd", "command_line"]), st.data())
def test_one_changed_byte_changes_the_digest(part: str, data: st.DataObject) -> None:
    old: bytes = getattr(LAUNCH, part)
    at = data.draw(st.integers(0, len(old) - 1))
    new = old[:at] + bytes([old[at] ^ data.draw(st.integers(1, 255))]) + old[at + 1 :]
    try:
        found = value(replace(LAUNCH, **{part: new}))  # type: ignore[arg-type]  # each of these parts is bytes
    except (FormatError, UsageError):
        return
    assert found != value(LAUNCH)


@pytest.mark.parametrize(
    "change",
    [
        {"vcpus": 3},
        {"cpu": "EPYC-Milan"},
        {"features": 0x21},
        {"vmm": Vmm.EC2},
        {"vmm": Vmm.GCE},
        {"initrd": b""},
        {"command_line": b"quiet "},
        {"command_line": None},
        {"kernel": None, "initrd": None, "command_line": None},
    ],
    ids=str,
)
def test_every_other_input_counts(change: dict[str, object]) -> None:
    assert value(replace(LAUNCH, **change)) != value(LAUNCH)  # type: ignore[arg-type]  # one field of its own type


def test_nothing_given_counts_as_empty() -> None:
    assert value(replace(LAUNCH, initrd=None)) == value(replace(LAUNCH, initrd=b""))
    assert value(replace(LAUNCH, command_line=None)) == value(replace(LAUNCH, command_line=b""))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: replace(LAUNCH, features=0x20), "SNPActive"),
        (lambda: replace(LAUNCH, features=1 << 64 | 1), "64 bits"),
        (lambda: replace(LAUNCH, features=-1), "64 bits"),
        (lambda: replace(LAUNCH, vcpus=0), "0 vCPUs"),
        (lambda: replace(LAUNCH, vcpus=4097), "4097 vCPUs"),
        (lambda: replace(LAUNCH, kernel=None), "needs a kernel"),
        (lambda: replace(LAUNCH, kernel=None, initrd=None), "needs a kernel"),
        (lambda: replace(LAUNCH, command_line=b"a\0b"), "NUL"),
        (lambda: replace(LAUNCH, command_line=b"a" * 65537), "over the limit"),
        (lambda: replace(LAUNCH, firmware=usual(SECTIONS[:3])), "does not measure a kernel"),
        (lambda: replace(LAUNCH, firmware=usual(SECTIONS, table=0)), "does not measure a kernel"),
        (lambda: replace(LAUNCH, firmware=usual(SECTIONS, eip=0)), "no second processor"),
        (lambda: replace(LAUNCH, cpu=""), "unknown CPU model"),
    ],
)
def test_refused(change: Callable[[], SnpLaunch], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        predict(change())


def test_a_hashes_table_that_leaves_its_page_is_refused() -> None:
    with pytest.raises(FormatError, match="within a page"):
        predict(replace(LAUNCH, firmware=usual(SECTIONS, table=0x810FFF)))


def test_one_processor_needs_no_reset_block() -> None:
    alone = replace(LAUNCH, firmware=image(entry(RESET_BLOCK, bytes(4))), kernel=None, initrd=None, command_line=None)
    assert len(value(replace(alone, vcpus=1))) == 48


def test_counts_agree_with_single_predictions() -> None:
    counts = predict_counts(LAUNCH, [5, 1, 2, 2])
    assert list(counts) == [1, 2, 5]
    assert counts == {count: value(replace(LAUNCH, vcpus=count)) for count in (1, 2, 5)}
    assert predict_counts(LAUNCH, []) == {}
    with pytest.raises(UsageError, match="5000 vCPUs"):
        predict_counts(LAUNCH, [1, 5000])


def test_the_trace_names_every_input_and_ends_at_the_register() -> None:
    prediction = predict(LAUNCH)
    assert [
        (step.step, step.input) for step in prediction.trace if step.step not in ("sec-mem", "secrets", "cpuid")
    ] == [
        ("firmware", "firmware"),
        ("hash", "kernel"),
        ("hash", "initrd"),
        ("hash", "command line"),
        ("kernel-hashes", "kernel, initrd, command line"),
        ("vmsa", "vCPU 0"),
        ("vmsa", "vCPU 1"),
    ]
    assert prediction.trace[-1].after == prediction.registers["launch_digest"].hex()


def test_two_traces_part_at_the_changed_input() -> None:
    other = predict(replace(LAUNCH, initrd=b"other")).trace
    parted = next(a for a, b in zip(predict(LAUNCH).trace, other, strict=True) if a != b)
    assert (parted.step, parted.input) == ("hash", "initrd")


def test_the_trace_by_pages_ends_alike_and_names_the_changed_page() -> None:
    fine = list(pages(LAUNCH))
    assert fine[-1] == predict(LAUNCH).trace[-1]
    assert [step.at for step in fine if step.step == "firmware"] == [0xFFFFE000, 0xFFFFF000]
    changed = replace(LAUNCH, firmware=LAUNCH.firmware[:4097] + b"!" + LAUNCH.firmware[4098:])
    parted = next(a for a, b in zip(fine, pages(changed), strict=True) if a != b)
    assert parted.input == "firmware+0x1000"


def test_ingredients_are_enough_for_any_count() -> None:
    found = ingredients(LAUNCH)
    assert replay(found, 7).registers["launch_digest"] == value(replace(LAUNCH, vcpus=7))


def test_ec2_measures_the_cpuid_page_last() -> None:
    trace = predict(replace(LAUNCH, vmm=Vmm.EC2)).trace
    assert [step.step for step in trace][-3:] == ["cpuid", "vmsa", "vmsa"]


@pytest.mark.parametrize(
    ("cpu", "eax"),
    [
        ("EPYC-v4", 0x800F12),
        ("EPYC-Genoa-v3", 0xA10F10),
        ("800f12", 0x800F12),
        ("0xA00F11", 0xA00F11),
        ("25/17/1", 0xA10F11),
        ("23/1/2", 0x800F12),
        ("14/1/2", 0xE12),
    ],
)
def test_cpu_models(cpu: str, eax: int) -> None:
    assert signature(cpu) == eax


@pytest.mark.parametrize(
    ("cpu", "says"),
    [("EPYC-Milano", "EPYC-Milan"), ("epyc-v4", "EPYC-v4"), ("0x", ""), ("123456789", ""), ("1/2", ""), ("²/1/1", "")],
)
def test_an_unknown_model_is_an_error_with_the_nearest(cpu: str, says: str) -> None:
    with pytest.raises(UsageError, match="unknown CPU model") as caught:
        signature(cpu)
    assert caught.value.hint is not None
    assert says in caught.value.hint


@pytest.mark.parametrize("cpu", ["271/1/1", "25/256/1", "25/1/16"])
def test_parts_out_of_range_are_refused(cpu: str) -> None:
    with pytest.raises(UsageError, match="at most"):
        signature(cpu)
