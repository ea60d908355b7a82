"""What `warily explain` does with an event log: what each event means, and where it leaves what is known."""

import argparse
import json
from collections.abc import Iterable, Iterator
from typing import Final

from warily.cli.explain_known import explainer_of
from warily.cli.explain_output import KNOWN, NOTHING, NOTHING_SAID, UNKNOWN, UNKNOWN_SAID
from warily.cli.explain_value import TDX, TPM
from warily.explain.answer import ChangedInput, Nearest
from warily.explain.boots import Boot
from warily.explain.evidence import Carried
from warily.explain.explainer import Explainer
from warily.explain.logs import Divergence, Line, compare, lines_of_boot, lines_of_log, registers_of
from warily.formats.tcg_log import EventLog
from warily.measure.boot import is_of_td

SHOWN_DIFFERENCES: Final = 40
SHOWN_BOOTS: Final = 3


def explain_log(data: bytes, options: argparse.Namespace) -> int:
    """An event log: what each event means, and where it leaves what is known."""
    log = EventLog.decode(data)
    explainer = explainer_of(options, boots=TDX if is_of_td(log) else TPM, logs=[log])
    told = log_told(log, explainer, None)
    nearest = told["nearest"]
    known = bool(told["known"])
    status = KNOWN if known else UNKNOWN if explainer.has_something else NOTHING
    if options.json:
        print(json.dumps(told, indent=2))
        return status
    print_log(told)
    if not known:
        print(f"\n{UNKNOWN_SAID if nearest else NOTHING_SAID}")
    return status


def log_told(log: EventLog, explainer: Explainer, found: Carried | None) -> dict[str, object]:
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
            compared.append((boot, compare(predicted, lines)))
    compared.sort(key=lambda pair: len(pair[1]))
    nearest = [
        (boot, compare(lines_of_boot(boot, algorithm), lines, vocabulary=explainer.vocabulary, line=boot.line))
        for boot, differing in compared[:SHOWN_BOOTS]
        if differing
    ]
    signed = {value.register: value.value for value in found.values} if found else {}
    return {
        "events": [entry.as_json() for entry in lines],
        "registers": {name: value.hex() for name, value in leads.items()},
        "leads_to_evidence": {name: leads[name] == value for name, value in signed.items() if name in leads},
        "known": [_as_known(boot) for boot, differing in compared[:1] if not differing],
        "nearest": [_as_nearest(boot, differing) for boot, differing in nearest],
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


def print_log(told: dict[str, object]) -> None:
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


def by_log(told: dict[str, object], register: str, value: bytes) -> Iterator[Nearest]:
    """What a log that leads to the register's value says of it: the events in which it leaves a known boot."""
    registers: dict[str, str] = told["registers"]  # type: ignore[assignment]  # as made above
    if registers.get(register) != value.hex():
        return
    for near in told["nearest"]:  # type: ignore[attr-defined]  # likewise
        parts = [part for part in near["differences"] if part["register"] == register]
        places = ", ".join(str((part["is"] or part["was"])["event"]) for part in parts)
        inputs = tuple(
            ChangedInput(name=entry["name"], was=entry["was"], now=entry["is"])
            for part in parts
            for entry in part["inputs"]
        )
        if inputs:
            because = f"the log leads to this value, and leaves what is predicted at event {places}"
            yield Nearest(
                manifest=near["manifest"],
                inputs=inputs,
                certain=True,
                because=because,
                fields={"file": near["file"], "register": register},
            )


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
