"""A manifest for people: parts, packages, shapes, registers, and what stays open until a host is known."""

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest
from warily.core.sbom import LIMIT as MAX_SBOM
from warily.core.sbom import Component, read_sbom

REJECTED: Final = 10
GIB: Final = 1 << 30
MIB: Final = 1 << 20
CHUNK: Final = 1 << 20
AS_SIGNED, ABSENT = "as the manifest says", "not there"


def show(manifest: Manifest, status: str, options: argparse.Namespace) -> int:
    """Print the manifest and what its files beside it are worth; 10 where `--files` finds one that is another."""
    folder: Path = options.file.parent
    files = {part.name: _state(folder / part.name, part) for part in manifest.ingredients} if options.files else {}
    if options.json:
        print(json.dumps(manifest.as_json() | ({"files": files} if options.files else {}), indent=2))
    else:
        print("\n".join(_lines(manifest, status, files, folder, all_packages=options.packages)))
    return 0 if all(state == AS_SIGNED for state in files.values()) else REJECTED


def _state(path: Path, part: Ingredient) -> str:
    """What the file is, measured against the ingredient."""
    running, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while (chunk := file.read(CHUNK)) and size <= part.size:
                running.update(chunk)
                size += len(chunk)
    except OSError:
        return ABSENT
    return AS_SIGNED if (size, running.digest()) == (part.size, part.sha256) else "another file"


def _lines(
    manifest: Manifest, status: str, files: dict[str, str], folder: Path, *, all_packages: bool
) -> Iterator[str]:
    yield f"{manifest.name}  Debian {manifest.suite}  ({status})\n"
    for part in manifest.ingredients:
        yield f"  {part.role:<20} {part.size:>12}  {part.sha256.hex()}  {files.get(part.name, '')}".rstrip()
    yield f"\n  root hash            {manifest.root.root_hash.hex()}"
    yield f"  command line         {manifest.command_line}"
    size = manifest.memory
    memory = f"{size // GIB} GiB" if size % GIB == 0 else f"{size // MIB} MiB"
    yield f"  declared shape       {manifest.cpus} vCPUs, {memory}, {manifest.cpu}"
    yield from _packages(manifest, folder, all_packages=all_packages)
    for platform in manifest.platforms:
        yield from _platform(manifest, platform)


def _packages(manifest: Manifest, folder: Path, *, all_packages: bool) -> Iterator[str]:
    """The list of packages beside the manifest, if it is the one that the manifest names."""
    part = next((part for part in manifest.ingredients if part.role == "sbom"), None)
    if part is None or part.size > MAX_SBOM:
        return
    found = _state(folder / part.name, part)
    if found != AS_SIGNED:
        yield f"  packages             {part.name} beside the manifest: {found}"
        return
    listed = read_sbom((folder / part.name).read_bytes())
    yield f"  packages             {len(listed)}, in {part.name}, which the manifest names by digest"
    for one in listed if all_packages else ():
        yield f"    {_package(one)}"


def _package(one: Component) -> str:
    return f"{one.name:<32} {one.version:<32} {one.sha256.hex()}".rstrip()


def _platform(manifest: Manifest, platform: Platform) -> Iterator[str]:
    """The registers of the declared shape, then what rules there are for others, and what is open."""
    yield f"\n  {platform.value}"
    usual = manifest.declared(platform)
    others = sum(entry.platform is platform for entry in manifest.registers) - len(usual)
    for entry in usual:
        yield f"    {entry.register:<14} {entry.value.hex()}"
    events = [rule for rule in manifest.events if rule.platform is platform]
    said = {
        f"{others} values for other shapes and hosts": others > 0,
        "a rule for any number of processors": any(rule.platform is platform for rule in manifest.launches),
        f"{len(events)} events for any shape": bool(events),
    }
    rest = ", ".join(text for text, there in said.items() if there)
    yield f"    {'and' if usual else 'no value;'} {rest or 'no rule'}"
    inputs = dict.fromkeys(rule.ingredient for rule in events if rule.ingredient and (rule.digests or rule.td_hob))
    if inputs:
        yield f"    events depend on {', '.join(inputs)}"
    for rule in events:
        if not (rule.digests or rule.td_hob or rule.when):
            yield f"    open: {rule.name}: {rule.because}"
