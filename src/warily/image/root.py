"""The root file system: Debian packages from the pool and the overlay, as a tar, a tree and an EROFS image.

mmdebstrap installs from a flat repository made of the locked packages alone, so there is one code path,
offline. As an ordinary user it works in a user namespace, and fakeroot keeps the owners of files.
"""

import hashlib
import os
import shlex
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warily.errors import HostError
from warily.formats.debian import Stanza
from warily.host.run import find, run
from warily.image.lock import Lock, copy_out
from warily.image.overlay import EPOCH, Overlay
from warily.image.units import KEPT_WANTS

TIMEOUT: Final = 1800.0
COMPRESSION: Final = ("-zlz4hc,9", "-C65536")  # half the size of none, and no slower to boot from

# Never unpacked: no program reads them.
EXCLUDED: Final = (
    "/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*",
    "/usr/share/bash-completion/*", "/usr/share/zsh/*", "/usr/share/bug/*", "/usr/share/common-licenses/*",
    "/usr/share/doc-base/*", "/usr/share/menu/*", "/usr/share/pixmaps/*", "/usr/share/applications/*",
)  # fmt: skip

# Removed once all is installed, with the reason.
REMOVED: Final = {
    "var/*": "/var is empty at every boot; package lists are in the SBOM",
    "run/*": "empty at every boot",
    "tmp/*": "empty at every boot",
    "boot/*": "the kernel is outside the root",
    "root/.*rc root/.profile": "nobody logs in",
    "etc/*- etc/resolv.conf etc/.pwd.lock": "copies that differ between builds, or name the builder",
    "etc/apt etc/dpkg etc/cron.* etc/logrotate.d etc/init.d etc/rc*.d etc/default etc/skel": "nothing here reads them",
    "usr/lib/systemd/system-generators/*": "they make units from the host's disks, SMBIOS and consoles",
    "usr/lib/systemd/user-generators usr/lib/systemd/user": "no user sessions",
    "usr/lib/systemd/system-environment-generators": "likewise",
    "usr/lib/systemd/boot usr/lib/systemd/catalog": "there is no boot loader, and nobody reads explanations",
    "usr/sbin/agetty usr/sbin/sulogin usr/bin/su usr/sbin/runuser": "nobody logs in, or becomes somebody else",
    "usr/sbin/swapon usr/sbin/swapoff usr/sbin/mkswap": "memory stays out of the host's disk",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFile:
    """A regular file of the root: absolute path, size in bytes, SHA-256."""

    path: str
    size: int
    sha256: bytes


def make_tar(lock: Lock, overlay: Overlay, work: Path) -> Path:
    """The root as a tar in `work`: the same lock and overlay give the same bytes. `work` must be readable by all."""
    packages = repository(lock, work / "packages")
    (work / "overlay.tar").write_bytes(overlay.archive())
    script = work / "finish.sh"
    script.write_text(_finish_script())
    script.chmod(0o755)
    out = work / "root.tar"
    names = ",".join(package.name for package in lock.packages["root"])
    words: list[str | Path] = [
        find("mmdebstrap", package="mmdebstrap"),
        f"--mode={build_mode()}",
        "--variant=essential",
        "--format=tar",
        f"--include={names}",
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
        f"--customize-hook={_forget_wants()}",
        f"--customize-hook=tar-in {shlex.quote(str(work / 'overlay.tar'))} /",
        f'--customize-hook={shlex.quote(str(script))} "$1"',
        "--skip=cleanup",  # it would replace our own machine-id and host name; the script does the rest
        "--skip=output/dev",
        "",
        out,
        f"deb [trusted=yes] copy:{packages} ./",
    ]
    run(words, env=environment(work), cwd=work, timeout=TIMEOUT)
    return out


def build_mode() -> str:
    """How mmdebstrap becomes root of what it makes."""
    return "root" if os.geteuid() == 0 else "unshare"


def environment(work: Path) -> dict[str, str]:
    """What the build's programs see: nothing of the builder's."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(work),
        "TMPDIR": str(work),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def repository(lock: Lock, folder: Path) -> Path:
    """A flat repository of the locked packages and nothing else."""
    folder.mkdir()
    index = []
    for package in lock.packages["root"]:
        path = folder / f"{package.sha256.hex()}.deb"
        copy_out(package, path)
        control = run([find("dpkg-deb", package="dpkg"), "--field", path]).decode()
        added = (
            ("Filename", f" ./{path.name}"),
            ("Size", f" {package.size}"),
            ("SHA256", f" {package.sha256.hex()}"),
        )
        stanza = Stanza.decode(control)
        if (stanza.value("Package"), stanza.value("Version")) != (package.name, package.version):
            msg = f"the package locked as {package.name} {package.version} says it is another"
            raise HostError(msg)
        index.append(Stanza((*stanza.fields, *added)).encode())
    (folder / "Packages").write_text("\n".join(index))
    return folder


def _forget_wants() -> str:
    """A shell command that leaves of all `wants` links those of `KEPT_WANTS`."""
    kept = " ".join(f"! -name {shlex.quote(name)}" for name in KEPT_WANTS)
    places = '"$1/usr/lib/systemd/system" "$1/etc/systemd/system"'
    where = r"\( -path '*.wants/*' -o -path '*.requires/*' -o -path '*.upholds/*' \)"
    return f"find {places} {where} {kept} -delete"


def _finish_script() -> str:
    """The last step inside the tree: accounts, compiled Python, then all that must not be there goes."""
    removed = "\n".join(
        f"rm -rf {' '.join(f'./{item}' for item in items.split())}  # {why}" for items, why in REMOVED.items()
    )
    return f"""\
#!/bin/sh
set -eu
cd "$1"
chroot . /usr/bin/systemd-sysusers
find ./usr ./etc -name __pycache__ -prune -exec rm -rf {{}} +
# Unchecked: the tree cannot change under its own compiled files, and a slow guest need not look.
chroot . /usr/bin/env -C / /usr/bin/python3 -I -m compileall -q --invalidation-mode unchecked-hash \\
    -x '/(test|tests|idlelib|turtledemo|lib2to3|ensurepip)/' \
    $(for name in usr/lib/python3* usr/lib/warily usr/local/lib; do echo "/$name"; done)
{removed}
mkdir -p ./sys ./proc ./dev ./run ./tmp ./var
# So that an ordinary user can pack what root owns.
find . -xdev ! -type l ! -perm -u=r -exec chmod u+r {{}} +
# Nobody logs in, so nobody needs to become somebody else.
find ./usr ./etc -xdev -type f -perm /6000 -exec chmod a-s {{}} +
"""


def unpack(archive: Path, tree: Path) -> None:
    """`tree` is the root as files, for reading. As an ordinary user the owners are kept beside it, for `pack`."""
    tree.mkdir()
    (tree / "dev").mkdir(mode=0o755)  # the archive has no device nodes and not their folder either
    words: list[str | Path] = ["tar", "--numeric-owner", "-C", tree, "-xpf", archive]
    run([*keeping_owners(tree, load=False), *words], timeout=TIMEOUT)


def pack(tree: Path, out: Path, *, name: str) -> None:
    """`out` is the tree as an EROFS image: no extended attributes, one time, a UUID made from `name`."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:warily:root:{name}")
    words: list[str | Path] = [
        find("mkfs.erofs", package="erofs-utils"),
        "--quiet", f"-T{EPOCH}", f"-U{identity}", "-x-1", *COMPRESSION, out, tree,
    ]  # fmt: skip
    run([*keeping_owners(tree, load=True), *words], timeout=TIMEOUT)


def keeping_owners(tree: Path, *, load: bool) -> list[str | Path]:
    """Nothing for root; for others fakeroot, which remembers in a file who owns what."""
    if os.geteuid() == 0:
        return []
    state = tree.with_suffix(".owners")
    words: list[str | Path] = [find("fakeroot", package="fakeroot"), "-s", state]
    if load:
        words += ["-i", state]
    return [*words, "--"]


def files_of(archive: Path) -> Iterator[RootFile]:
    """Every regular file of the root, in the archive's order."""
    with tarfile.open(archive) as tar:
        for entry in tar:
            opened = tar.extractfile(entry) if entry.isreg() or entry.islnk() else None
            if opened is not None:
                content = opened.read()
                path = "/" + entry.name.removeprefix("./")
                yield RootFile(path=path, size=len(content), sha256=hashlib.sha256(content).digest())
