"""Show what is in a file, as a tree with offsets. Nothing is judged.

FILE is any binary or text that warily reads: reports and quotes, certificates and their tables, firmware,
manifests, tokens. What it is, its content says. Malformed structures are shown as far as they go, with what
is wrong with them.

  warily inspect report.bin
  warily inspect OVMF.fd --json

Exit statuses: 0 shown · 3 no kind that can be shown, or too broken.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from warily.cli.inputs import read_file

if TYPE_CHECKING:
    from warily.verify.inspect.node import Node


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the file to show")


def run(options: argparse.Namespace) -> int:
    """Show it."""
    from warily.verify.inspect import inspect  # noqa: PLC0415  # `warily --help` does without cryptography

    tree = inspect(read_file(options.file))
    print(json.dumps(tree.as_json(), indent=2) if options.json else "\n".join(_lines(tree, 0)))
    return 0


def _lines(node: "Node", depth: int) -> Iterator[str]:
    """One line a piece: where it is, what it is, what it says."""
    where = "" if node.offset is None else f"{node.offset:#06x}"
    note = f"  [{node.note}]" if node.note else ""
    name = "  " * depth + node.name
    yield f"{where:>8}  {name:<26} {node.value}{note}".rstrip()
    for part in node.parts:
        yield from _lines(part, depth + 1)
