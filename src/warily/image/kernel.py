"""The kernel and the firmwares, taken out of their locked packages without running anything in them."""

from pathlib import Path
from typing import Final

from warily.core import built
from warily.core.declaration import Platform
from warily.errors import HostError
from warily.formats import kernel_config
from warily.host.run import find, run
from warily.image.lock import FIRMWARE, Lock, copy_out

# Where each firmware package keeps its image.
IMAGES: Final = {
    Platform.REHEARSAL: "usr/share/qemu/qboot.rom",
    Platform.SNP: "usr/share/ovmf/OVMF.amdsev.fd",
    Platform.TDX: "usr/share/ovmf/OVMF.inteltdx.ms.fd",
}
NAMES: Final = {
    Platform.REHEARSAL: built.FIRMWARE_REHEARSAL,
    Platform.SNP: built.FIRMWARE_SNP,
    Platform.TDX: built.FIRMWARE_TDX,
}
MAX_FIRMWARE: Final = 16 << 20
MAX_KERNEL: Final = 256 << 20


def unpack_package(lock: Lock, of: str, name: str, work: Path) -> Path:
    """A folder of `work` that holds the files of package `name` of the lock's set `of`."""
    package = next((entry for entry in lock.packages[of] if entry.name == name), None)
    if package is None:
        msg = f"the lock has no {name}"
        raise HostError(msg, hint="run `warily build --update-lock`")
    archive, tree = work / f"{package.sha256.hex()}.deb", work / name
    copy_out(package, archive)
    run([find("dpkg-deb", package="dpkg"), "--extract", archive, tree])
    archive.unlink()
    return tree


def kernel_of(lock: Lock, work: Path) -> tuple[Path, bytes]:
    """The unpacked kernel package, and the kernel image in it."""
    name = lock.packages["boot"][0].name
    tree = unpack_package(lock, "boot", name, work)
    images = sorted((tree / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        msg = f"{name} holds {len(images)} kernels"
        raise HostError(msg)
    return tree, _bounded(images[0], MAX_KERNEL)


def configuration_of(tree: Path) -> bytes:
    """The configuration that the kernel in the unpacked package `tree` was built with."""
    found = sorted((tree / "boot").glob("config-*"))
    if len(found) != 1:
        msg = f"the kernel package holds {len(found)} configurations"
        raise HostError(msg)
    return _bounded(found[0], kernel_config.LIMIT)


def firmware_of(lock: Lock, platform: Platform, work: Path) -> bytes:
    """The firmware image that `platform` starts with."""
    tree = unpack_package(lock, "firmware", FIRMWARE[platform], work)
    return _bounded(tree / IMAGES[platform], MAX_FIRMWARE)


def _bounded(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        msg = f"the package has no {path.name}: {error.strerror}"
        raise HostError(msg) from None
    if len(content) > limit:
        msg = f"{path.name} is over {limit >> 20} MiB"
        raise HostError(msg)
    return content
