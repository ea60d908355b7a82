"""The table of attacks, the catalogue, verdicts and exit statuses: without a machine."""

import json
import socket
from pathlib import Path

import pytest

from warily.adversary.attack import (
    EVIDENCE_LIMIT,
    Attack,
    Outcome,
    Seen,
    Together,
    Verdict,
    refused,
    succeeded,
    undecided,
)
from warily.adversary.attacks import TABLE
from warily.adversary.boot_files import other_version, with_more
from warily.adversary.catalogue import catalogue
from warily.adversary.terminal import Terminal
from warily.cli.attack import choose, status
from warily.cli.main import run_command_line
from warily.errors import UsageError

COMPONENTS = {"memory", "firmware", "storage", "network", "devices", "attestation", "runtime"}


def outcome(control: Seen | None, image: Seen) -> Outcome:
    return Outcome(attack=TABLE[0], control=control, image=image, seconds=1.25)


def test_every_attack_has_its_place() -> None:
    ids = [attack.id for attack in TABLE]
    assert len(set(ids)) == len(ids)
    known = {row.id for row in catalogue()}
    for attack in TABLE:
        assert attack.component in COMPONENTS, attack.id
        assert attack.catalogue, attack.id
        assert set(attack.catalogue) <= known, attack.id
        assert not attack.title.endswith("."), attack.id


def test_every_row_of_the_catalogue_is_mounted_or_says_why_not() -> None:
    mounted = {name for attack in TABLE for name in attack.catalogue}
    assert {row.id for row in catalogue() if not row.why_not} == mounted
    assert {row.component for row in catalogue()} <= COMPONENTS


def test_the_attack_that_ends_a_machine_is_the_last_of_those_that_share_it() -> None:
    shared = [attack.id for attack in TABLE if isinstance(attack.how, Together)]
    assert shared[-1] == "processor.interrupt"


def test_the_arguments_of_one_boot_do_not_collide(tmp_path: Path) -> None:
    words: list[str] = []
    for attack in TABLE:
        if isinstance(attack.how, Together):
            words += attack.how.arguments(tmp_path)
    devices = [word for word in words if ",addr=0x" in word and "loader" not in word]
    slots = [word.partition("addr=")[2].partition(",")[0] for word in devices]
    assert len(set(slots)) == len(slots)
    assert not any("\0" in word for word in words)


@pytest.mark.parametrize(
    ("control", "image", "expected"),
    [
        (succeeded("a"), refused("b"), 0),
        (None, refused("b"), 0),
        (refused("a"), refused("b"), 4),
        (succeeded("a"), undecided("b"), 4),
        (succeeded("a"), succeeded("b"), 10),
        (None, succeeded("b"), 10),
    ],
)
def test_one_success_is_a_rejection_and_an_unproven_refusal_is_undecided(
    control: Seen | None, image: Seen, expected: int
) -> None:
    assert status([outcome(succeeded("a"), refused("b")), outcome(control, image)]) == expected


def test_a_row_of_json_has_what_is_promised() -> None:
    row = outcome(succeeded("it\x1b[2J\nran"), refused("x" * 1000)).as_json()
    assert {"id", "control", "verdict", "evidence"} <= set(row)
    assert (row["control"], row["verdict"]) == ("succeeded", "refused")
    assert row["control_evidence"] == "it [2J ran"
    assert len(str(row["evidence"])) == EVIDENCE_LIMIT
    assert outcome(None, Seen(Verdict.DETECTED, "")).as_json()["control"] is None


def test_attacks_are_chosen_by_pattern() -> None:
    chosen: list[Attack] = choose(TABLE, ["acpi.ssdt", "boot.*"])
    assert [attack.id for attack in chosen] == ["acpi.ssdt", "boot.kernel", "boot.initrd", "boot.command-line"]
    assert choose(TABLE, []) == list(TABLE)
    with pytest.raises(UsageError, match="no attack 'acpi'"):
        choose(TABLE, ["acpi"])


def test_the_list_names_what_cannot_be_mounted_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["attack", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["id"] for row in found["attacks"]} == {attack.id for attack in TABLE}
    assert all(row["why"] for row in found["cannot_be_mounted"])
    assert run_command_line(["attack", "--list"]) == 0
    told = capsys.readouterr().out
    assert "acpi.ssdt" in told
    assert "TEE.fail" in told


def test_an_unknown_attack_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["attack", "--only", "nothing"]) == 2
    assert "warily attack --list" in capsys.readouterr().err


def test_the_host_reads_types_and_breaks(tmp_path: Path) -> None:
    with Terminal(tmp_path / "console") as terminal:
        assert terminal.wait_for("x", 0.0) is None
        with socket.socket(socket.AF_UNIX) as guest:
            guest.connect(str(terminal.path))
            guest.sendall(b"\x1b[1mlogin:\x1b[0m \r\nuid=0(root)\r\n")
            assert terminal.wait_for("uid=", 10.0) == "uid=0(root)"
            assert terminal.find("login: $") == "login: "
            assert terminal.find("login", since=terminal.size) is None
            terminal.type("id\n")
            terminal.send_break()
            assert guest.recv(5, socket.MSG_WAITALL) == b"id\n\x01b"
        assert terminal.wait_for("never", 30.0, alive=lambda: False) is None


def test_a_changed_kernel_differs_in_one_bit_and_an_initrd_only_grows() -> None:
    kernel = bytearray(0x4000)
    kernel[0x20E:0x210] = (0x1000).to_bytes(2, "little")
    changed = other_version(bytes(kernel))
    assert [at for at in range(len(kernel)) if kernel[at] != changed[at]] == [0x1200]
    more = with_more(b"\x28\xb5\x2f\xfd", "conf/conf.d/host", "true\n")
    assert more.startswith(b"\x28\xb5\x2f\xfd")
    assert more[512:518] == b"070701"
    assert b"conf/conf.d/host\0" in more
