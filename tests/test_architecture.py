"""The layers of ARCHITECTURE.md hold, and no room has outgrown its size."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "warily"
MAX_FILE = 400
MAX_FUNCTION = 40


def test_layers_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))],
        cwd=SOURCE.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_no_file_is_over_400_lines() -> None:
    lengths = {str(path): path.read_text().count("\n") for path in SOURCE.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > MAX_FILE} == {}


def test_no_function_is_over_40_lines() -> None:
    over = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.end_lineno is None:
                continue
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION:
                over.append(f"{path}:{node.lineno} {node.name} {length}")
    assert over == []


def test_the_page_and_the_contract_list_the_same_layers() -> None:
    root = SOURCE.parent.parent
    contract = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (root / "ARCHITECTURE.md").read_text().split("```text\n")[1].split("```")[0]
    drawn = [re.split(r"\s{2,}", line)[0] for line in page.splitlines() if line]
    assert drawn == contract
