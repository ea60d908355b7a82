"""Show the keys that sign your manifests (owner) and your grants (grantor).

Only public halves are shown. The private ones lie in ~/.config/warily/keys (or WARILY_KEYS), mode
0600, and are made on first use. Whoever has `owner` can sign an image that your brokers accept; whoever has
`grantor` can hand keys of their own choice to your guests.
"""

import argparse
import json

from warily.host import keys, paths
from warily.release.signing import key_id


def arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""
    del parser


def run(options: argparse.Namespace) -> int:
    """Print each key's purpose, public bytes and id."""
    found = {}
    for name in keys.NAMES:
        public = keys.public_bytes(keys.signing_key(name))
        found[name] = {"public": public.hex(), "id": key_id(public), "file": str(paths.keys() / f"{name}.key")}
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for name, entry in found.items():
        print(f"{name:<8} {entry['public']}")
        print(f"         id   {entry['id'][:32]}…")
        print(f"         file {entry['file']}")
    return 0
