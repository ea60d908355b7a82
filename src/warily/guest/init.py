"""The first program of the guest: from the measured command line to a root that the kernel checks.

It takes its parameters from the command line alone, never reads a superblock before dm-verity stands
below it, and knows two endings: the root's own init, or the end of the machine with one line that says why.
Of the host's devices it binds those that the image declares, and keeps a list of what it took away from the kernel.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from warily.formats import dm_tables, guest_config
from warily.formats.guest_config import HASH_SLOT, ROOT_SLOT, Declared, GuestConfig
from warily.guest import devices, kernel
from warily.guest.devices import block_device
from warily.guest.dm import DeviceMapper, number
from warily.guest.kernel import Mount
from warily.guest.refusal import Refused, line
from warily.guest.words import BootWords

MODULES: Final = Path("/usr/lib/modules")
ORDER: Final = MODULES / "order"
# As the units of these names say, which then find them mounted: two programs less to start.
IN_MEMORY: Final = (
    ("/var", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC, "mode=0755,size=25%"),
    ("/tmp", Mount.NOSUID | Mount.NODEV, "mode=1777,size=50%,nr_inodes=1m"),  # noqa: S108  # the mount point itself
)
ROOT: Final = Path("/sysroot")
INIT: Final = "/usr/lib/systemd/systemd"
BLOCK: Final = 4096
DIGESTS_PER_BLOCK: Final = 128
PROCESSORS: Final = ("sev-guest", "tdx_guest")  # nodes in /dev by which a processor signs
LATCHES: Final = ("kernel/modules_disabled", "kernel/kexec_load_disabled")
API: Final = (
    ("devtmpfs", "/dev", Mount.NOSUID | Mount.NOEXEC, "mode=0755"),
    ("proc", "/proc", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC, ""),
    ("sysfs", "/sys", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC, ""),
    ("tmpfs", "/run", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC, "mode=0755,size=20%"),
)


def main() -> None:
    """The root's init runs in place of this program, or the machine is off."""
    try:
        boot()
    except BaseException as error:  # noqa: BLE001  # whatever it was, there is no shell behind it
        print(f"\n{line(error)}", flush=True)  # firmware may have left the cursor in the middle of a line
        kernel.end()
        sys.exit(1)  # the kernel panics when its first program ends


def boot() -> None:
    """Every step from the bare kernel to the checked root. Raises `Refused` or `OSError`."""
    for kind, target, flags, options in API:
        kernel.mount(kind, target, kind, flags, options)
    words = BootWords.parse(Path("/proc/cmdline").read_text())
    devices.stop_binding(own=False)
    load_modules()
    close_latches()
    devices.stop_binding(own=True)
    devices.bind(declared_devices(0))
    node = open_root(words)
    kernel.mount(str(node), str(ROOT), "erofs", Mount.READONLY | Mount.NODEV)
    config = GuestConfig.decode((ROOT / guest_config.PATH.lstrip("/")).read_bytes())
    admit_devices(len(config.volumes))
    for target, flags, options in IN_MEMORY:
        kernel.mount("tmpfs", f"{ROOT}{target}", "tmpfs", flags, options)
    enter_root()
    os.execve(INIT, [INIT], {"TERM": "dumb", "PATH": "/usr/sbin:/usr/bin"})  # noqa: S606  # no shell is wanted


def declared_devices(volumes: int) -> tuple[Declared, ...]:
    """The devices of an image with so many volumes; the stand-in's port where no processor signs for the machine."""
    protected = any((Path("/dev") / name).exists() for name in PROCESSORS)
    return guest_config.declared(volumes, rehearsal=not protected)


def admit_devices(volumes: int) -> None:
    """The declared devices have their drivers, and no other PCI or virtio device has one. Raises `Refused`."""
    declared = declared_devices(volumes)
    strangers = devices.release_strangers(declared)
    devices.RELEASED.parent.mkdir(mode=0o755, exist_ok=True)
    devices.RELEASED.write_text("".join(f"{device}\n" for device in strangers))
    devices.bind(declared)


def load_modules() -> None:
    """Every module of the initial RAM file system is loaded, but for drivers whose hardware is not there."""
    for entry in ORDER.read_text().split():
        name, _, optional = entry.partition("?")
        try:
            kernel.load_module(MODULES / name)
        except OSError:
            if optional != "optional":
                raise


def close_latches() -> None:
    """No module and no other kernel can be loaded until the next boot."""
    for latch in LATCHES:
        path = Path("/proc/sys") / latch
        path.write_text("1\n")
        if path.read_text().strip() != "1":
            raise Refused("latch.open", f"{latch} did not stay closed")


def open_root(words: BootWords) -> Path:
    """The node of the dm-verity device over the root disk and its hash disk."""
    data = block_device(ROOT_SLOT, "root", at_least=words.blocks * BLOCK)
    hashes = block_device(HASH_SLOT, "root-hashes", at_least=tree_blocks(words.blocks) * BLOCK)
    table = dm_tables.verity(
        data=number(data), hashes=number(hashes), blocks=words.blocks, root=words.root, salt=words.salt
    )
    with DeviceMapper() as mapper:
        return mapper.create("warily-root", [table], readonly=True)


def tree_blocks(blocks: int) -> int:
    """How many blocks the hash tree over `blocks` data blocks has (dm-verity format 1, SHA-256)."""
    total = 0
    while blocks > 1:
        blocks = -(-blocks // DIGESTS_PER_BLOCK)
        total += blocks
    return max(total, 1)


def enter_root() -> None:
    """The checked root is `/`, and the memory of the old one is free."""
    for _, target, _, _ in API:
        kernel.mount(target, f"{ROOT}{target}", "", Mount.MOVE)
    os.chdir(ROOT)
    _forget_initramfs()
    kernel.mount(".", "/", "", Mount.MOVE)
    os.chroot(".")
    os.chdir("/")


def _forget_initramfs() -> None:
    """Delete the files of the initial RAM file system; folders and other file systems are left alone."""
    device = Path("/").stat().st_dev
    for folder, below, files in os.walk("/", topdown=True):
        below[:] = [name for name in below if os.lstat(f"{folder}/{name}").st_dev == device]
        for name in files:
            with suppress(OSError):
                os.unlink(f"{folder}/{name}")  # noqa: PTH108  # pathlib may no longer be importable here


if __name__ == "__main__":
    main()
