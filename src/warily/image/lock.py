"""`warily.lock`: the exact packages of an image. With it and a full pool, a build needs no network."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from warily.core.declaration import Declaration, Platform
from warily.errors import HostError, UsageError
from warily.formats._json import JsonObject
from warily.host import paths
from warily.host.progress import Progress
from warily.image.apt import Package, PrivateApt

FILE: Final = "warily.lock"
SCHEMA: Final = "warily/lock/1"
LIMIT: Final = 4 << 20
UPDATE_HINT: Final = "run `warily build --update-lock`"

BASE: Final = ("e2fsprogs", "mount", "python3", "python3-cryptography", "systemd", "util-linux")
KERNEL: Final = "linux-image-cloud-amd64"
KERNEL_IMAGE: Final = "linux-image-"
FIRMWARE: Final = {
    Platform.REHEARSAL: "qemu-system-data",
    Platform.SNP: "ovmf-amdsev",
    Platform.TDX: "ovmf-inteltdx",
}
SETS: Final = ("root", "boot", "firmware")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What was wanted, and the packages found for it, by set: `root`, `boot` (the kernel), `firmware`."""

    suite: str
    wanted: dict[str, tuple[str, ...]]
    packages: dict[str, tuple[Package, ...]]

    def encode(self) -> bytes:
        """The file's content: one package a line, so that a change reads well in review."""
        lines = []
        for name in SETS:
            rows = ",\n".join("      " + json.dumps(_row(package)) for package in self.packages[name])
            lines.append(f'    "{name}": [\n{rows}\n    ]')
        head = json.dumps({"schema": SCHEMA, "suite": self.suite, "wanted": self.wanted}, indent=2)
        return (head.removesuffix("\n}") + ',\n  "packages": {\n' + ",\n".join(lines) + "\n  }\n}\n").encode()

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The lock that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what=FILE, limit=LIMIT)
        if top.text("schema") != SCHEMA:
            msg = f"{FILE}: not a {SCHEMA}"
            raise UsageError(msg, hint=UPDATE_HINT)
        wanted, packages = top.object("wanted"), top.object("packages")
        made = cls(
            suite=top.text("suite", limit=64),
            wanted={name: wanted.texts(name, limit=1024) for name in SETS},
            packages={name: tuple(_package(row) for row in packages.objects(name, limit=8192)) for name in SETS},
        )
        for entry in (wanted, packages, top):
            entry.finish()
        return made

    def all(self) -> list[Package]:
        """Every package once."""
        return sorted({package.sha256: package for name in SETS for package in self.packages[name]}.values(), key=_key)


def _key(package: Package) -> tuple[str, str]:
    return package.name, package.version


def _row(package: Package) -> dict[str, object]:
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "size": package.size,
        "sha256": package.sha256.hex(),
    }


def _package(row: JsonObject) -> Package:
    made = Package(
        name=row.text("name", limit=256),
        version=row.text("version", limit=256),
        architecture=row.text("architecture", limit=32),
        sha256=row.hexadecimal("sha256", width=32),
        size=row.number("size", low=1, high=4 << 30),
    )
    row.finish()
    return made


def wanted(declaration: Declaration) -> dict[str, tuple[str, ...]]:
    """What a declaration asks apt for, by set."""
    firmware = {FIRMWARE[platform] for platform in declaration.machine.platforms}
    return {
        "root": tuple(sorted({*BASE, *declaration.packages})),
        "boot": (KERNEL,),
        "firmware": tuple(sorted(firmware)),
    }


def obtain(declaration: Declaration, project: Path, *, update: bool, progress: Progress) -> Lock:
    """The project's lock, with every package in the pool; made where there is none, or anew on `update`.

    Raises `UsageError` where the lock was made for other packages, `HostError` where one cannot be had.
    """
    path = project / FILE
    want = wanted(declaration)
    if path.exists() and not update:
        lock = Lock.decode(path.read_bytes()[: LIMIT + 1])
        if (lock.suite, lock.wanted) != (declaration.suite, want):
            changed = sorted(_names(want) ^ _names(lock.wanted)) or [declaration.suite]
            msg = f"{FILE} was made for other packages ({', '.join(changed)})"
            raise UsageError(msg, hint=UPDATE_HINT)
        fill_pool(lock, project, progress=progress)
        return lock
    lock = _resolve(declaration.suite, want, paths.state(project) / "apt", progress)
    fill_pool(lock, project, progress=progress)
    fresh = path.with_suffix(".lock.new")
    fresh.write_bytes(lock.encode())
    fresh.replace(path)
    return lock


