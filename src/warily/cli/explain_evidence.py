"""What `warily explain` does with evidence: each value apart, then what logs and the other values say of the rest."""

import argparse
import json
from collections import Counter
from pathlib import Path

from warily.cli.explain_known import explainer_of
from warily.cli.explain_log import by_log, log_told, print_log
from warily.cli.explain_output import KNOWN, NOTHING, NOTHING_SAID, UNKNOWN, UNKNOWN_SAID, print_known, print_nearest
from warily.cli.explain_sources import read_bytes
from warily.cli.explain_value import TDX, TPM
from warily.core.evidence import TdxEvidence, TpmEvidence
from warily.errors import UsageError
from warily.explain.answer import Answer
from warily.explain.evidence import Carried, Value, carried
from warily.explain.explainer import Explainer
from warily.formats import tcg_log
from warily.formats.tcg_log import EventLog
from warily.verify import kinds, recognise


def explain_evidence(path: Path, options: argparse.Namespace) -> int:
    """Every value of the evidence, and the logs that came with it."""
    evidence = recognise.evidence_from(read_bytes(path, kinds.LIMIT))
    found = carried(evidence)
    given = (*found.logs, *(read_bytes(entry, tcg_log.LIMIT) for entry in options.log))
    logs = [EventLog.decode(log) for log in given]
    if options.log and not isinstance(evidence, TdxEvidence | TpmEvidence):
        raise UsageError("only a TD and a TPM have registers that an event log could explain")
    explainer = explainer_of(options, boots=TDX & {found.platform} | TPM & {found.platform}, logs=logs)
    answers = [
        explainer.explain(value.value, register=_looked_up(value.register), near=value.identity)
        for value in found.values
    ]
    told = [log_told(log, explainer, found) for log in logs]
    answers = [_narrowed(value, answers, explainer, told) for value in zip(found.values, answers, strict=True)]
    return _print_evidence(found, answers, told, explainer, as_json=options.json)


def _looked_up(register: str) -> str:
    """Registers that builds are looked through for; other values may be anything."""
    return register if register.startswith(("rtmr", "pcr", "mrtd", "launch")) else ""


def _narrowed(
    pair: tuple[Value, Answer],
    answers: list[Answer],
    explainer: Explainer,
    told: list[dict[str, object]],
) -> Answer:
    """The answer; where it proves nothing, with what the logs and the other registers say of the value."""
    value, answer = pair
    if answer.known or any(near.certain for near in answer.nearest) or not value.identity:
        return answer
    nearest = tuple(near for log in told for near in by_log(log, value.register, value.value))
    if not nearest:
        agreeing = Counter(
            file for other in answers for file in {str(entry.fields.get("file", "")) for entry in other.known}
        )
        nearest = explainer.unproven(_looked_up(value.register), len(value.value), agreeing)
    return Answer(known=(), nearest=nearest, searched=answer.searched)


def _print_evidence(
    found: Carried, answers: list[Answer], told: list[dict[str, object]], explainer: Explainer, *, as_json: bool
) -> int:
    wanted = [answer for value, answer in zip(found.values, answers, strict=True) if value.identity]
    known = bool(wanted) and all(answer.known for answer in wanted)
    if not wanted:
        known = any(answer.known for answer in answers)
    status = KNOWN if known else UNKNOWN if explainer.has_something else NOTHING
    if as_json:
        print(json.dumps(_evidence_json(found, answers, told, known=known), indent=2))
        return status
    print(f"{found.kind}\n" + "".join(f"  {fact}\n" for fact in found.facts))
    for value, answer in zip(found.values, answers, strict=True):
        print(f"{value.register}  {value.value.hex()}" + (f"  ({value.meaning})" if value.meaning else ""))
        for entry in answer.known:
            print_known(entry, "  ")
        if not answer.known:
            print(
                f"  {UNKNOWN_SAID if explainer.has_something else NOTHING_SAID}"
                if value.identity
                else "  not published"
            )
        for near in answer.nearest:
            print_nearest(near, "  ")
    for log in told:
        print_log(log)
    return status


def _evidence_json(
    found: Carried, answers: list[Answer], told: list[dict[str, object]], *, known: bool
) -> dict[str, object]:
    values = [
        {
            "name": value.register,
            "value": value.value.hex(),
            "identity": value.identity,
            "known": bool(answer.known),
            "means": [entry.sentence for entry in answer.known],
        }
        for value, answer in zip(found.values, answers, strict=True)
    ]
    return {
        "kind": found.kind,
        "all_known": known,
        "known": [entry.as_json() for answer in answers for entry in answer.known],
        "nearest": [
            entry.as_json() | {"of": value.register}
            for value, answer in zip(found.values, answers, strict=True)
            for entry in answer.nearest
        ],
        "values": values,
        "facts": list(found.facts),
        "logs": told,
    }
