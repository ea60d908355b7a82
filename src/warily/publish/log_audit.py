"""Is a log what it says: signed, whole, and still beginning with everything it ever showed?

Every entry is read, hashed and compared, up to the signed root. A log that was rewritten, or that shows one history
here and another there, cannot be consistent with a checkpoint seen before.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from warily.core.finding import Finding, failed, passed
from warily.errors import FormatError
from warily.formats.signed_note import SignedNote, VerifierKey
from warily.formats.tlog_checkpoint import Checkpoint
from warily.formats.tlog_tiles import WIDTH, levels, tile_width
from warily.publish.log_entry import LogEntry
from warily.publish.merkle import Nodes, leaf_hash, nodes_over, root_hash
from warily.publish.note import seen_by
from warily.publish.tiled_log import Read, TiledLog

CHECKS: Final[Mapping[str, str]] = {
    "log.checkpoint.signature": "the checkpoint is signed by the log's key",
    "log.checkpoint.origin": "the checkpoint is of the log that the key names",
    "log.witness": "each required witness has cosigned the checkpoint",
    "log.tiles": "every tile holds the hashes of what lies below it",
    "log.root": "the entries lead to the signed root",
    "log.consistent": "the log begins with every tree that was seen before",
    "log.entries": "every entry is well formed, and no version of an image is logged twice or out of order",
}


def audit(
    read: Read, note: SignedNote, *, key: VerifierKey, witnesses: Sequence[VerifierKey], seen: Sequence[SignedNote]
) -> tuple[Finding, ...]:
    """Findings about the log under the checkpoint `note`; `seen` are checkpoints from earlier or from elsewhere.

    Raises `FormatError` where the log cannot be read at all. The first failure ends it, as all later ones follow.
    """
    findings = [*_signed(note, key, witnesses)]
    if findings[-1].outcome != "pass":
        return tuple(findings)
    checkpoint = Checkpoint.decode(note.text)
    log = TiledLog(read, checkpoint.size)
    entries = list(log.entries())
    nodes = nodes_over([leaf_hash(entry) for entry in entries])
    findings.append(_tiles(log, nodes))
    findings.append(_root(checkpoint, nodes))
    findings += [_consistent(checkpoint, nodes, other, key) for other in seen]
    findings.append(_entries(entries))
    return tuple(findings)


def _signed(note: SignedNote, key: VerifierKey, witnesses: Sequence[VerifierKey]) -> list[Finding]:
    if seen_by(note, key) is None:
        return [
            failed(
                "log.checkpoint.signature",
                expected=f"signed by {key.name}+{key.key_id.hex()}",
                found=", ".join(f"{line.name}+{line.key_id.hex()}" for line in note.signatures) or "no signature",
                hint="compare the key with the one the log's operator publishes",
            )
        ]
    found = [passed("log.checkpoint.signature", key.name)]
    origin = note.text.partition("\n")[0]
    if origin != key.name:
        return [*found, failed("log.checkpoint.origin", expected=key.name, found=origin)]
    found.append(passed("log.checkpoint.origin", origin))
    for witness in witnesses:
        if seen_by(note, witness) is None:
            return [*found, failed("log.witness", expected=f"cosigned by {witness.name}", found="no such cosignature")]
        found.append(passed("log.witness", witness.name))
    return found


def _tiles(log: TiledLog, nodes: Nodes) -> Finding:
    for level in range(levels(log.size)):
        for index in range(-(-(log.size >> (8 * level)) // WIDTH)):
            width = tile_width(log.size, level, index)
            wanted = tuple(nodes(8 * level, index * WIDTH + at) for at in range(width))
            if log.tile(level, index) != wanted:
                place = f"tile {index} of level {level}"
                return failed("log.tiles", expected=f"{place} as its entries hash", found="other hashes")
    return passed("log.tiles", f"{log.size} entries")


def _root(checkpoint: Checkpoint, nodes: Nodes) -> Finding:
    found = root_hash(nodes, checkpoint.size)
    if found != checkpoint.root:
        return failed(
            "log.root",
            expected=checkpoint.root.hex(),
            found=found.hex(),
            hint="the entries are not those that were signed",
        )
    return passed("log.root", checkpoint.root.hex())


def _consistent(checkpoint: Checkpoint, nodes: Nodes, other: SignedNote, key: VerifierKey) -> Finding:
    """The tree that `other` heads is a prefix of this one, or, when it is larger, this one cannot be judged by it."""
    if seen_by(other, key) is None:
        raise FormatError("a checkpoint given for comparison is not signed by the log", hint="it proves nothing")
    older = Checkpoint.decode(other.text)
    if older.size > checkpoint.size:
        return failed(
            "log.consistent",
            expected=f"at least the {older.size} entries that were seen before",
            found=f"{checkpoint.size} entries",
            hint="the log went back; keep both checkpoints, they prove it",
        )
    found = root_hash(nodes, older.size)  # a prefix is made of the same complete subtrees
    if found != older.root:
        return failed(
            "log.consistent",
            expected=f"the first {older.size} entries under the root {older.root.hex()}",
            found=found.hex(),
            hint="the log was rewritten, or shows others other entries; keep both checkpoints, they prove it",
        )
    return passed("log.consistent", f"begins with the {older.size} entries seen before")


def _entries(entries: Sequence[bytes]) -> Finding:
    latest: dict[str, int] = {}
    for at, data in enumerate(entries):
        try:
            entry = LogEntry.decode(data)
        except FormatError as error:
            return failed("log.entries", expected=f"entry {at} names a version of an image", found=str(error))
        if entry.version <= latest.get(entry.name, 0):
            return failed(
                "log.entries",
                expected=f"entry {at}: a version of {entry.name} over {latest[entry.name]}",
                found=str(entry.version),
            )
        latest[entry.name] = entry.version
    return passed("log.entries", ", ".join(f"{name} up to version {number}" for name, number in sorted(latest.items())))