def _names(by_set: dict[str, tuple[str, ...]]) -> set[str]:
    return {name for names in by_set.values() for name in names}


def _resolve(suite: str, want: dict[str, tuple[str, ...]], folder: Path, progress: Progress) -> Lock:
    with progress.step(f"ask the mirror for {suite}'s package lists"):
        apt = PrivateApt.prepare(folder.resolve(), suite)
        apt.update()
    with progress.step("choose packages"):
        # apt counts itself as essential; an image that never changes has no use for it
        essential = f"?narrow(?codename(^{suite}$),?essential,?not(?exact-name(apt)))"
        root = apt.resolve([essential, *want["root"]])
        other = apt.resolve([*want["boot"], *want["firmware"]])
    boot = tuple(p for p in other if p.name.startswith(KERNEL_IMAGE) and p.name != KERNEL)
    firmware = tuple(p for p in other if p.name in want["firmware"])
    if len(boot) != 1 or len(firmware) != len(want["firmware"]):
        msg = f"{suite} offers {len(boot)} cloud kernels and {len(firmware)} of {len(want['firmware'])} firmwares"
        raise HostError(msg)
    return Lock(suite=suite, wanted=want, packages={"root": tuple(root), "boot": boot, "firmware": firmware})


def in_pool(package: Package) -> Path:
    """Where the pool keeps a package: under its digest."""
    return paths.pool() / f"{package.sha256.hex()}.deb"


def fill_pool(lock: Lock, project: Path, *, progress: Progress) -> None:
    """Every package of the lock is in the pool. Only what is missing is fetched."""
    missing = [package for package in lock.all() if not _is_there(package)]
    if not missing:
        return
    count = sum(package.size for package in missing)
    with progress.step(f"fetch {len(missing)} packages ({count / 1e6:.0f} MB)"):
        apt = PrivateApt.prepare((paths.state(project) / "apt").resolve(), lock.suite)
        if apt.missing(missing):
            apt.update()
        gone = apt.missing(missing)
        if gone:
            names = ", ".join(f"{package.name} {package.version}" for package in gone[:5])
            msg = f"neither the pool nor the mirror has {names}" + (f" and {len(gone) - 5} more" if gone[5:] else "")
            raise HostError(msg, hint=f"{UPDATE_HINT}, or copy the .debs into {paths.pool()}, named by SHA-256")
        pool = paths.pool()
        pool.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=pool, prefix="fetch-") as place:
            apt.download(missing, Path(place))
            _take_in(missing, Path(place))


def _is_there(package: Package) -> bool:
    try:
        return in_pool(package).stat().st_size == package.size
    except FileNotFoundError:
        return False


def _take_in(packages: Iterable[Package], place: Path) -> None:
    """Move downloads into the pool, by digest. What the lock does not name stays out."""
    found = {digest_of(path): path for path in place.glob("*.deb")}
    for package in packages:
        path = found.get(package.sha256)
        if path is None:
            msg = f"the mirror's {package.name} {package.version} is not the one that was locked"
            raise HostError(msg, hint=UPDATE_HINT)
        path.replace(in_pool(package))


def digest_of(path: Path) -> bytes:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def copy_out(package: Package, target: Path) -> None:
    """`target` is the package's .deb, checked again: the pool lies where any process of the user can write."""
    with in_pool(package).open("rb") as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    if digest_of(target) != package.sha256:
        target.unlink()
        os.unlink(in_pool(package))  # noqa: PTH108  # as above: the damaged copy must not come back
        msg = f"the pool's copy of {package.name} {package.version} is damaged; it has been removed"
        raise HostError(msg, hint="run the build again, and it will be fetched anew")
