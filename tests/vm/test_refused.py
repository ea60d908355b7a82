"""What gets refused, each by a real boot: no key reaches a wrong machine, and nothing is written to a wrong disk."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.vm.scenes import ALL, Scenes, begun, flipped_block
from tests.vm.stage import Outcome, Stage, status
from warily.launch.runner import Ending

pytestmark = pytest.mark.vm

OFF = Ending(status=0, reason="guest-shutdown")


@pytest.fixture(scope="module")
def scenes(stage: Stage) -> Iterator[Scenes]:
    with begun(stage, ALL) as under_way:
        yield under_way


@pytest.mark.parametrize(
    ("scene", "check"),
    [
        ("changed_initrd", "snp.measurement"),
        ("changed_command_line", "snp.measurement"),
        ("changed_kernel", "snp.measurement"),
        ("debuggable", "snp.policy"),
    ],
)
def test_the_broker_refuses_a_launch_that_is_not_the_signed_one(
    stage: Stage, scenes: Scenes, scene: str, check: str
) -> None:
    outcome = scenes[scene]
    assert [row["event"] for row in outcome.decisions] == ["refuse"], outcome.tail
    assert outcome.decisions[0]["identity"] == stage.project.identity.hex()
    assert outcome.decisions[0]["detail"]["finding"]["check"] == check
    line = the_refusal(outcome)
    assert line.startswith("warily: refused: broker.rejected: ")
    assert check in line


def test_one_flipped_bit_in_the_root_stops_the_kernel(stage: Stage, scenes: Scenes) -> None:
    outcome = scenes["flipped_bit"]
    assert outcome.ending.reason == "guest-reset", outcome.tail
    assert f"data block {flipped_block(stage)} is corrupted" in outcome.tail
    assert "Kernel panic" in outcome.tail
    assert (outcome.decisions, outcome.written) == ([], False), "it came as far as the broker"


def test_a_truncated_root_is_refused_before_it_is_read(scenes: Scenes) -> None:
    outcome = scenes["truncated_root"]
    assert the_refusal(outcome).startswith("warily: refused: root.size: ")
    assert outcome.decisions == [], "it came as far as the broker"


@pytest.mark.parametrize(
    ("scene", "check"),
    [
        ("disk_of_another", "volume.descriptor"),
        ("garbage", "volume.descriptor"),
        ("blank_disk", "volume.blank"),
        ("impostor", "grant"),
    ],
)
def test_the_guest_refuses_a_wrong_disk_and_a_wrong_broker(scenes: Scenes, scene: str, check: str) -> None:
    outcome = scenes[scene]
    assert [row["event"] for row in outcome.decisions] == ["grant"], outcome.tail
    assert the_refusal(outcome).startswith(f"warily: refused: {check}: ")


def test_genuine_evidence_serves_once(scenes: Scenes) -> None:
    outcome = scenes["blank_disk"]
    first, second = outcome.answers
    assert (status(first), status(second)) == (200, 403)
    problem = json.loads(second.partition(b"\r\n\r\n")[2])
    failed = [finding for finding in problem["findings"] if finding["outcome"] == "fail"]
    assert [(finding["check"], finding["found"]) for finding in failed] == [("release.nonce", "one that was used")]
    assert [row["event"] for row in outcome.later] == ["refuse"]


def test_a_guest_without_a_broker_waits_with_growing_pauses_and_powers_off(scenes: Scenes) -> None:
    outcome = scenes["no_broker"]
    waiting = [line for line in outcome.boot.lines if "warily: waiting for the broker" in line]
    times = [float(found[1]) for line in waiting if (found := re.search(r"\[([0-9.]+) s\]", line))]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) >= 5, outcome.tail
    # Tenths of a second are what the guest prints.
    assert all(gap >= min(2**number, 16) - 0.2 for number, gap in enumerate(gaps)), gaps
    assert the_refusal(outcome).startswith("warily: refused: broker.unreachable: ")


def the_refusal(outcome: Outcome) -> str:
    """The one line in which the guest said why it stops, before it powered off with no byte of the disk written."""
    assert outcome.ending == OFF, outcome.tail
    assert not outcome.written, outcome.tail
    lines = [line for line in outcome.boot.lines if "warily: refused: " in line]
    assert len(lines) == 1, outcome.tail
    return lines[0][lines[0].index("warily: refused: ") :]
