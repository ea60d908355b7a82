"""`warily build`: from a project's declaration and lock to a folder of artefacts and their signed manifest.

The same declaration, lock, files, keys, warily and tools give the same bytes, so a build that would
change nothing is skipped.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warily.core import built
from warily.core.declaration import Declaration, Platform
from warily.core.manifest import Ingredient, Manifest, PortSpec, VerityRoot, VolumeSpec
from warily.errors import UsageError
from warily.host import keys, paths
from warily.host.progress import SILENT, Progress
from warily.image import command_line, declare, root, stamp, verity
from warily.image import lock as locks
from warily.image.initrd import InitrdReport, pack
from warily.image.kernel import NAMES, configuration_of, firmware_of, kernel_of
from warily.image.lock import Lock, digest_of
from warily.image.overlay import EPOCH, VOLUME_CIPHER, Overlay, overlay_of
from warily.image.predict import Booted, events, launches, registers, role_of, with_declared
from warily.image.report import report_of
from warily.release.signing import sign_manifest

IMAGE: Final = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A built image: its folder (names in core/built.py), its manifest, and whether it was there already."""

    folder: Path
    manifest: Manifest
    reused: bool


def build(project: Path, out: Path | None = None, *, update_lock: bool = False, progress: Progress = SILENT) -> Built:
    """`out` (by default `.warily/image` of the project) holds the image that `project` declares.

    The folder appears whole or not at all; a machine that runs from an older build keeps its files.
    Raises `UsageError` for a wrong declaration, `HostError` for a missing tool, package or network.
    """
    declaration = declare.read(project)
    folder = (out or paths.state(project) / IMAGE).absolute()
    _refuse_foreign(folder)
    lock = locks.obtain(declaration, project, update=update_lock, progress=progress)
    overlay = overlay_of(declaration, project)
    owner, grantor = keys.signing_key("owner"), keys.public_bytes(keys.signing_key("grantor"))
    digest = stamp.digest_of_inputs(project, lock, overlay, (keys.public_bytes(owner), grantor))
    found = stamp.reusable(project, folder, digest)
    if found is not None:
        return Built(folder=folder, manifest=found, reused=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="warily-build-") as work,
        tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as fresh,
    ):
        Path(work).chmod(0o755)  # mmdebstrap's other users read here
        making = _Making(declaration, lock, overlay, Path(work), Path(fresh), progress)
        manifest = making.everything(grantor)
        (Path(fresh) / built.MANIFEST).write_bytes(manifest.encode())
        (Path(fresh) / built.SIGNED_MANIFEST).write_bytes(sign_manifest(manifest, owner))
        _put_in_place(Path(fresh), folder)
    stamp.leave(project, folder, digest)
    return Built(folder=folder, manifest=manifest, reused=False)


