"""`warily up` as a person uses it: from a project to a workload that answers, again, and after a crash."""

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.vm.conftest import KEPT, Ran
from tests.vm.stage import Project
from tests.vm.up import Ledger, Up, until
from warily.launch.runner import RESTARTING

pytestmark = pytest.mark.vm

COMPONENTS = {"memory", "firmware", "storage", "network", "devices", "attestation", "runtime"}
WRITERS = 4
ENOUGH = 60
FILL_WITHIN = 240.0


def test_up_once_comes_up_attested_and_ends_with_the_posture(once: Ran) -> None:
    assert once.status == 0, once.told
    assert once.result["accepted"] is True
    cells = once.result["posture"]["cells"]
    assert {cell["component"] for cell in cells} == COMPONENTS
    assert {cell["state"] for cell in cells if cell["component"] == "memory"} == {"exposed"}
    assert {cell["state"] for cell in cells if cell["component"] == "storage"} <= {"excluded", "assumed"}
    assert "volume data is new" in once.told
    assert "the broker ended the lease" in once.told


def test_ctrl_c_ends_the_guest_by_its_lease_and_not_by_force(lived: Ran) -> None:
    assert lived.status == 0, lived.told
    assert lived.result["accepted"] is True
    assert "the broker ended the lease" in lived.told
    assert RESTARTING in lived.told


def test_what_was_acknowledged_survives_an_orderly_end_and_kill_9(lived: Ran, project: Project, tmp_path: Path) -> None:
    assert lived.status == 0, lived.told
    with Up(project, tmp_path / "killed") as up:
        ledger = Ledger.of(up.until_up())
        assert ledger.entries() == [KEPT]
        acknowledged = write_until_killed(ledger, up)
        assert up.until_end() == 5, f"a machine that was killed is no success\n{up.told()}"
    with Up(project, tmp_path / "after") as up:
        entries = Ledger.of(up.until_up()).entries()
        assert up.interrupt() == 0, up.told()
    assert "volume data is open" in up.told()
    assert entries[0] == KEPT
    assert len(acknowledged) >= ENOUGH
    assert set(acknowledged) - set(entries) == set(), "acknowledged, and gone"
    assert len(set(entries)) == len(entries)


def write_until_killed(ledger: Ledger, up: Up) -> list[str]:
    """The lines that were acknowledged before QEMU was killed amid more of them."""
    acknowledged: list[str] = []
    stop = threading.Event()

    def write(writer: int) -> None:
        number = 0
        while not stop.is_set():
            line = f"line {number} of writer {writer}"
            try:
                status = ledger.append(line)
            except (OSError, http.client.HTTPException):
                return  # the machine is gone, and this line was not acknowledged
            assert status == 201
            acknowledged.append(line)
            number += 1

    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, writer) for writer in range(WRITERS)]
        try:
            until(lambda: len(acknowledged) >= ENOUGH, FILL_WITHIN, what=f"{ENOUGH} acknowledgements", tail=up.told)
            time.sleep(0.05)
            up.kill_machine()
        finally:
            stop.set()
    for writer in writing:
        writer.result()
    return acknowledged
