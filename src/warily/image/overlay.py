"""What an image holds besides Debian's packages, as one deterministic tar archive laid over the root.

The skeleton (units and settings of every image), warily's guest part, the declared files, a unit and a
user for each declared service, and `guest.json`.
"""

import hashlib
import io
import posixpath
import tarfile
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from warily.core.declaration import Declaration
from warily.errors import UsageError
from warily.formats import guest_config
from warily.formats.guest_config import GuestConfig, GuestVolume
from warily.image import units
from warily.image.contents import GUEST_HOME, GUEST_SOURCES

EPOCH: Final = 1757000000
"""Every time in an image, in seconds since 1970. It has no meaning; it is fixed."""

VOLUME_CIPHER: Final = "capi:authenc(hmac(sha256),xts(aes))-plain64"
FILE_LIMIT: Final = 256 << 20


@dataclass
class Overlay:
    """Entries by path, without a leading slash."""

    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def add(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """A file of root's, with the folders above it."""
        self.files[path] = (mode, content)

    def archive(self) -> bytes:
        """The overlay as a POSIX tar: sorted, owned by root, one time for all."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path in sorted({*self.folders, *_above(self.files), *_above(self.links), *_above(self.folders)}):
                tar.addfile(_entry(path, tarfile.DIRTYPE, 0o755))
            for path, target in sorted(self.links.items()):
                entry = _entry(path, tarfile.SYMTYPE, 0o777)
                entry.linkname = target
                tar.addfile(entry)
            for path, (mode, content) in sorted(self.files.items()):
                entry = _entry(path, tarfile.REGTYPE, mode)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return out.getvalue()


def _above(paths: object) -> set[str]:
    """The folders above the paths."""
    assert isinstance(paths, dict | set)  # noqa: S101  # the two kinds of collection above
    found: set[str] = set()
    for path in paths:
        while path := posixpath.dirname(path):
            found.add(path)
    return found


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.mtime = kind, mode, EPOCH
    entry.uname = entry.gname = "root"
    return entry


def guest_configuration(declaration: Declaration) -> GuestConfig:
    """What the image tells its guest."""
    volumes = tuple(
        GuestVolume(name=volume.name, size=volume.size, mount=volume.mount, cipher=VOLUME_CIPHER)
        for volume in declaration.volumes
    )
    return GuestConfig(name=declaration.name, volumes=volumes, ports=tuple(p.guest for p in declaration.ports))


def overlay_of(declaration: Declaration, project: Path) -> Overlay:
    """Everything that lies over the packages. Raises `UsageError` where a declared file cannot be read."""
    made = Overlay()
    package = resources.files("warily")
    _add_skeleton(made, package / "image" / "skeleton", "")
    for name in GUEST_SOURCES:
        made.add(f"{GUEST_HOME}/warily/{name}", (package / name).read_bytes())
    made.add(guest_config.PATH.lstrip("/"), guest_configuration(declaration).encode())
    _add_system(made, declaration)
    _add_services(made, declaration)
    for entry in declaration.files:
        made.add(entry.target.lstrip("/"), _declared(project, entry.source), entry.mode)
    made.folders |= {volume.mount.lstrip("/") for volume in declaration.volumes}
    _enable(made)
    return made


def _add_skeleton(made: Overlay, folder: Traversable, path: str) -> None:
    """The skeleton's files at the paths they have in it; scripts, which start with `#!`, can be run."""
    for child in sorted(folder.iterdir(), key=lambda child: child.name):
        if child.is_dir():
            _add_skeleton(made, child, posixpath.join(path, child.name))
        elif not child.name.endswith((".pyc", "~")):
            content = child.read_bytes()
            made.add(posixpath.join(path, child.name), content, 0o755 if content.startswith(b"#!") else 0o644)


def _add_system(made: Overlay, declaration: Declaration) -> None:
    """Names, the empty /var, and what is shut off."""
    made.add("etc/hostname", f"{declaration.name}\n".encode())
    # Fixed, so that systemd does not take one from the host's SMBIOS; a VM's identity is its HOST_DATA.
    made.add("etc/machine-id", f"{hashlib.sha256(declaration.name.encode()).hexdigest()[:32]}\n".encode())
    made.add("etc/hosts", f"127.0.0.1 localhost {declaration.name}\n::1 localhost\n".encode())
    made.add(f"{units.UNIT_FOLDER}/var.mount", units.VAR_MOUNT.encode())
    made.links |= {f"{units.UNIT_FOLDER}/{unit}": "/dev/null" for unit in units.MASKED}
    made.links |= units.LINKS


def _add_services(made: Overlay, declaration: Declaration) -> None:
    made.add("usr/lib/sysusers.d/warily-services.conf", units.accounts(declaration).encode())
    mounts = {volume.name: volume.mount for volume in declaration.volumes}
    for service in declaration.services:
        made.add(f"{units.UNIT_FOLDER}/{units.unit_name(service)}", units.service_unit(service, mounts).encode())


def _enable(made: Overlay) -> None:
    """Every unit of the overlay that asks to be wanted is, as `systemctl enable` would do it."""
    for path, (_, content) in list(made.files.items()):
        if "/systemd/system/" in f"/{path}" and path.endswith((".service", ".socket", ".target", ".mount")):
            for target in units.wanted_by(content.decode()):
                made.links[f"{units.UNIT_FOLDER}/{target}.wants/{posixpath.basename(path)}"] = f"/{path}"


def _declared(project: Path, source: str) -> bytes:
    """The content of a declared file, which lies inside the project even where links are followed."""
    path = (project / source).resolve()
    if not path.is_relative_to(project.resolve()):
        msg = f"{source} leads out of the project's folder"
        raise UsageError(msg)
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
    except OSError as error:
        msg = f"cannot read the declared file {source}: {error.strerror}"
        raise UsageError(msg) from None
    if len(content) > FILE_LIMIT:
        msg = f"the declared file {source} is over {FILE_LIMIT >> 20} MiB"
        raise UsageError(msg)
    return content
