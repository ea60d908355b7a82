"""A project's own machine: its identity, its disks, and the proof that its image is the signed one."""

import hashlib
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from warily.core import built
from warily.core.manifest import Manifest
from warily.errors import FormatError, HostError
from warily.formats._json import canonical
from warily.host import paths

IDENTITY = "identity.json"
UP = "up.json"  # in the state folder while the machine runs: where its broker is
LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folders of one project's state. All of them may be deleted; the volumes are then gone."""

    project: Path
    image: Path
    machine: Path
    broker: Path
    rehearsal: Path

    @classmethod
    def of(cls, project: Path) -> "Home":
        """The folders below the project's state folder, made private where they do not exist."""
        state = paths.state(project)
        home = cls(
            project=project,
            image=state / "image",
            machine=state / "machine",
            broker=state / "broker",
            rehearsal=state / "rehearsal",
        )
        for folder in (state, home.machine, home.broker, home.rehearsal):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home


def identity(home: Home, name: str) -> bytes:
    """The machine's identity: the SHA-256 of its `identity.json`, 32 bytes, given to hardware as HOST_DATA.

    The file is made once. Its volumes belong to it: with another identity they stay shut.
    """
    path = home.machine / IDENTITY
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.write_bytes(canonical({"name": name, "instance": uuid.uuid4().hex}))
        fresh.replace(path)
    text = path.read_bytes()[:LIMIT]
    try:
        named = json.loads(text)["name"]
    except (ValueError, KeyError, TypeError):
        named = None
    if named != name:
        message = f"{path} is not the identity of a machine named {name}"
        raise FormatError(message)
    return hashlib.sha256(text).digest()


def disks(home: Home, manifest: Manifest) -> tuple[str, ...]:
    """The volumes' disks in slot order: sparse files, made where missing, never resized or wiped."""
    found = []
    for volume in manifest.volumes:
        path = home.machine / f"{volume.name}.disk"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.ftruncate(descriptor, volume.size)
            os.close(descriptor)
        if path.stat().st_size < volume.size:
            message = f"{path} is smaller than volume {volume.name}, which is {volume.size} bytes"
            raise HostError(message, hint="a volume does not grow: declare the old size, or a volume of another name")
        found.append(str(path))
    return tuple(found)


def check_image(home: Home, manifest: Manifest) -> None:
    """Every file of the image is the one its manifest names. Raises `FormatError` for the first that is not."""
    for part in manifest.ingredients:
        path = home.image / part.name
        if not path.is_file():
            message = f"{path} is missing"
            raise FormatError(message, hint="run `warily build`")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
        if found != part.sha256:
            message = f"{path} is not the {part.role} of the signed manifest: {found.hex()[:16]}…"
            raise FormatError(message, hint="it was changed after it was signed; run `warily build`")
    command_line = (home.image / built.COMMAND_LINE).read_bytes()
    if command_line != manifest.command_line.encode():
        message = f"{home.image / built.COMMAND_LINE} is not the command line of the signed manifest"
        raise FormatError(message, hint="it was changed after it was signed; run `warily build`")
