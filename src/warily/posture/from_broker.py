"""What a broker's operator interface says of one machine, as facts. Pure: the answer in, facts out.

    GET /v1/operator/appraisals/IDENTITY → {"identity", "accepted", "refused", "volumes", "session"}

`accepted` and `refused` hold the latest evidence of either kind, or null:
{"at", "accepted", "code", "detail", "session", "appraisal", "evidence"}. The appraisal is the broker's own
word; whoever asks trusts the broker they ask.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from warily.core.appraisal import Appraisal
from warily.core.finding import Finding, Outcome
from warily.core.manifest import Manifest
from warily.errors import FormatError
from warily.formats import cmw, guest_state
from warily.formats._json import JsonObject
from warily.formats.guest_state import GuestState
from warily.posture.facts import Facts, Release
from warily.verify.snp import REQUIRED

MAX_FINDINGS: Final = 256
GRANTED: Final = "granted"


def facts_from_broker(
    answer: dict[str, object], manifests: Iterable[Manifest], *, at: datetime, verifier_apart: bool = False
) -> Facts:
    """The facts of a stored appraisal, questioned at the time `at`. Raises `FormatError`.

    The latest accepted evidence is taken, and the latest refused where none was accepted.

    Of `manifests`, whose signatures the caller has verified, the one that predicts the launch digest counts.
    """
    members = answer.get("accepted") or answer.get("refused")
    if not isinstance(members, dict):
        msg = "operator's answer: neither accepted nor refused evidence"
        raise FormatError(msg)
    top = JsonObject(members, what="operator's answer")
    appraisal = _appraisal(top.object("appraisal"), members["appraisal"])
    evidence = cmw.decode(top.object("evidence"))
    accepted = top.flag("accepted") and top.text("code") == GRANTED
    release = Release(
        accepted=accepted,
        nonce_was_ours=appraisal.outcome_of("release.nonce") is Outcome.PASS,
        answered=_time(top.text("at")),
        granted=_granted(appraisal) if accepted else frozenset(),
        verifier_apart=verifier_apart,
    )
    state = evidence.get(guest_state.LABEL)
    return with_manifest(
        Facts(
            appraisal=appraisal,
            at=at,
            state=GuestState.decode(state.value) if state else None,
            release=release,
        ),
        manifests,
    )


def with_manifest(facts: Facts, manifests: Iterable[Manifest]) -> Facts:
    """The facts with the manifest that explains the launch digest, or with the last one where none does."""
    tried = [replace(facts, manifest=manifest) for manifest in manifests]
    explained = [one for one in tried if one.image is not None]
    return next(iter(explained), tried[-1] if tried else facts)


def _granted(appraisal: Appraisal) -> frozenset[str]:
    """The volumes that the broker found declared, and gave keys for."""
    declared = [finding for finding in appraisal.findings if finding.check == "release.volume"]
    found = [finding.found for finding in declared if finding.outcome is Outcome.PASS]
    return frozenset(name for text in found for name in text.split(", ") if name)


def _appraisal(source: JsonObject, members: dict[str, object]) -> Appraisal:
    """The appraisal, with the checks that this version requires of one."""
    source.object("claims")  # an object, or an error
    claims = members["claims"]
    anchor, rehearsal = source.text("anchor", limit=256), source.flag("rehearsal")
    if not rehearsal and anchor.startswith("rehearsal"):
        msg = f"{source.what}: it rests on a {anchor}, and says that it is no rehearsal"
        raise FormatError(msg)
    return Appraisal(
        platform=source.text("platform", limit=64),
        at=_time(source.text("at")),
        anchor=anchor,
        required=REQUIRED,
        findings=tuple(_finding(entry) for entry in source.objects("findings", limit=MAX_FINDINGS)),
        claims=claims if isinstance(claims, dict) else {},
        rehearsal=rehearsal,
    )


def _finding(entry: JsonObject) -> Finding:
    outcome = entry.text("outcome", limit=16)
    if outcome not in tuple(Outcome):
        msg = f"{entry.what}: unknown outcome {outcome!r}"
        raise FormatError(msg)
    return Finding(
        check=entry.text("check", limit=64),
        outcome=Outcome(outcome),
        expected=entry.text("expected"),
        found=entry.text("found"),
        hint=entry.text("hint"),
    )


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = f"operator's answer: {text[:64]!r} is not a time with its zone"
    raise FormatError(msg)
