"""The control: a plain Debian machine with what a distribution's cloud image has, on which attacks are first tried.

An attack that fails here too proves nothing about an image that refuses it. Nothing in this machine is made
weaker than Debian ships it; nothing is hardened either.
"""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from warily.core.declaration import Declaration, Machine, Platform
from warily.errors import HostError, UsageError
from warily.host import paths
from warily.host.progress import Progress
from warily.host.run import find, run
from warily.image import lock as locks
from warily.image import root
from warily.image.kernel import firmware_of
from warily.image.lock import Lock, digest_of
from warily.image.overlay import EPOCH

SUITE: Final = "trixie"
LABEL: Final = "control"
SIZE: Final = "3G"  # a sparse file; a tenth of it holds something
CPUS: Final = 1  # one thread emulates them all, and more of them wait for each other
MEMORY: Final = 1 << 30
IMAGE: Final = "image"
MADE_FROM: Final = "made-from"
RECIPE: Final = "6"  # counted up when this file makes another disk of the same packages

# Debian's own cloud image has these, and the guest agent is what most clouds add.
PACKAGES: Final = (
    "cloud-init",
    "dbus",
    "initramfs-tools",
    "iproute2",
    "iputils-ping",
    "kmod",
    "libpam-systemd",
    "login",
    "netplan.io",
    "openssh-server",
    "qemu-guest-agent",
    "sudo",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "zstd",
)

FINISH: Final = f"""\
set -eu
cd "$1"
echo 'LABEL={LABEL} / ext4 errors=remount-ro 0 1' >etc/fstab
echo {LABEL} >etc/hostname
cat >etc/netplan/90-default.yaml <<END
network:
  version: 2
  ethernets:
    all-en:
      match: {{name: en*}}
      dhcp4: true
      dhcp4-overrides: {{use-domains: true}}
      dhcp6: true
      dhcp6-overrides: {{use-domains: true}}
END
chmod 600 etc/netplan/90-default.yaml
"""  # the network as Debian's images for no cloud in particular configure it


@dataclass(frozen=True, slots=True)
class PlainDebian:
    """The control's files: they are read, never written."""

    folder: Path

    @property
    def kernel(self) -> Path:
        """The kernel, as Debian packs it."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initial RAM file system that Debian's tools made for it."""
        return self.folder / "initrd.img"

    @property
    def firmware(self) -> Path:
        """The firmware that a rehearsal of the same suite starts from."""
        return self.folder / "firmware.bin"

    @property
    def disk(self) -> Path:
        """One ext4 file system that holds the root."""
        return self.folder / "disk.ext4"

    @property
    def command_line(self) -> str:
        """What Debian's cloud image boots with."""
        return f"root=LABEL={LABEL} ro console=tty0 console=ttyS0,115200 consoleblank=0"


def obtain(progress: Progress) -> PlainDebian:
    """The control, made where it is missing. Raises `HostError` for a missing tool, package or network."""
    folder = paths.control()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = locks.obtain(_declaration(), folder, update=False, progress=progress)
    except UsageError:  # it is of another version of this recipe
        lock = locks.obtain(_declaration(), folder, update=True, progress=progress)
    wanted = f"{RECIPE} {digest_of(folder / locks.FILE).hex()}"
    image = folder / IMAGE
    made = image / MADE_FROM
    if not made.exists() or made.read_text() != wanted:
        with (
            progress.step("make the control, a plain Debian machine"),
            tempfile.TemporaryDirectory(prefix="warily-control-") as work,
            tempfile.TemporaryDirectory(prefix=".image-", dir=folder) as fresh,
        ):
            Path(work).chmod(0o755)  # mmdebstrap's other users read here
            _make(lock, Path(work), Path(fresh))
            (Path(fresh) / MADE_FROM).write_text(wanted)
            shutil.rmtree(image, ignore_errors=True)
            Path(fresh).rename(image)
            Path(fresh).mkdir()  # for the context manager, which removes it
    return PlainDebian(image)


def absent() -> PlainDebian:
    """A control that was not asked for: where its files would be."""
    return PlainDebian(paths.control() / IMAGE)


def _declaration() -> Declaration:
    """What the machinery that resolves and fetches packages asks for."""
    machine = Machine(cpus=CPUS, memory=MEMORY, cpu="EPYC-v4", platforms=(Platform.REHEARSAL,))
    return Declaration(
        name=LABEL,
        suite=SUITE,
        packages=PACKAGES,
        files=(),
        services=(),
        machine=machine,
        volumes=(),
        ports=(),
        command_line=(),
    )


def _make(lock: Lock, work: Path, out: Path) -> None:
    """`out` holds the disk, the kernel and the initial RAM file system."""
    packages = sorted({*lock.packages["root"], *lock.packages["boot"]}, key=lambda package: package.name)
    lock = replace(lock, packages=lock.packages | {"root": tuple(packages)})
    repository = root.repository(lock, work / "packages")
    script = work / "finish.sh"
    script.write_text(f"#!/bin/sh\n{FINISH}")
    script.chmod(0o755)
    words: list[str | Path] = [
        find("mmdebstrap", package="mmdebstrap"),
        f"--mode={root.build_mode()}",
        "--variant=essential",
        "--format=tar",
        f"--include={','.join(package.name for package in packages)}",
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in root.EXCLUDED),
        f'--customize-hook={script} "$1"',
        "--skip=output/dev",
        "",
        work / "root.tar",
        f"deb [trusted=yes] copy:{repository} ./",
    ]
    run(words, env=root.environment(work), cwd=work, timeout=root.TIMEOUT)
    tree = work / "tree"
    root.unpack(work / "root.tar", tree)
    for pattern, name in (("vmlinuz-*", "vmlinuz"), ("initrd.img-*", "initrd.img")):
        found = sorted((tree / "boot").glob(pattern))
        if len(found) != 1:
            msg = f"the control has {len(found)} files /boot/{pattern}"
            raise HostError(msg)
        shutil.copyfile(found[0], out / name)
    (out / "firmware.bin").write_bytes(firmware_of(lock, Platform.REHEARSAL, work))
    _pack(tree, out / "disk.ext4")


def _pack(tree: Path, out: Path) -> None:
    """`out` is the tree as an ext4 file system."""
    words: list[str | Path] = [
        find("mke2fs", package="e2fsprogs"),
        *("-q", "-t", "ext4", "-L", LABEL, "-E", f"lazy_itable_init=1,hash_seed={'0' * 8}-0000-4000-8000-{'0' * 12}"),
        *("-d", tree, out, SIZE),
    ]
    env = root.environment(tree.parent) | {"E2FSPROGS_FAKE_TIME": str(EPOCH)}
    run([*root.keeping_owners(tree, load=True), *words], env=env, timeout=root.TIMEOUT)
