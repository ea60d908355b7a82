"""The example as a project of a test's own."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from warily.errors import WarilyError
from warily.image import declare
from warily.image.lock import FILE, Lock, wanted

EXAMPLE: Final = Path(__file__).parent.parent / "examples" / "ledger"


def copy_to(project: Path) -> Path:
    """`project`, which exists, holds the example; with the lock of whoever built it before, if that is still good.

    No lock is committed. Where there is a good one the mirror need not be asked; one that was made for other
    packages, by an older warily, is left behind, and the test makes its own.
    """
    for name in ("warily.toml", "ledger.py"):
        shutil.copy(EXAMPLE / name, project / name)
    declaration = declare.read(project)
    with suppress(OSError, WarilyError):
        lock = Lock.decode((EXAMPLE / FILE).read_bytes())
        if (lock.suite, lock.wanted) == (declaration.suite, wanted(declaration)):
            shutil.copy(EXAMPLE / FILE, project / FILE)
    return project
