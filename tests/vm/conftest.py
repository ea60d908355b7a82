"""One image for the session, and two machines that lived before the tests begin."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import example_project
from tests.vm.stage import Project, Stage
from tests.vm.up import Ledger, Up
from warily.core.declaration import Platform
from warily.image.build import build
from warily.launch import readiness

KEPT = "kept by the machine that ended in order"


@dataclass(frozen=True, slots=True)
class Ran:
    """A `warily up` that has ended: its exit status, the JSON it printed, what it told people."""

    status: int
    result: dict[str, Any]
    told: str


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example with an image built from it. A missing tool fails every test of this folder, loudly."""
    readiness.require(Platform.REHEARSAL)
    folder = example_project.copy_to(tmp_path_factory.mktemp("project"))
    declaration = (folder / "warily.toml").read_text()
    assert declaration.count("host = 8080\n") == 1
    (folder / "warily.toml").write_text(declaration.replace("host = 8080\n", f"host = {free_port()}\n"))
    made = Project(folder=folder, keys=tmp_path_factory.mktemp("keys"))
    with made.chosen():
        build(folder)
    return made


@pytest.fixture(scope="session")
def once(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The first `up` of the project ever, with --once. Its machine is put aside as `elsewhere`."""
    with Up(project, tmp_path_factory.mktemp("once"), "--once") as up:
        status = up.until_end()
        ran = Ran(status=status, result=up.result(), told=up.told())
    project.new_machine(keep=project.folder / "elsewhere")
    return ran


@pytest.fixture(scope="session")
def elsewhere(once: Ran, project: Project) -> Path:
    """The initialised disk of another VM of the same image, known to the same broker."""
    assert once.status == 0, once.told
    return project.folder / "elsewhere" / "data.disk"


@pytest.fixture(scope="session")
def lived(elsewhere: Path, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The first life of the machine that all tests use: `up`, one line in the ledger, Ctrl-C."""
    assert elsewhere.exists()
    with Up(project, tmp_path_factory.mktemp("lived")) as up:
        result = up.until_up()
        assert Ledger.of(result).append(KEPT) == 201
        return Ran(status=up.interrupt(), result=result, told=up.told())


@pytest.fixture(scope="session")
def stage(lived: Ran, project: Project) -> Stage:
    """The stage of a machine whose volume holds something. Tests change copies of it."""
    assert lived.status == 0, lived.told
    return Stage(project)


def free_port() -> int:
    """A port of this host's loopback that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
