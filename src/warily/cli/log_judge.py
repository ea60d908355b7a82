"""What `warily log` decides: audit, witness, verify."""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from warily.cli.inputs import read_file, read_time
from warily.cli.log_actions import KEY
from warily.cli.owners import owners
from warily.core.appraisal import CLEAN
from warily.core.finding import Finding, Waived
from warily.errors import UsageError
from warily.formats.signed_note import SignatureType, SignedNote, VerifierKey
from warily.formats.tlog_checkpoint import Checkpoint
from warily.formats.tlog_proof import LogProof
from warily.formats.tlog_tiles import CHECKPOINT
from warily.host import keys, log_folder, paths
from warily.publish.log_audit import audit
from warily.publish.logged import LogExpect, check_logged
from warily.publish.note import cosign, read_key, verifier_key
from warily.release.signing import verify_manifest

REJECTED = 10


def audit_log(options: argparse.Namespace) -> int:
    """The findings; the head is remembered when nothing is wrong with it."""
    _, _, findings = _audited(options)
    return _report(options, findings, {})


def witness(options: argparse.Namespace) -> int:
    """The head carries your cosignature, if the audit found nothing against it."""
    note, _, findings = _audited(options)
    key = keys.signing_key("witness")
    public = verifier_key(options.name, keys.public_bytes(key), SignatureType.COSIGNATURE)
    if _clean(findings):
        now = int(datetime.now(UTC).timestamp())  # noqa: TID251  # the command line is where the clock is read
        line = cosign(note.text, options.name, key, time=now)
        kept = tuple(other for other in note.signatures if (other.name, other.key_id) != (line.name, line.key_id))
        with log_folder.writing(options.log):
            if SignedNote.decode(log_folder.read(options.log, CHECKPOINT)).text != note.text:
                raise UsageError("the log grew meanwhile", hint="run it again")
            fresh = SignedNote(text=note.text, signatures=(*kept, line))
            log_folder.write(options.log, {CHECKPOINT: fresh.encode()})
    return _report(options, findings, {"witness": public.encode()})


def verify(options: argparse.Namespace) -> int:
    """The findings about one manifest and its proof."""
    envelope = read_file(options.signed)
    manifest = verify_manifest(envelope, owners(options.owner))
    proof = LogProof.decode(read_file(options.proof))
    want = log_expectation(proof, options, key=options.key)
    findings = check_logged(proof, envelope, want, at=read_time(options.at))
    return _report(options, findings, {"name": manifest.name})


def log_expectation(proof: LogProof, options: argparse.Namespace, *, key: str | None) -> LogExpect:
    """What the options want of a log, whose `key` is your own where none is named. Raises `UsageError`."""
    witnesses = tuple(read_key(word) for word in options.witness)
    quorum = len(witnesses) if options.quorum is None else options.quorum
    if not 0 <= quorum <= len(witnesses):
        msg = f"--quorum {quorum}: {len(witnesses)} witnesses are named"
        raise UsageError(msg)
    return LogExpect(
        log=_log_key(key, proof.checkpoint),
        witnesses=witnesses,
        quorum=quorum,
        at_least=Waived("no --at-least was given") if options.at_least is None else options.at_least,
        max_age=Waived("no --max-age was given") if options.max_age is None else timedelta(days=options.max_age),
    )


def _audited(options: argparse.Namespace) -> tuple[SignedNote, VerifierKey, tuple[Finding, ...]]:
    note = SignedNote.decode(log_folder.read(options.log, CHECKPOINT))
    key = _log_key(options.key, note)
    memory = options.remember or paths.seen() / f"log-{key.key_id.hex()}"
    seen = [SignedNote.decode(read_file(path)) for path in (*options.seen, *([memory] if memory.exists() else []))]
    witnesses = [read_key(word) for word in options.witness]
    findings = audit(lambda name: log_folder.read(options.log, name), note, key=key, witnesses=witnesses, seen=seen)
    if _clean(findings):
        _remember(memory, note)
    return note, key, findings


def _remember(memory: Path, note: SignedNote) -> None:
    """The newest accepted head, for the next audit. An older one never takes its place."""
    if memory.exists():
        before = Checkpoint.decode(SignedNote.decode(read_file(memory)).text)
        if before.size > Checkpoint.decode(note.text).size:
            return
    log_folder.write(memory.parent, {memory.name: note.encode()})


def _log_key(word: str | None, note: SignedNote) -> VerifierKey:
    """The named key; else the user's own, under the name that the checkpoint gives its log."""
    if word is not None:
        return read_key(word)
    origin = Checkpoint.decode(note.text).origin
    return verifier_key(origin, keys.public_bytes(keys.signing_key(KEY)), SignatureType.ED25519)


def _clean(findings: Sequence[Finding]) -> bool:
    return bool(findings) and all(finding.outcome in CLEAN for finding in findings)


def _report(options: argparse.Namespace, findings: Sequence[Finding], more: dict[str, object]) -> int:
    accepted = _clean(findings)
    if options.json:
        rows = [finding.as_json() for finding in findings]
        print(json.dumps({"accepted": accepted, **more, "findings": rows}, indent=2))
        return 0 if accepted else REJECTED
    for finding in findings:
        said = f"{finding.found}" if finding.outcome in CLEAN else f"expected {finding.expected}; found {finding.found}"
        print(f"  {finding.outcome.value:<6} {finding.check:<26} {said}")
        if finding.hint and finding.outcome not in CLEAN:
            print(f"         {finding.hint}")
    for name, value in more.items():
        print(f"  {name}: {value}")
    print("accepted" if accepted else "refused")
    return 0 if accepted else REJECTED
