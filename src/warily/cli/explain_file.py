"""`warily explain --file PATH`: from the launch digest to one file of the root, and to the package that brought it."""

import argparse
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from warily.cli.explain_output import KNOWN, NOTHING, UNKNOWN
from warily.cli.explain_sources import read_build, read_bytes
from warily.cli.owners import owners
from warily.cli.written_value import value_of
from warily.core import built
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.core.sbom import Component
from warily.errors import HostError, UsageError
from warily.explain.builds import Build
from warily.explain.diff import report_files
from warily.explain.evidence import carried
from warily.explain.file_chain import Found, Link, content_link, find_file, is_broken, is_whole, launch_link, root_link
from warily.host import paths
from warily.host.run import find
from warily.host.run import run as run_program
from warily.verify import kinds, recognise

TIMEOUT: Final = 60.0
MERGED: Final = ("bin/", "sbin/", "lib/", "lib64/")  # folders that /usr took in
MAX_PACKAGE: Final = 1 << 30


def run(options: argparse.Namespace) -> int:
    """Check the chain link by link, and print it."""
    folder = _image(options.manifest)
    build = _build(folder, options)
    manifest = build.manifest
    if manifest is None:
        msg = f"{folder}: no manifest"
        raise UsageError(msg)
    links = [*_measured(manifest, _value(options.subject)), *_files(folder, manifest), root_link(manifest)]
    found, link = _read_file(options.file, folder, manifest)
    links.append(link)
    if found is not None:
        links += (content_link(found, _report(folder)), _package_link(found, build))
    status = UNKNOWN if is_broken(links) else KNOWN if is_whole(links) else NOTHING
    if options.json:
        listed = [entry.as_json() for entry in links]
        print(
            json.dumps(
                {"file": options.file, "manifest": build.name, "holds": status == KNOWN, "links": listed}, indent=2
            )
        )
        return status
    print(f"{options.file} in {build.name}, {build.signer or 'not signed'}\n")
    for entry in links:
        mark = {True: "holds", False: "BROKEN", None: "not checked"}[entry.holds]
        print(f"{entry.of}\n  → {entry.to}\n    {mark}: {entry.detail}")
    return status


def _image(named: list[Path]) -> Path:
    """The one folder of an image that was named."""
    folders = [path if path.is_dir() else path.parent for path in named]
    if len(folders) != 1:
        raise UsageError("--file needs one image", hint="name its folder with --manifest DIR")
    return folders[0]


def _build(folder: Path, options: argparse.Namespace) -> Build:
    for name in (built.SIGNED_MANIFEST, built.MANIFEST):
        if (folder / name).is_file():
            return read_build(folder / name, owners(options.owner))
    msg = f"{folder} is no image: it has no manifest"
    raise UsageError(msg)


def _value(subject: str | None) -> bytes | None:
    """The launch digest to begin with: typed, or in evidence; None for that of the declared shape."""
    if subject is None:
        return None
    value = value_of(subject)
    if value is not None:
        return value
    values = carried(recognise.evidence_from(read_bytes(Path(subject), kinds.LIMIT))).values
    return next((entry.value for entry in values if entry.register == "launch_digest"), None)


def _measured(manifest: Manifest, value: bytes | None) -> Iterator[Link]:
    """From launch digests: of each platform that has a rule, or of the one that the value is of."""
    ruled = [rule.platform for rule in manifest.launches]
    made = [launch_link(manifest, platform, value=value) for platform in dict.fromkeys(ruled)]
    if value is not None:
        made = [link for link in made if link.holds] or made[:1]
    yield from made
    if not made:
        detail = "the manifest has no launch rules: build the image again"
        yield Link(of=f"{Platform.SNP.value} launch digest", to="command line", holds=None, detail=detail)


def _files(folder: Path, manifest: Manifest) -> Iterator[Link]:
    """The command line beside the manifest is the one in it."""
    path = folder / built.COMMAND_LINE
    if path.is_file():
        same = read_bytes(path, 1 << 16) == manifest.command_line.encode()
        detail = "byte for byte" if same else "they differ"
        yield Link(of="command line", to=f"the file {path.name}", holds=same, detail=detail)


def _read_file(wanted: str, folder: Path, manifest: Manifest) -> tuple[Found | None, Link]:
    try:
        with (folder / built.ROOT).open("rb") as data, (folder / built.ROOT_HASHES).open("rb") as hashes:

            def reader(file: io.BufferedReader, offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size).ljust(size, b"\0")  # a short file then has another digest

            return find_file(
                wanted,
                manifest,
                lambda offset, size: reader(data, offset, size),
                lambda offset, size: reader(hashes, offset, size),
            )
    except OSError as error:
        return None, Link(of="root hash", to=wanted, holds=None, detail=f"the image is not here: {error}")


def _report(folder: Path) -> dict[str, str] | None:
    path = folder / built.REPORT
    return report_files(read_bytes(path, 64 << 20)) if path.is_file() else None


def _package_link(found: Found, build: Build) -> Link:
    """The package of the image that has the file, with the very same content."""
    of = f"sha256 {hashlib.sha256(found.content).hexdigest()[:16]}…"
    if not build.packages:
        return Link(of=of, to="package", holds=None, detail="the list of packages is not beside the manifest")
    missing = [one for one in build.packages if not _in_pool(one).is_file()]
    for package in build.packages:
        if package in missing:
            continue
        member = _member(package, found.path)
        if member is not None:
            return _compare(of, package, member, found)
    if missing:
        detail = f"{len(missing)} packages are not in the pool ({paths.pool()}), {missing[0].name} among them"
        return Link(of=of, to="package", holds=None, detail=detail)
    detail = f"none of {len(build.packages)} packages has this file: warily's build made it, or a package's script"
    return Link(of=of, to="no package", holds=True, detail=detail)


def _compare(of: str, package: Component, member: str, found: Found) -> Link:
    """The package's own bytes: those of the digest in the list, and in them the file."""
    to = f"package {package.name} {package.version}"
    path = _in_pool(package)
    if hashlib.sha256(read_bytes(path, MAX_PACKAGE)).digest() != package.sha256:
        return Link(of=of, to=to, holds=False, detail=f"the pool's copy is not the package of the list ({path.name})")
    archive = run_program([find("dpkg-deb", package="dpkg"), "--fsys-tarfile", path], timeout=TIMEOUT)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        inside = tar.extractfile(member)
        content = b"" if inside is None else inside.read()
    same = content == found.content
    detail = f"{package.sha256.hex()[:16]}…, as the list of packages has it, contains ./{member.removeprefix('./')} "
    detail += "byte for byte" if same else "with other bytes: the build changed the file"
    return Link(of=of, to=to, holds=same, detail=detail)


def _member(package: Component, path: str) -> str | None:
    """The name in the package's archive of the file at a path of the root; None where it has no such file."""
    try:
        sums = run_program([find("dpkg-deb", package="dpkg"), "--info", _in_pool(package), "md5sums"], timeout=TIMEOUT)
    except HostError:
        return None  # a package without regular files
    names = {line[34:] for line in sums.decode("utf-8", "replace").splitlines()}
    plain = path.lstrip("/")
    wanted = [plain]
    if plain.startswith("usr/") and plain.removeprefix("usr/").startswith(MERGED):
        wanted.append(plain.removeprefix("usr/"))
    return next((f"./{name}" for name in wanted if name in names), None)


def _in_pool(package: Component) -> Path:
    return paths.pool() / f"{package.sha256.hex()}.deb"
