"""Print the JSON Schema of warily.toml, for editors and for reading.

Keep it beside the declaration: `warily schema > warily.schema.json`. What spans several settings (a service
that names a volume, say), and which paths belong to the system, no schema says; `warily build` does.
"""

import argparse
import json

from warily.image.settings import schema


def arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""
    del parser


def run(options: argparse.Namespace) -> int:
    """Print the schema; it is JSON with or without --json."""
    del options
    print(json.dumps(schema(), indent=2))
    return 0
