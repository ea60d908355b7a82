"""Build the image that warily.toml declares, and its signed manifest.

The packages are those of warily.lock, which is made on the first build; --update-lock asks the mirror
for current ones. Two builds of one declaration, lock and pair of keys give the same bytes, and a build that
would change nothing is skipped.

Packages are kept by digest in ~/.cache/warily/pool (or WARILY_POOL); a build whose lock and pool are
complete needs no network. The keys are made where there are none (see `warily key`).

  warily build                   the image of the folder one is in, into .warily/image
  warily build --out /tmp/two    the same once more, elsewhere, to compare
"""

import argparse
import json
from pathlib import Path

from warily.core import built
from warily.host.progress import SILENT, Terminal


def arguments(parser: argparse.ArgumentParser) -> None:
    """The project, the output, the lock."""
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the folder of warily.toml (default: here)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the image goes (default: .warily/image there)")
    parser.add_argument("--update-lock", action="store_true", help="lock the packages that the mirror has now")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Build, and say what was built."""
    from warily.image.build import build  # noqa: PLC0415  # it imports much that --help does not need

    progress = SILENT if options.quiet else Terminal()
    made = build(options.project, options.out, update_lock=options.update_lock, progress=progress)
    manifest = made.manifest
    shown = {
        "folder": str(made.folder),
        "manifest": str(made.folder / built.MANIFEST),
        "reused": made.reused,
        "name": manifest.name,
        "root_hash": manifest.root.root_hash.hex(),
        "sizes": {part.role: part.size for part in manifest.ingredients},
        "registers": {
            f"{entry.platform}.{entry.register}": entry.value.hex()
            for platform in manifest.platforms
            for entry in manifest.declared(platform)
        },
    }
    if options.json:
        print(json.dumps(shown, indent=2))
        return 0
    print(f"{manifest.name}  {made.folder}{'  (unchanged)' if made.reused else ''}")
    for role in ("kernel", "initrd", "root"):
        print(f"  {role:<8}{manifest.ingredient(role).size / 1e6:8.1f} MB")
    print(f"  root hash  {manifest.root.root_hash.hex()}")
    for platform in manifest.platforms:
        for entry in manifest.declared(platform):
            print(f"  {platform:<10} {entry.register:<14} {entry.value.hex()}")
    return 0
