"""What `warily log` does to a log and shows of it: init, add, prove, show."""

import argparse
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warily.cli.inputs import read_file
from warily.cli.owners import owners
from warily.errors import UsageError
from warily.formats.signed_note import SignatureType, SignedNote
from warily.formats.tlog_checkpoint import Checkpoint
from warily.formats.tlog_proof import LogProof
from warily.formats.tlog_tiles import CHECKPOINT
from warily.host import keys, log_folder
from warily.publish.log_entry import LogEntry, entry_for
from warily.publish.note import sign, verifier_key
from warily.publish.tiled_log import Read, TiledLog, files_after
from warily.release.signing import ManifestRefused, verify_manifest

KEY = "log"


def init(options: argparse.Namespace) -> int:
    """An empty log is in the folder; its key is printed."""
    if log_folder.exists(options.log):
        msg = f"{options.log} holds a log already"
        raise UsageError(msg)
    key = keys.signing_key(KEY)
    public = verifier_key(options.origin, keys.public_bytes(key), SignatureType.ED25519)
    with log_folder.writing(options.log):
        empty = TiledLog(_reader(options.log), 0)
        log_folder.write(options.log, {CHECKPOINT: _head(options.origin, empty, key).encode()})
    _say(options, {"origin": options.origin, "key": public.encode(), "size": 0}, public.encode())
    return 0


def add(options: argparse.Namespace) -> int:
    """Every manifest is in the log, each once, under a head signed by your log key."""
    if options.version is not None and (len(options.signed) != 1 or options.version < 1):
        raise UsageError("--version is for one manifest, and counts from 1")
    trusted = owners(options.owner)
    with log_folder.writing(options.log):
        head, log = open_log(options.log)
        known = [LogEntry.decode(data) for data in log.entries()]
        fresh: list[LogEntry] = []
        for path in options.signed:
            entry = _entry(read_file(path), trusted, known + fresh, options.version)
            if entry is not None:
                fresh.append(entry)
        if fresh:
            _append(options.log, head, log, [entry.encode() for entry in fresh])
    rows = [{"name": entry.name, "version": entry.version, "index": log.size + at} for at, entry in enumerate(fresh)]
    text = "\n".join(f"entry {row['index']}: {row['name']} version {row['version']}" for row in rows)
    _say(options, {"added": rows, "size": log.size + len(fresh)}, text or "nothing new: already in the log")
    return 0


def prove(options: argparse.Namespace) -> int:
    """The proof goes to standard output. Raises `UsageError` where the manifest is not in the log."""
    envelope = read_file(options.signed)
    note = SignedNote.decode(log_folder.read(options.log, CHECKPOINT))
    _, log = open_log(options.log)
    for index, data in enumerate(log.entries()):
        if LogEntry.decode(data).envelope == _digest(envelope):
            proof = LogProof(index=index, path=log.proof(index), checkpoint=note, extra=data).encode()
            sys.stdout.write(json.dumps({"proof": proof.decode()}) + "\n" if options.json else proof.decode())
            return 0
    msg = f"{options.signed} is not in the log"
    raise UsageError(msg, hint="add it with `warily log add`")


def show(options: argparse.Namespace) -> int:
    """The entries, oldest first."""
    head, log = open_log(options.log)
    entries = [LogEntry.decode(data) for data in log.entries()]
    rows = [json.loads(entry.encode()) for entry in entries]
    lines = [f"{head.origin}  {head.size} entries  root {head.root.hex()[:16]}…  (nothing checked)"]
    lines += [
        f"  {at:>6}  {entry.name} version {entry.version}  {entry.issued:%Y-%m-%d}  root {entry.root_hash.hex()[:16]}…"
        for at, entry in enumerate(entries)
    ]
    _say(
        options, {"origin": head.origin, "size": head.size, "root": head.root.hex(), "entries": rows}, "\n".join(lines)
    )
    return 0


def open_log(folder: Path) -> tuple[Checkpoint, TiledLog]:
    """The head that the folder shows, and the log below it; neither is verified."""
    head = Checkpoint.decode(SignedNote.decode(log_folder.read(folder, CHECKPOINT)).text)
    return head, TiledLog(_reader(folder), head.size)


def _reader(folder: Path) -> Read:
    return lambda name: log_folder.read(folder, name)


def _entry(envelope: bytes, trusted: frozenset[bytes], known: list[LogEntry], version: int | None) -> LogEntry | None:
    """The entry for a signed manifest, or None where it is logged already. Raises `ManifestRefused`."""
    if any(entry.envelope == _digest(envelope) for entry in known):
        return None
    verify_manifest(envelope, trusted)
    for owner in sorted(trusted):
        try:
            manifest = verify_manifest(envelope, frozenset({owner}))
        except ManifestRefused:
            continue
        last = max((entry.version for entry in known if entry.name == manifest.name), default=0)
        if version is not None and version <= last:
            msg = f"version {version} of {manifest.name}: the log already has version {last}"
            raise UsageError(msg)
        now = datetime.now(UTC)  # noqa: TID251  # the command line is where the clock is read
        return entry_for(envelope, manifest, owner=owner, version=version or last + 1, issued=now)
    raise ManifestRefused("manifest.signer", "no single trusted owner signed it")


def _append(folder: Path, head: Checkpoint, log: TiledLog, entries: list[bytes]) -> None:
    """The new tiles, then the new head. The old head must be what the files say, or nothing is written."""
    if log.root() != head.root:
        msg = f"{folder}: the files do not lead to the signed root"
        raise UsageError(msg, hint="run `warily log audit` to see what was changed")
    files = files_after(log, entries)
    grown = TiledLog(
        lambda name: files[name] if name in files else log_folder.read(folder, name), log.size + len(entries)
    )
    note = _head(head.origin, grown, keys.signing_key(KEY))
    log_folder.write(folder, files | {CHECKPOINT: note.encode()})


def _head(origin: str, log: TiledLog, key: Ed25519PrivateKey) -> SignedNote:
    text = Checkpoint(origin=origin, size=log.size, root=log.root()).encode()
    return SignedNote(text=text, signatures=(sign(text, origin, key),))


def _digest(envelope: bytes) -> bytes:
    return hashlib.sha256(envelope).digest()


def _say(options: argparse.Namespace, data: dict[str, object], text: str) -> None:
    print(json.dumps(data, indent=2) if options.json else text)
