"""Whether an image on disk is already what a build would make: a digest over all that goes into it.

The stamp lies in the project's state folder, not beside the artefacts, which stay the same bytes
wherever they were built.
"""

import hashlib
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import zstandard

from warily.core import built
from warily.core.manifest import LIMIT, Manifest
from warily.errors import FormatError
from warily.host import paths
from warily.host.run import find, run
from warily.image.declare import FILE
from warily.image.lock import Lock, digest_of
from warily.image.overlay import Overlay

# The parts of warily whose change changes images.
SOURCES: Final = ("errors.py", "core", "data", "formats", "guest", "image", "measure", "release")
TOOLS: Final = ("dpkg", "erofs-utils", "mmdebstrap", "tar")
NAME: Final = "image.stamp.json"


def digest_of_inputs(project: Path, lock: Lock, overlay: Overlay, public_keys: tuple[bytes, ...]) -> str:
    """One digest over the declaration, the lock, every file laid over the packages, keys, warily and tools."""
    running = hashlib.sha256()
    package = resources.files("warily")
    parts = [
        (project / FILE).read_bytes(),
        lock.encode(),
        overlay.archive(),
        *public_keys,
        *(_digest_below(package / name) for name in SOURCES),
        _versions(),
        zstandard.__version__.encode(),
    ]
    for part in parts:
        running.update(hashlib.sha256(part).digest())
    return running.hexdigest()


def _digest_below(place: Traversable) -> bytes:
    """A digest over a file, or over names and content of all files in a folder."""
    if place.is_file():
        return hashlib.sha256(place.read_bytes()).digest()
    running = hashlib.sha256()
    for child in sorted(place.iterdir(), key=lambda child: child.name):
        if child.name != "__pycache__":
            running.update(child.name.encode() + b"\0" + _digest_below(child))
    return running.digest()


def _versions() -> bytes:
    return run([find("dpkg-query", package="dpkg"), "--show", *TOOLS])


def _stamp(project: Path, folder: Path) -> Path:
    """The stamp of the image in `folder`; a project may build into several."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return paths.state(project) / f"{name}.{NAME}"


def leave(project: Path, folder: Path, digest: str) -> None:
    """The image in `folder` is now known to be made from these inputs."""
    path = _stamp(project, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {entry.name: digest_of(entry).hex() for entry in sorted(folder.iterdir())}
    path.write_text(json.dumps({"inputs": digest, "files": files}, indent=1))


def reusable(project: Path, folder: Path, digest: str) -> Manifest | None:
    """The manifest of the image in `folder`, where it was made from these inputs and every file is unchanged."""
    try:
        stamp = json.loads(_stamp(project, folder).read_text())
        if stamp["inputs"] != digest or stamp["files"].keys() != {entry.name for entry in folder.iterdir()}:
            return None
        if any(digest_of(folder / name).hex() != found for name, found in stamp["files"].items()):
            return None
        with (folder / built.MANIFEST).open("rb") as file:
            return Manifest.decode(file.read(LIMIT + 1))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, FormatError):
        return None  # a stamp that cannot be read means only that the image is built again
