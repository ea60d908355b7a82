"""What `warily explain` and `warily diff` compare with: manifests and what is beside them, published values, files."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from warily.core import built
from warily.core.manifest import LIMIT, Manifest
from warily.core.reference_value import ReferenceValue
from warily.core.sbom import Component, read_sbom
from warily.errors import FormatError, UsageError, WarilyError
from warily.explain.builds import Build, build_of, kept
from warily.explain.explainer import Reference
from warily.formats import swid_rim, tcg_log
from warily.formats._json import JsonObject
from warily.formats.dsse import Envelope
from warily.formats.tlog_proof import LogProof
from warily.measure.svsm import SVSM_INFO
from warily.publish import references
from warily.publish.log_entry import LogEntry
from warily.publish.sigstore import envelope_in
from warily.release.signing import ManifestRefused, verify_manifest

MAX_FILES: Final = 512
MAX_FILE: Final = 1 << 30
SMALL: Final = 16 << 20
FIRMWARE: Final = (built.FIRMWARE_SNP, built.FIRMWARE_REHEARSAL, built.FIRMWARE_TDX)
_INITRDS: Final = (b"070701", b"070702", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"\x02\x21\x4c\x18", b"BZh")
_KERNEL_NAMES: Final = ("vmlinuz", "kernel", "bzimage", "linux", "uki")
_INITRD_NAMES: Final = ("initrd", "initramfs")
_FIRMWARE_NAMES: Final = ("ovmf", "firmware", "edk2")


@dataclass(frozen=True, slots=True)
class Loose:
    """A file that no manifest names. `role` is `firmware`, `kernel`, `initrd`, `command line`, or empty."""

    role: str
    path: Path
    data: bytes = field(repr=False)


@dataclass(slots=True)
class Sources:
    """All that was named to compare with. `loose` by folder, which then is a build of its own."""

    builds: list[Build] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    loose: dict[Path, list[Loose]] = field(default_factory=dict)
    logs: list[tuple[Path, bytes]] = field(default_factory=list)


def read_sources(paths: Iterable[Path], *, owners: frozenset[bytes]) -> Sources:
    """What all files and folders hold. Raises `UsageError` for one that cannot be read, `FormatError` for nonsense."""
    found = Sources()
    for path in paths:
        if path.is_dir():
            _read_folder(path, owners, found)
        else:
            _read_one(path, owners, found)
    return found


def read_bytes(path: Path, limit: int = MAX_FILE) -> bytes:
    """The bytes of the file. Raises `UsageError` where it cannot be read, `FormatError` where it is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise UsageError(msg) from None
    if len(data) > limit:
        msg = f"{path}: over {limit} bytes"
        raise FormatError(msg)
    return data


def read_build(path: Path, owners: frozenset[bytes]) -> Build:
    """The build of a manifest, signed or not, with its list of packages and its log proof from beside it."""
    text = envelope_in(read_bytes(path, 2 * LIMIT))
    manifest, signer = _manifest(text, owners)
    folder = path.parent
    files = {name: read_bytes(folder / name, SMALL) for name in FIRMWARE if (folder / name).is_file()}
    return build_of(
        manifest,
        where=str(path),
        packages=_packages(folder, manifest),
        signer=signer,
        logged=_logged(path, text),
        files={} if manifest.launches else files,
    )


def is_manifest(data: bytes) -> bool:
    """Whether the bytes look like a manifest of ours, signed or not."""
    head = data[: 1 << 16].lstrip()
    return head.startswith(b"{") and (b'"warily/manifest/' in data or b'"payloadType"' in head)


def _read_folder(folder: Path, owners: frozenset[bytes], found: Sources) -> None:
    """A folder with a manifest is one build; others are looked through, each folder below likewise."""
    here = sorted(entry for entry in folder.iterdir() if entry.is_file())
    below = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(here) > MAX_FILES or len(below) > MAX_FILES:
        msg = f"{folder} holds over {MAX_FILES} files or folders"
        raise UsageError(msg)
    named = next((folder / name for name in (built.SIGNED_MANIFEST, built.MANIFEST) if (folder / name).is_file()), None)
    if named is not None:
        found.builds.append(read_build(named, owners))
        return
    for entry in here:
        if entry.stat().st_size <= MAX_FILE:
            _read_one(entry, owners, found, strict=False)
    for entry in below:
        _read_folder(entry, owners, found)


