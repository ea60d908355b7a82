"""Older states of a volume's disk, each put back under a real machine: refused before a byte of it is used."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.stage import Stage as Staged
from warily.adversary import history
from warily.adversary.attacks import volumes
from warily.adversary.stage import Stage
from warily.service.store import FILE

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def twice(stage: Staged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, tuple[Path, ...]]]:
    """A machine that lived once more, and its disks as they were before."""
    folder = tmp_path_factory.mktemp("twice")
    with stage.project.chosen():
        lived = Stage(home=stage.project.home, manifest=stage.project.manifest).copied_to(folder)
        before = tuple(Path(shutil.copy(disk, folder / f"{disk.name}.before")) for disk in lived.disks)
        said = history.live(lived)
        assert "warily: volume data is open" in said
        assert "warily: volume data is sealed" in said
        yield lived, before


@pytest.mark.parametrize("blocks_alone", [False, True])
def test_an_older_state_is_refused(twice: tuple[Stage, tuple[Path, ...]], *, blocks_alone: bool) -> None:
    lived, before = twice
    with lived.copy() as stage:
        newest = [volumes.head_of(disk) for disk in stage.disks]
        history.put(before, stage)
        if blocks_alone:
            for disk, head in zip(stage.disks, newest, strict=True):
                volumes.put_head(disk, head)
        played = stage.play()
        assert played.refusal is not None, played.lines[-20:]
        assert played.refusal.startswith("warily: refused: volume.rollback: "), played.refusal
        assert ("epoch" in played.refusal) is not blocks_alone
        with sqlite3.connect(stage.home.broker / FILE) as file:
            found = file.execute("SELECT epoch, seal IS NULL FROM volumes ORDER BY epoch DESC").fetchone()
        assert found[1] == 0, "a refused machine has begun no epoch"
