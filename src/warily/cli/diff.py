r"""Compare two things by what they mean: files, packages and words, not only hashes.

  warily diff old/ new/                   two images or manifests: inputs, packages, files, registers
  warily diff boot1.bin boot2.bin         two event logs: the first divergence, then all others
  warily diff report1.bin report2.bin     two pieces of evidence, or other files of one kind, field by field
  warily diff before.json after.json      two predictions (`warily measure … --json`): the first step that differs

Packages are named where the lists (sbom.cdx.json) lie beside the manifests, files where the build reports do.
Nothing is verified. Exit status 0 whether or not they differ: `identical` says it.
"""

import argparse
import json
from pathlib import Path
from typing import Final

from warily.cli.explain_output import print_input
from warily.errors import FormatError, UsageError
from warily.explain.answer import ChangedInput

SHOWN: Final = 60


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two things."""
    parser.add_argument("before", metavar="A", type=Path, help="a manifest, image, event log, evidence or prediction")
    parser.add_argument("after", metavar="B", type=Path, help="another of the same kind")
    parser.add_argument("--owner", action="append", default=[], metavar="HEX", help="trust this owner's public key")


def run(options: argparse.Namespace) -> int:
    """Compare, and print what differs."""
    from warily.cli.explain_sources import is_manifest, read_bytes  # noqa: PLC0415  # --help does without all formats
    from warily.explain import diff  # noqa: PLC0415  # likewise
    from warily.formats import tcg_log  # noqa: PLC0415  # likewise

    paths = tuple(_manifest_in(path) for path in (options.before, options.after))
    before, after = (read_bytes(path) for path in paths)
    kinds = tuple(
        "manifests"
        if is_manifest(data)
        else "event logs"
        if tcg_log.is_log(data)
        else "predictions"
        if diff.is_prediction(data)
        else "files"
        for data in (before, after)
    )
    if kinds[0] != kinds[1]:
        msg = f"{options.before} and {options.after} are of two kinds: {kinds[0]} and {kinds[1]}"
        raise UsageError(msg)
    if kinds[0] == "manifests":
        return _manifests(paths, options)
    if kinds[0] == "event logs":
        return _logs(before, after, as_json=options.json)
    if kinds[0] == "predictions":
        return _print({"kind": "predictions"}, {"steps": diff.changed_steps(before, after)}, as_json=options.json)
    return _pieces(before, after, as_json=options.json)


def _manifest_in(path: Path) -> Path:
    """The manifest of a folder; the path itself where it is a file."""
    if not path.is_dir():
        return path
    for name in ("manifest.dsse.json", "manifest.json"):
        if (path / name).is_file():
            return path / name
    msg = f"{path} is a folder without a manifest"
    raise UsageError(msg)


def _manifests(paths: tuple[Path, ...], options: argparse.Namespace) -> int:
    from warily.cli.explain_sources import read_build, read_bytes  # noqa: PLC0415  # as above
    from warily.cli.owners import owners  # noqa: PLC0415  # likewise
    from warily.core.built import REPORT  # noqa: PLC0415  # likewise
    from warily.explain.diff import (  # noqa: PLC0415  # likewise
        changed_files,
        changed_inputs,
        changed_registers,
    )
    from warily.explain.packages import changed_packages  # noqa: PLC0415  # likewise

    trusted = owners(options.owner)
    before, after = (read_build(path, trusted) for path in paths)
    reports = [path.parent / REPORT for path in paths]
    files: tuple[ChangedInput, ...] = ()
    if all(report.is_file() for report in reports):
        files = changed_files(*(read_bytes(report) for report in reports))
    head = {"kind": "manifests", "before": before.name, "after": after.name}
    changed = {
        "inputs": changed_inputs(before, after),
        "packages": changed_packages(before.packages, after.packages) if before.packages and after.packages else (),
        "files": files,
        "registers": changed_registers(before, after),
    }
    return _print(head, changed, as_json=options.json)


def _logs(before: bytes, after: bytes, *, as_json: bool) -> int:
    from warily.explain.logs import compare, lines_of_log, shared_bank  # noqa: PLC0415  # as above
    from warily.explain.words import vocabulary  # noqa: PLC0415  # likewise
    from warily.formats.tcg_log import EventLog  # noqa: PLC0415  # likewise

    logs = EventLog.decode(before), EventLog.decode(after)
    bank = shared_bank(*logs)
    if bank is None:
        raise FormatError("the logs have no hash algorithm in common, so that their events cannot be compared")
    found = compare(*(lines_of_log(log, bank) for log in logs), vocabulary=vocabulary())
    if as_json:
        listed = [entry.as_json() for entry in found]
        first = listed[0] if listed else None
        print(
            json.dumps({"kind": "event logs", "identical": not found, "first": first, "differences": listed}, indent=2)
        )
        return 0
    if not found:
        print("no event differs")
    for at, entry in enumerate(found[:SHOWN]):
        place = entry.now or entry.was
        where = f"event {place.at}, {entry.register}" if place else entry.register
        print(f"{'first divergence: ' if at == 0 else ''}{where}")
        for changed in entry.inputs:
            print_input(changed, "  ")
    if len(found) > SHOWN:
        print(f"… and {len(found) - SHOWN} more; --json has all")
    return 0


def _pieces(before: bytes, after: bytes, *, as_json: bool) -> int:
    """Two files of one kind that `warily inspect` can show."""
    from warily.explain.diff import changed_pieces  # noqa: PLC0415  # as above
    from warily.verify.inspect import format_of, inspect  # noqa: PLC0415  # likewise

    kinds = [format_of(data) for data in (before, after)]
    names = [kind.name if kind else "nothing known" for kind in kinds]
    if names[0] != names[1]:
        msg = f"the files are of two kinds: {names[0]} and {names[1]}"
        raise UsageError(msg)
    return _print({"kind": names[0]}, {"fields": changed_pieces(inspect(before), inspect(after))}, as_json=as_json)


def _print(head: dict[str, str], changed: dict[str, tuple[ChangedInput, ...]], *, as_json: bool) -> int:
    same = not any(changed.values())
    if as_json:
        lists = {name: [entry.as_json() for entry in entries] for name, entries in changed.items()}
        print(json.dumps({**head, "identical": same, **lists}, indent=2))
        return 0
    if same:
        print(f"{head['kind']}: nothing differs")
    for name, entries in changed.items():
        if entries:
            print(f"{name} ({len(entries)})")
        for entry in entries[:SHOWN]:
            if name in ("packages", "files"):
                print(f"  {entry.name}: {entry.was or '(nothing)'} → {entry.now or '(nothing)'}")
            else:
                print_input(entry, "  ")
        if len(entries) > SHOWN:
            print(f"  … and {len(entries) - SHOWN} more; --json has all")
    return 0
