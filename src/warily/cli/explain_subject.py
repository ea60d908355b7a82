"""What `warily explain` does with a file: evidence, an event log, a manifest, any other."""

import argparse
import hashlib
from pathlib import Path

from warily.cli.explain_evidence import explain_evidence
from warily.cli.explain_known import explainer_of
from warily.cli.explain_log import explain_log
from warily.cli.explain_output import print_answer
from warily.cli.explain_sources import is_manifest, read_build, read_bytes, read_sources
from warily.cli.owners import owners
from warily.errors import FormatError, UsageError
from warily.explain.answer import Answer, Known, Nearest
from warily.explain.diff import changed_inputs
from warily.formats import tcg_log
from warily.verify import kinds, recognise


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
        return explain_log(data, options)
    if recognise.recognise(data) in kinds.EVIDENCE:
        return explain_evidence(path, options)
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
