"""What `warily explain` does with a value, with evidence, with an event log, with a manifest, with any other file."""

import argparse
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from warily.cli.explain_known import explainer_of, owners
from warily.cli.explain_output import (
    KNOWN,
    NOTHING,
    NOTHING_SAID,
    UNKNOWN,
    UNKNOWN_SAID,
    print_answer,
    print_known,
    print_nearest,
)
from warily.cli.explain_sources import is_manifest, read_build, read_bytes, read_sources
from warily.core.evidence import TdxEvidence, TpmEvidence
from warily.errors import FormatError, UsageError
from warily.explain.answer import Answer, Known, Nearest
from warily.explain.boots import Boot
from warily.explain.diff import changed_inputs
from warily.explain.evidence import Carried, carried
from warily.explain.explainer import Explainer
from warily.explain.logs import Divergence, Line, compare, lines_of_boot, lines_of_log, registers_of
from warily.formats import tcg_log
from warily.formats.tcg_log import EventLog
from warily.measure.boot import is_of_td
from warily.verify import kinds, recognise

SHOWN_DIFFERENCES: Final = 40
SHA384: Final = 48
TDX: Final = frozenset({"tdx"})
TPM: Final = frozenset({"tpm"})


def explain_value(value: bytes, options: argparse.Namespace) -> int:
    """A value that was typed or pasted."""
    register = options.register.lower()
    tpm = register.startswith("pcr") or (not register and len(value) != SHA384)
    explainer = explainer_of(options, boots=TPM if tpm else TDX)
    answer = explainer.explain(value, register=register)
    return print_answer(answer, something=explainer.has_something, as_json=options.json)


def explain_path(path: Path, options: argparse.Namespace) -> int:
    """A file, or the folder of an image."""
    if path.is_dir():
        for name in ("manifest.dsse.json", "manifest.json"):
            if (path / name).is_file():
                return _explain_manifest(path / name, options)
        msg = f"{path} is a folder without a manifest"
        raise UsageError(msg, hint="name a file, or pass the folder with --manifest")
    data = read_bytes(path)
    if is_manifest(data):
        return _explain_manifest(path, options)
    if tcg_log.is_log(data):
        return _explain_log(data, options)
    if recognise.recognise(data) in kinds.EVIDENCE:
        return _explain_evidence(path, options)
    return _explain_bytes(path, data, options)


def _explain_manifest(path: Path, options: argparse.Namespace) -> int:
    """A manifest against all others."""
    trusted = owners(options.owner)
    subject = read_build(path, trusted)
    sources = read_sources(options.manifest, owners=trusted)
    known, nearest = [], []
    for build in sources.builds:
        inputs = changed_inputs(build, subject)
        if inputs:
            because = f"{len(inputs)} input{'s' if len(inputs) > 1 else ''} of the manifest differ"
            fields = {"file": build.where}
            nearest.append(Nearest(manifest=build.name, inputs=inputs, certain=True, because=because, fields=fields))
        else:
            sentence = f"the manifest of the same build as {build.where}"
            known.append(Known(value=b"", sentence=sentence, fields={"manifest": build.name, "file": build.where}))
    nearest.sort(key=lambda entry: len(entry.inputs))
    answer = Answer(known=tuple(known), nearest=() if known else tuple(nearest))
    return print_answer(answer, something=bool(sources.builds), as_json=options.json)


def _explain_evidence(path: Path, options: argparse.Namespace) -> int:
    """Every value of the evidence, and the logs that came with it."""
    evidence = recognise.evidence_from(read_bytes(path, kinds.LIMIT))
    found = carried(evidence)
    given = (*found.logs, *(read_bytes(entry, tcg_log.LIMIT) for entry in options.log))
    logs = [EventLog.decode(log) for log in given]
    if options.log and not isinstance(evidence, TdxEvidence | TpmEvidence):
        raise UsageError("only a TD and a TPM have registers that an event log could explain")
    explainer = explainer_of(options, boots=TDX & {found.platform} | TPM & {found.platform}, logs=logs)
    answers = [explainer.explain(value.value, register=_looked_up(value.register)) for value in found.values]
    told = [_log_told(log, explainer, found) for log in logs]
    return _print_evidence(found, answers, told, explainer, as_json=options.json)


def _looked_up(register: str) -> str:
    """Registers that builds are looked through for; other values may be anything."""
    return register if register.startswith(("rtmr", "pcr", "mrtd", "launch")) else ""


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
        _print_log(log)
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


def _explain_log(data: bytes, options: argparse.Namespace) -> int:
    """An event log: what each event means, and where it leaves what is known."""
    log = EventLog.decode(data)
    explainer = explainer_of(options, boots=TDX if is_of_td(log) else TPM, logs=[log])
    told = _log_told(log, explainer, None)
    nearest = told["nearest"]
    known = bool(told["known"])
    status = KNOWN if known else UNKNOWN if explainer.has_something else NOTHING
    if options.json:
        print(json.dumps(told, indent=2))
        return status
    _print_log(told)
    if not known:
        print(f"\n{UNKNOWN_SAID if nearest else NOTHING_SAID}")
    return status


