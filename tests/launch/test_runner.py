"""Machines that start, speak and end, each for real in QEMU."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.launch.conftest import HALT, RESET, SEABIOS, says
from warily.core.manifest import PortSpec
from warily.errors import HostError
from warily.launch.console import LINE_LIMIT, cleaned
from warily.launch.plan import Plan
from warily.launch.rehearsal_keys import Hierarchy
from warily.launch.rehearsal_sp import Processor
from warily.launch.runner import Machine, choose_ports

Bare = Callable[[bytes], Plan]


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_what_a_machine_says_is_kept(bare: Bare, tmp_path: Path) -> None:
    heard: list[str] = []
    log = tmp_path / "console.log"
    with Machine(bare(says(b"one\ntwo\x1b[2J\n", then=RESET)), log=log, on_line=heard.append) as machine:
        ending = machine.wait(20)
    assert ending is not None
    assert (ending.status, ending.reason) == (0, "guest-reset")
    assert heard == ["one", "two"]
    assert log.read_bytes() == b"one\ntwo\x1b[2J\n"
    assert machine.tail() == "\n".join(heard)


def test_a_killed_machine_is_gone_at_once(bare: Bare, tmp_path: Path) -> None:
    with Machine(bare(HALT), log=tmp_path / "log") as machine:
        assert machine.running
        assert machine.wait(0.01) is None
        assert machine.kill().status == -signal.SIGKILL
        assert not machine.running


def test_a_terminated_machine_ends_in_order(bare: Bare, tmp_path: Path) -> None:
    with Machine(bare(HALT), log=tmp_path / "log") as machine:
        ending = machine.terminate()
    assert (ending.status, ending.reason) == (0, "host-signal")


def test_an_orderly_restart_is_an_orderly_end(bare: Bare, tmp_path: Path) -> None:
    said = b"[   33.244691] reboot: Restarting system\n"
    with Machine(bare(says(said, then=RESET)), log=tmp_path / "log") as machine:
        ending = machine.wait(20)
    assert ending is not None
    assert (ending.status, ending.reason) == (0, "guest-shutdown")


def test_leaving_the_block_ends_the_machine(bare: Bare, tmp_path: Path) -> None:
    def leave(plan: Plan, pids: list[int]) -> None:
        with Machine(plan, log=tmp_path / "log") as machine:
            pids.append(machine.pid)
            raise KeyboardInterrupt

    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        leave(bare(HALT), pids)
    assert not Path(f"/proc/{pids[0]}").exists()


def test_qemus_complaint_is_passed_on(bare: Bare, tmp_path: Path) -> None:
    plan = bare(HALT)
    with (
        pytest.raises(HostError, match="ended with status 1") as refused,
        Machine(replace(plan, argv=(*plan.argv, "-device", "no-such-device")), log=tmp_path / "log"),
    ):
        pytest.fail("it started")
    assert "no-such-device" in (refused.value.hint or "")


def test_the_environment_stays_here(bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARILY_PASSPHRASE", "hunter2")
    with Machine(bare(HALT), log=tmp_path / "log") as machine:
        assert b"hunter2" not in Path(f"/proc/{machine.pid}/environ").read_bytes()
        assert b"PATH=" in Path(f"/proc/{machine.pid}/environ").read_bytes()


PARENT = """
import pickle, sys, time
from pathlib import Path
from warily.launch.runner import Machine
with Machine(pickle.loads(bytes.fromhex(sys.argv[1])), log=Path(sys.argv[2])) as machine:
    print(machine.pid, flush=True)
    time.sleep(60)
"""


def test_qemu_does_not_outlive_its_parent(bare: Bare, tmp_path: Path) -> None:
    import pickle

    plan = pickle.dumps(bare(HALT)).hex()
    words = [sys.executable, "-c", PARENT, plan, str(tmp_path / "log")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_taken_ports_are_named_and_free_ones_found() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(HostError, match=f"port {taken} of this host"):
            choose_ports([PortSpec(guest=80, host=taken)])
    first, second = choose_ports([PortSpec(guest=80, host=0), PortSpec(guest=81, host=0)])
    assert (first.guest, second.guest) == (80, 81)
    assert first.host != second.host
    assert choose_ports([first]) == (first,)


def test_lines_are_cleaned_and_bounded() -> None:
    assert cleaned(b"\x1b]0;evil\x07ok\r") == "0;evil\N{REPLACEMENT CHARACTER}ok"
    assert len(cleaned(b"x" * 10000)) == LINE_LIMIT
    assert cleaned(b"\xff\tfine") == "\N{REPLACEMENT CHARACTER}\tfine"


@pytest.mark.skipif(not SEABIOS.exists(), reason="SeaBIOS is not installed")
def test_a_planned_machine_boots_its_kernel(rehearsed: Plan, keys: Hierarchy, tmp_path: Path) -> None:
    """The whole argument vector in QEMU, with commas and quotes in every path, up to the kernel's first word."""
    heard: list[str] = []
    with (
        Processor(rehearsed, keys),
        Machine(rehearsed, log=tmp_path / "log", on_line=heard.append) as machine,
    ):
        answered = answers(rehearsed.ports[0].host)
        assert answered or machine.wait(10) is not None  # on a quick machine it has ended by now
        ending = machine.wait(60)
    assert ending is not None
    assert ending.reason == "guest-reset", machine.tail()
    assert any("kernel here" in line for line in heard)


def test_the_planned_machine_needs_its_processor(rehearsed: Plan, tmp_path: Path) -> None:
    with pytest.raises(HostError) as refused, Machine(rehearsed, log=tmp_path / "log"):
        pytest.fail("it started")
    assert "sp.sock" in (refused.value.hint or "")


def test_two_machines_cannot_have_one_disk(bare: Bare, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    plan = bare(HALT)
    words = (
        "-blockdev",
        f"driver=raw,node-name=d,file.driver=file,file.filename={disk}",
        "-device",
        "virtio-blk-pci,drive=d",
    )
    plan = replace(plan, argv=(*plan.argv, *words))
    other = plan.monitor_socket + "2"
    second = replace(
        plan,
        argv=tuple(word.replace(plan.monitor_socket, other) for word in plan.argv),
        monitor_socket=other,
    )
    with (
        Machine(plan, log=tmp_path / "log"),
        pytest.raises(HostError) as refused,
        Machine(second, log=tmp_path / "log2"),
    ):
        pytest.fail("it started")
    assert "lock" in (refused.value.hint or "")
