"""The build report: how large the parts are, and every file that a guest must trust."""

import json
from collections.abc import Iterable
from typing import Final

from warily.core.manifest import Manifest
from warily.image.initrd import InitrdFile, InitrdReport
from warily.image.lock import SETS, Lock
from warily.image.root import RootFile

SCHEMA: Final = "warily/build-report/1"


def report_of(manifest: Manifest, lock: Lock, initrd: InitrdReport, root: Iterable[RootFile]) -> bytes:
    """The report as JSON. Sizes are in bytes; nothing in it depends on when or where the build ran."""
    root_files = [_file(entry) for entry in root]
    value = {
        "schema": SCHEMA,
        "name": manifest.name,
        "kernel": {"version": initrd.kernel_version, "modules": list(initrd.modules)},
        "sizes": {part.role: part.size for part in manifest.ingredients} | {"initrd-unpacked": initrd.unpacked_size},
        "packages": {of: len(lock.packages[of]) for of in SETS},
        "trusted": {
            "initrd": [_file(entry) for entry in initrd.files],
            "root": root_files,
            "counts": {"initrd": len(initrd.files), "root": len(root_files)},
        },
    }
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def _file(entry: InitrdFile | RootFile) -> dict[str, object]:
    return {"path": entry.path, "size": entry.size, "sha256": entry.sha256.hex()}