def _refuse_foreign(folder: Path) -> None:
    """A folder that holds something else than an image is left alone."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / built.MANIFEST).exists())):
        msg = f"{folder} holds something else than an image"
        raise UsageError(msg, hint="name an empty or new folder with --out")


def _put_in_place(fresh: Path, folder: Path) -> None:
    """The finished folder takes the name; the older one, whose files may be in use, goes."""
    for path in fresh.iterdir():
        path.chmod(0o644)
    fresh.chmod(0o755)
    old = fresh.with_name(f"{fresh.name}.old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    fresh.mkdir()  # for the context manager, which removes it
    shutil.rmtree(old, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Making:
    """One build under way: inputs, a folder to work in, and the folder of the artefacts."""

    declaration: Declaration
    lock: Lock
    overlay: Overlay
    work: Path
    out: Path
    progress: Progress

    def everything(self, grantor: bytes) -> Manifest:
        """All artefacts but the manifest, which is the result."""
        archive, tree, verity_root = self._root()
        initrd = self._boot_files(tree)
        line = command_line.compose(verity_root, grantor=grantor, added=self.declaration.command_line)
        (self.out / built.COMMAND_LINE).write_text(line)
        firmware = self._firmware()
        self._side_files(verity_root)
        manifest = self._manifest(line, verity_root, grantor, firmware)
        with self.progress.step("list what the guest must trust"):
            text = report_of(manifest, self.lock, initrd, root.files_of(archive))
            (self.out / built.REPORT).write_bytes(text)
        return manifest

    def _root(self) -> tuple[Path, Path, VerityRoot]:
        count = len(self.lock.packages["root"])
        with self.progress.step(f"install {count} packages into the root"):
            archive = root.make_tar(self.lock, self.overlay, self.work)
        with self.progress.step("pack the root as EROFS"):
            root.unpack(archive, self.work / "tree")
            root.pack(self.work / "tree", self.out / built.ROOT, name=self.declaration.name)
        with self.progress.step("compute the dm-verity tree"):
            salt = verity.salt_for(self.declaration.name)
            made = verity.write_tree(self.out / built.ROOT, self.out / built.ROOT_HASHES, salt=salt)
        return archive, self.work / "tree", made

    def _boot_files(self, tree: Path) -> InitrdReport:
        with self.progress.step("pack the kernel and the initial RAM file system"):
            kernel_tree, image = kernel_of(self.lock, self.work)
            (self.out / built.KERNEL).write_bytes(image)
            (self.out / built.KERNEL_CONFIG).write_bytes(configuration_of(kernel_tree))
            return pack(root=tree, kernel_tree=kernel_tree, out=self.out / built.INITRD)

    def _firmware(self) -> dict[Platform, bytes]:
        """The firmware of each declared platform, in the artefacts too."""
        found = {}
        for platform in self.declaration.machine.platforms:
            found[platform] = firmware_of(self.lock, platform, self.work)
            (self.out / NAMES[platform]).write_bytes(found[platform])
        return found

    def _side_files(self, verity_root: VerityRoot) -> None:
        """The lock, and the packages as CycloneDX."""
        from warily.image.sbom import sbom_of  # noqa: PLC0415  # its library takes longer to import than a reused build

        (self.out / built.LOCK).write_bytes(self.lock.encode())
        text = sbom_of(self.lock, name=self.declaration.name, root_hash=verity_root.root_hash)
        (self.out / built.SBOM).write_bytes(text)

    def _manifest(
        self, line: str, verity_root: VerityRoot, grantor: bytes, firmware: dict[Platform, bytes]
    ) -> Manifest:
        machine = self.declaration.machine
        booted = Booted(
            kernel=(self.out / built.KERNEL).read_bytes(),
            initrd=(self.out / built.INITRD).read_bytes(),
            command_line=line.encode(),
            cpu=machine.cpu,
        )
        with self.progress.step("predict what the hardware will report"):
            predicted, rules = registers(booted, firmware), launches(firmware)
            booting = events(booted, firmware, memory=machine.memory)
        made = Manifest(
            name=self.declaration.name,
            suite=self.declaration.suite,
            source_date_epoch=EPOCH,
            ingredients=tuple(self._ingredient(role, name) for role, name in _roles(firmware).items()),
            command_line=line,
            root=verity_root,
            cpus=machine.cpus,
            memory=machine.memory,
            cpu=machine.cpu,
            platforms=machine.platforms,
            registers=predicted,
            volumes=tuple(
                VolumeSpec(name=volume.name, size=volume.size, mount=volume.mount, cipher=VOLUME_CIPHER)
                for volume in self.declaration.volumes
            ),
            ports=tuple(PortSpec(guest=port.guest, host=port.host) for port in self.declaration.ports),
            grantor=grantor,
            launches=rules,
            events=booting,
        )
        return with_declared(made)

    def _ingredient(self, role: str, name: str) -> Ingredient:
        path = self.out / name
        return Ingredient(role=role, name=name, size=path.stat().st_size, sha256=digest_of(path))


def _roles(firmware: dict[Platform, bytes]) -> dict[str, str]:
    """The ingredients' roles and file names, in the manifest's order."""
    return {
        "kernel": built.KERNEL,
        "kernel-config": built.KERNEL_CONFIG,
        "initrd": built.INITRD,
        "root": built.ROOT,
        "root-hashes": built.ROOT_HASHES,
        "sbom": built.SBOM,
        "lock": built.LOCK,
        **{role_of(platform): NAMES[platform] for platform in firmware},
    }
