"""Is a signed manifest in a log that the relying party trusts, cosigned, recent and not outdated? Offline."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from warily.core.finding import Finding, Waived, failed, passed, waived
from warily.errors import FormatError
from warily.formats.signed_note import SignedNote, VerifierKey
from warily.formats.tlog_checkpoint import Checkpoint
from warily.formats.tlog_proof import LogProof
from warily.publish.log_entry import LogEntry
from warily.publish.merkle import leaf_hash, root_from_inclusion
from warily.publish.note import seen_by

CHECKS: Final[Mapping[str, str]] = {
    "logged.signature": "the proof's checkpoint is signed by the log",
    "logged.witness": "as many of the trusted witnesses as are wanted have cosigned it",
    "logged.inclusion": "the entry is in the tree that the checkpoint heads",
    "logged.manifest": "the entry is about this very signed manifest",
    "logged.version": "the version is at least the wanted one",
    "logged.age": "a witness, or else the entry, dates it within the wanted age",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExpect:
    """What a relying party wants of a log proof. `quorum` of the `witnesses` must have cosigned the checkpoint."""

    log: VerifierKey
    witnesses: tuple[VerifierKey, ...]
    quorum: int
    at_least: int | Waived
    max_age: timedelta | Waived


def check_logged(proof: LogProof, envelope: bytes, want: LogExpect, *, at: datetime) -> tuple[Finding, ...]:
    """Findings about the proof for the signed manifest `envelope` at the time `at`; the first failure ends them.

    Raises `FormatError` where the proof carries no entry, or a malformed one.
    """
    if proof.extra is None:
        raise FormatError("log proof: does not carry the entry it is about", hint="make it with `warily log prove`")
    entry = LogEntry.decode(proof.extra)
    checkpoint = Checkpoint.decode(proof.checkpoint.text)
    findings: list[Finding] = []
    for finding in (
        _signature(proof.checkpoint, checkpoint, want),
        _witness(proof.checkpoint, want),
        _inclusion(proof, checkpoint),
        _manifest(entry, envelope),
    ):
        findings.append(finding)
        if finding.outcome != "pass":
            return tuple(findings)
    return (*findings, _version(entry, want), _age(entry, proof.checkpoint, want, at))


def _signature(note: SignedNote, checkpoint: Checkpoint, want: LogExpect) -> Finding:
    if checkpoint.origin != want.log.name or seen_by(note, want.log) is None:
        return failed(
            "logged.signature",
            expected=f"a checkpoint of {want.log.name}, signed by {want.log.key_id.hex()}",
            found=f"origin {checkpoint.origin}, no good signature by that key",
        )
    return passed("logged.signature", want.log.name)


def _witness(note: SignedNote, want: LogExpect) -> Finding:
    # A cosignature does not name its cosigner, so one key counts once under however many names.
    distinct = {witness.public: witness for witness in want.witnesses if seen_by(note, witness) is not None}
    names = [witness.name for witness in distinct.values()]
    if len(names) < want.quorum:
        return failed(
            "logged.witness",
            expected=f"{want.quorum} of {len(want.witnesses)} witnesses",
            found=", ".join(names) or "none of them",
            hint="have the checkpoint cosigned with `warily log witness`, and prove again",
        )
    return passed("logged.witness", ", ".join(names) or "none is asked for")


def _inclusion(proof: LogProof, checkpoint: Checkpoint) -> Finding:
    entry = b"" if proof.extra is None else proof.extra
    root = root_from_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.path)
    if root != checkpoint.root:
        return failed(
            "logged.inclusion",
            expected=f"entry {proof.index} of {checkpoint.size} under the root {checkpoint.root.hex()}",
            found="a path that leads elsewhere" if root else "a path that fits no such tree",
        )
    return passed("logged.inclusion", f"entry {proof.index} of {checkpoint.size}")


def _manifest(entry: LogEntry, envelope: bytes) -> Finding:
    found = hashlib.sha256(envelope).digest()
    if found != entry.envelope:
        return failed("logged.manifest", expected=entry.envelope.hex(), found=found.hex(), hint="prove this manifest")
    return passed("logged.manifest", f"{entry.name} version {entry.version}")


def _version(entry: LogEntry, want: LogExpect) -> Finding:
    if isinstance(want.at_least, Waived):
        return waived("logged.version", want.at_least)
    if entry.version < want.at_least:
        return failed(
            "logged.version",
            expected=f"version {want.at_least} or later",
            found=f"version {entry.version}",
            hint="this version is no longer accepted; use a later image",
        )
    return passed("logged.version", f"version {entry.version}")


def _age(entry: LogEntry, note: SignedNote, want: LogExpect, at: datetime) -> Finding:
    """The latest word of a trusted witness that the log stood like this, else the time the entry gives itself."""
    if isinstance(want.max_age, Waived):
        return waived("logged.age", want.max_age)
    seen = [cosigned.time for witness in want.witnesses if (cosigned := seen_by(note, witness)) is not None]
    stamps = [stamp for stamp in seen if stamp is not None and stamp < _FAR]
    dated = datetime.fromtimestamp(max(stamps), tz=UTC) if stamps else entry.issued
    whose = "a witness" if stamps else "the entry itself"
    age = at - dated
    if not timedelta(0) <= age <= want.max_age:
        return failed(
            "logged.age",
            expected=f"at most {want.max_age.days} days before {at.isoformat()}",
            found=f"{dated.isoformat()}, says {whose}",
            hint="fetch a newer proof from the log",
        )
    return passed("logged.age", f"{dated.isoformat()}, says {whose}")


_FAR: Final = 253_402_300_800  # seconds; the year 10000, which datetime does not know
