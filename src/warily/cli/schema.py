"""Print the JSON Schema of warily.toml, for editors and for reading."""

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