def _read_one(path: Path, owners: frozenset[bytes], found: Sources, *, strict: bool = True) -> None:
    data = read_bytes(path)
    if is_manifest(data):
        found.builds.append(read_build(path, owners))
    elif swid_rim.looks_like(data):
        found.references += _golden(path, data)
    elif tcg_log.is_log(data):
        found.logs.append((path, data))
    elif (role := role_of(path, data)) or not strict:
        if not (values := _references(path, data)):
            found.loose.setdefault(path.parent, []).append(Loose(role, path, data))
        found.references += values
    elif values := _references(path, data):
        found.references += values
    else:
        found.loose.setdefault(path.parent, []).append(Loose("", path, data))


def role_of(path: Path, data: bytes) -> str:
    """What part of a boot a file is, by its content, else by its name; empty where neither says."""
    name = path.name.lower()
    if name == "cmdline" or path.suffix == ".cmdline":
        return "command line"
    if _is_firmware(data):
        return "svsm" if SVSM_INFO in data[-4096:] else "firmware"
    if data.startswith(b"IGVM"):
        return "igvm"
    if data[0x202:0x206] == b"HdrS" or data[:2] == b"MZ":
        return "kernel"
    if data.startswith(_INITRDS):
        return "initrd"
    for role, begins in (("initrd", _INITRD_NAMES), ("kernel", _KERNEL_NAMES), ("firmware", _FIRMWARE_NAMES)):
        if name.startswith(begins):
            return role
    return ""


def _is_firmware(data: bytes) -> bool:
    footer = bytes.fromhex("de82b596b21ff745baeaa366c55a082d")
    return len(data) % 4096 == 0 and data[-48:-32] == footer


def _references(path: Path, data: bytes) -> list[Reference]:
    """The reference values in a file of another project's format; nothing where it is in none."""
    if len(data) > SMALL or not data[:1] or data[0] not in b"{\xd2\xd9\xa2\xa3\xa4\xa5":
        return []
    try:
        published = references.read(data)
    except FormatError:
        return []
    source = f"{path.name} ({published.format}, signature {published.signature})"
    return [Reference(source=source, value=value) for value in published.values]


def _golden(path: Path, data: bytes) -> Iterator[Reference]:
    """The values of a device's reference manifest, whose signature is not verified here."""
    manifest = swid_rim.SwidRim.decode(data)
    for golden in manifest.golden:
        for value in golden.values if golden.active else ():
            yield Reference(
                source=f"{path.name} (reference manifest, signature not verified)",
                value=ReferenceValue(
                    environment=f"{manifest.product} {manifest.version}",
                    name=f"measurement {golden.index}",
                    algorithm="sha384",
                    value=value,
                ),
            )


def _manifest(text: bytes, owners: frozenset[bytes]) -> tuple[Manifest, str]:
    """The manifest, and who signed it, in words."""
    top = JsonObject.parse(text, what="manifest", limit=2 * LIMIT)
    if "payload" not in top:
        return Manifest.decode(text), ""
    envelope = Envelope.decode(text)
    names = ", ".join(f"{entry.keyid[:16]}…" for entry in envelope.signatures)
    try:
        return verify_manifest(text, owners), f"signed by an owner you trust ({names})"
    except ManifestRefused as refused:
        statement = JsonObject.parse(envelope.payload, what="in-toto statement", limit=LIMIT)
        manifest = Manifest.read(statement.object("predicate"))
        if refused.check == "manifest.signer":
            return manifest, f"with a signature by {names} that was not checked (name the owner with --owner)"
        return manifest, f"with a signature that does not hold: {refused}"


def _packages(folder: Path, manifest: Manifest) -> tuple[Component, ...]:
    """The packages in the list beside the manifest, which must be the one that the manifest names."""
    path = folder / built.SBOM
    if not path.is_file():
        return ()
    text = read_bytes(path, 64 << 20)
    return read_sbom(text) if kept(text, manifest) else ()


def _logged(path: Path, envelope: bytes) -> str:
    """What a log proof beside the manifest says of it. Whether the log is to be trusted, `warily log` tells."""
    for proof in (path.with_name(path.name + ".tlog-proof"), *sorted(path.parent.glob("*.tlog-proof"))[:16]):
        if not proof.is_file():
            continue
        try:
            found = LogProof.decode(read_bytes(proof, 1 << 20))
            entry = LogEntry.decode(found.extra or b"")
        except WarilyError:
            continue
        if entry.envelope == hashlib.sha256(envelope).digest():
            name = found.checkpoint.text.partition("\n")[0]
            return f"logged {entry.issued:%Y-%m-%d} as version {entry.version}, entry {found.index} of {name}"
    return ""


def loose_in(sources: Sources, role: str) -> Sequence[Loose]:
    """All loose files of a role."""
    return [entry for files in sources.loose.values() for entry in files if entry.role == role]
