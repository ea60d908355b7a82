"""Every shell and Python block in the documentation runs.

A fenced block whose language is `sh` or `python` is run in a scratch folder, with `warily` on the
path. A comment on the line before it may say what it needs: `<!-- needs: vm -->` for one that boots
a machine, `<!-- needs: vectors -->` for one that reads genuine evidence. With `shown`, the next `text`
block must be what it prints. Other languages (`text`, `toml`, `json`) are shown, not run.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.conftest import ABSENT, REPOSITORY, vectors_folder

FENCE = re.compile(r"(?:<!-- needs: ([a-z, ]+) -->\n)?```(sh|python)\n(.*?)```", re.DOTALL)
SHOWN = re.compile(r"\s*```text\n(.*?)```", re.DOTALL)
SLOW = 600


@dataclass(frozen=True)
class Block:
    """One block of documentation that runs."""

    page: Path
    line: int
    needs: frozenset[str]
    language: str
    text: str
    shown: str | None


def blocks() -> list[Block]:
    pages = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
    found = []
    for page in pages:
        content = page.read_text()
        for match in FENCE.finditer(content):
            needs = frozenset((match[1] or "").replace(",", " ").split())
            line = content[: match.start()].count("\n") + 1
            shown = SHOWN.match(content, match.end()) if "shown" in needs else None
            found.append(Block(page, line, needs, match[2], match[3], shown[1] if shown else None))
    return found


def parameters() -> list[ParameterSet]:
    made = []
    for block in blocks():
        marks = [pytest.mark.vm] if "vm" in block.needs else []
        name = f"{block.page.relative_to(REPOSITORY)}:{block.line}"
        made.append(pytest.param(block, id=name, marks=marks))
    return made


@pytest.mark.parametrize("block", parameters())
def test_the_block_runs(block: Block, tmp_path: Path) -> None:
    if "vectors" in block.needs and not vectors_folder().is_dir():
        pytest.skip(ABSENT)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "WARILY_VECTORS": str(vectors_folder()),
        "WARILY_KEYS": str(tmp_path / "keys"),
    }
    folder = REPOSITORY if "vm" in block.needs else tmp_path
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, block.text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SLOW,
        check=False,
    )
    assert done.returncode == 0, f"{block.text}\n--- said:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    if "shown" in block.needs:
        assert done.stdout == block.shown