def _log_told(log: EventLog, explainer: Explainer, found: Carried | None) -> dict[str, object]:
    """What a log says, against the nearest boot that is known; and whether it leads to the evidence's registers."""
    lines = lines_of_log(log)
    algorithm = _algorithm(lines)
    leads = registers_of(lines)
    compared = []
    for boot in explainer.boots:
        if algorithm not in boot.algorithms:
            continue
        predicted = lines_of_boot(boot, algorithm)
        if {entry.register for entry in predicted} & {entry.register for entry in lines}:
            compared.append((boot, compare(predicted, lines, vocabulary=explainer.vocabulary, line=boot.line)))
    compared.sort(key=lambda pair: len(pair[1]))
    signed = {value.register: value.value for value in found.values} if found else {}
    return {
        "events": [entry.as_json() for entry in lines],
        "registers": {name: value.hex() for name, value in leads.items()},
        "leads_to_evidence": {name: leads[name] == value for name, value in signed.items() if name in leads},
        "known": [_as_known(boot) for boot, differing in compared[:1] if not differing],
        "nearest": [_as_nearest(boot, differing) for boot, differing in compared[:3] if differing],
    }


def _algorithm(lines: Iterable[Line]) -> str:
    width = next((len(entry.digest) for entry in lines if entry.digest), 0)
    return {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}.get(width, "")


def _as_known(boot: Boot) -> dict[str, object]:
    sentence = f"every event is as predicted for {boot.build.name}" + (f", {boot.because}" if boot.because else "")
    return {"sentence": sentence, "manifest": boot.build.name, "file": boot.build.where, "shape": dict(boot.when)}


def _as_nearest(boot: Boot, differing: tuple[Divergence, ...]) -> dict[str, object]:
    return {
        "manifest": boot.build.name,
        "file": boot.build.where,
        "because": boot.because,
        "first": differing[0].as_json(),
        "inputs": [entry.as_json() for part in differing for entry in part.inputs],
        "differences": [part.as_json() for part in differing],
    }


def _print_log(told: dict[str, object]) -> None:
    """The log event by event, then the divergences from the nearest known boot."""
    events: list[dict[str, object]] = told["events"]  # type: ignore[assignment]  # as made above
    print(f"\nevent log of {len(events)} events")
    for entry in events:
        print(f"  {entry['event']:>3}  {entry['register']}  {entry['type']}  {entry['means']}")
    leads: dict[str, bool] = told["leads_to_evidence"]  # type: ignore[assignment]  # likewise
    for name, holds in leads.items():
        print(f"  {name}: the log {'leads' if holds else 'does NOT lead'} to the value in the evidence")
    if not leads:
        registers: dict[str, str] = told["registers"]  # type: ignore[assignment]  # likewise
        for name, value in registers.items():
            print(f"  leads to {name} {value}")
    for known in told["known"]:  # type: ignore[attr-defined]  # likewise
        print(f"\n{known['sentence']}")
    for near in told["nearest"][:1]:  # type: ignore[index]  # likewise
        _print_divergences(near)


def _print_divergences(near: dict[str, object]) -> None:
    differences: list[dict[str, object]] = near["differences"]  # type: ignore[assignment]  # as made above
    because = f" ({near['because']})" if near["because"] else ""
    print(f"\nagainst {near['manifest']}: {len(differences)} differences{because}")
    for at, part in enumerate(differences[:SHOWN_DIFFERENCES]):
        place = part["is"] or part["was"]
        first = "first divergence, " if at == 0 else ""
        print(f"  {first}event {place['event']}, {part['register']}")  # type: ignore[index]  # likewise
        for entry in part["inputs"]:  # type: ignore[attr-defined]  # likewise
            was, now = entry["was"] or "(nothing)", entry["is"] or "(nothing)"
            print(f"    {entry['name']}\n      was  {was}\n      is   {now}")


def _explain_bytes(path: Path, data: bytes, options: argparse.Namespace) -> int:
    """Any other file, by its digests."""
    explainer = explainer_of(options, boots=frozenset())
    known: list[Known] = []
    for algorithm in ("sha256", "sha384"):
        known += explainer.explain(hashlib.new(algorithm, data).digest()).known
    if not known and not explainer.has_something:
        try:
            kind = recognise.recognise(data)
        except FormatError:
            kind = kinds.Kind.UNKNOWN
        what = kind if kind is not kinds.Kind.UNKNOWN else f"{len(data)} bytes"
        msg = f"{path}: {what}; neither evidence nor a log"
        raise UsageError(msg, hint="`warily inspect` shows what is in a file")
    answer = Answer(known=tuple({entry.sentence: entry for entry in known}.values()), nearest=())
    return print_answer(answer, something=True, as_json=options.json)
