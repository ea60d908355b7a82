"""What all tests share: the vectors, and a loud count of what was skipped for want of them."""

import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

# On a shared machine time says nothing. CI tries the same examples each time, so that it is red for a reason
# that the submitted change gave it; everybody else keeps searching.
settings.register_profile("shared", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "shared")

# A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that; machines end by it.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent
ABSENT = "vectors absent"


def vectors_folder() -> Path:
    """Where the vectors are: `WARILY_VECTORS`, or beside the repository."""
    return Path(os.environ.get("WARILY_VECTORS", REPOSITORY.parent / "shared" / "vectors"))


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of genuine evidence. Tests that need it are skipped, and counted, where it is absent."""
    folder = vectors_folder()
    if not folder.is_dir():
        pytest.skip(ABSENT)
    return folder


class FolderByFolder(LoadScopeScheduling):  # type: ignore[misc]  # likewise
    """Tests of one folder share an image and its machines: one process runs them, and another folder's beside them."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    """What `--dist loadscope` takes for a scope here is a folder."""
    return FolderByFolder(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say out loud how many tests did not run for want of vectors."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if ABSENT in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests were skipped: no vectors at {vectors_folder()} (set WARILY_VECTORS)", yellow=True
        )
