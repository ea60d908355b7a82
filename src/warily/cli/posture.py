"""Draw who is excluded from what, from evidence: seven components, three adversaries.

  warily posture EVIDENCE…    of an SEV-SNP report or an evidence collection, with certificates where needed
  warily posture --live       of the project's running machine, as its broker appraised it

Evidence is judged as `warily verify` judges it (--expect baseline), then graded. What is not in evidence is
`unknown`. A launch digest means something only by a signed manifest (--manifest) that predicts it.
Answers age: --live shows what was attested at the last start, stale after ten minutes, unknown after an hour.

Exit statuses are those of `warily verify`; the picture is drawn in each case.
"""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from warily.cli.inputs import read_collateral, read_file, read_fingerprint, read_time
from warily.core.appraisal import Appraisal, Rejected
from warily.core.manifest import Manifest
from warily.errors import CollateralError, HostError, UsageError
from warily.formats.attack_run import AttackRun
from warily.posture.facts import Facts
from warily.posture.from_broker import with_manifest
from warily.posture.grade import Posture, grade

MAX_FILES: Final = 64


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `warily posture`."""
    parser.add_argument(
        "evidence", metavar="EVIDENCE", type=Path, nargs="*", help="a report or a collection, and its certificates"
    )
    parser.add_argument("--live", action="store_true", help="ask the broker of the project's running machine")
    parser.add_argument(
        "--collateral", metavar="PATH", type=Path, action="append", default=[], help="certificates, CRLs, or a folder"
    )
    parser.add_argument("--manifest", metavar="FILE", type=Path, action="append", default=[], help="a signed manifest")
    parser.add_argument(
        "--owner", metavar="HEX", action="append", default=[], help="trust manifests of this owner besides your own"
    )
    parser.add_argument(
        "--rehearsal-root", metavar="SHA256|FILE", action="append", default=[], help="also trust this rehearsal ARK"
    )
    parser.add_argument(
        "--attacks", metavar="FILE", type=Path, help="what `warily attack` found out about the image; --live finds it"
    )
    parser.add_argument("--at", metavar="RFC3339", help="the time of the question; the present without it")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="also draw the picture into this file")
    parser.add_argument(
        "--project", metavar="DIR", type=Path, default=Path(), help="whose machine, with --live (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Gather the facts, grade, draw; the exit status is the appraisal's."""
    if options.live == bool(options.evidence):
        raise UsageError("name a file with evidence, or say --live", hint="see `warily posture --help`")
    facts = _with_attacks(_live(options) if options.live else _filed(options), options)
    posture = grade(facts)
    if options.svg is not None:
        _write_svg(posture, options.svg)
    if options.json:
        print(json.dumps(posture.as_json(), indent=2))
    else:
        from warily.posture.draw_text import draw_text  # noqa: PLC0415  # not for --json

        print(draw_text(posture, colour=_wants_colour()), end="")
    return _status(facts.appraisal)


def _with_attacks(facts: Facts, options: argparse.Namespace) -> Facts:
    """The facts with what a laboratory found out: from the named file, or from the project's own."""
    from warily.cli.attack_run import stored  # noqa: PLC0415  # `warily --help` does without it
    from warily.host import paths  # noqa: PLC0415  # likewise

    if options.attacks is not None:
        return replace(facts, attacks=AttackRun.decode(read_file(options.attacks)))
    return replace(facts, attacks=stored(paths.attacks(options.project))) if options.live else facts


def _status(appraisal: Appraisal) -> int:
    if appraisal.accepted:
        return 0
    return CollateralError.exit_status if appraisal.undecided else Rejected.exit_status


def _wants_colour() -> bool:
    """A terminal, and nobody said no (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _live(options: argparse.Namespace) -> Facts:
    from warily.cli.owners import owners  # noqa: PLC0415  # a picture of a file needs no key
    from warily.cli.posture_live import live_facts  # noqa: PLC0415  # needs the broker's side

    trusted = owners(options.owner)
    return live_facts(options.project, _manifests(options), owners=trusted, at=read_time(options.at))


def _filed(options: argparse.Namespace) -> Facts:
    """The facts that files give: one piece of evidence, judged against the baseline."""
    from warily.verify import appraise, kinds, recognise  # noqa: PLC0415  # `warily --help` does without cryptography
    from warily.verify.snp.presets import BASELINE  # noqa: PLC0415  # see above

    if len(options.evidence) > MAX_FILES:
        msg = f"over {MAX_FILES} files"
        raise UsageError(msg, hint="name a folder with --collateral")
    blobs = [read_file(path) for path in options.evidence]
    evidence = [blob for blob in blobs if recognise.recognise(blob) not in kinds.COLLATERAL]
    if len(evidence) != 1:
        msg = f"{len(evidence)} of the files are evidence: one posture is drawn from one"
        raise UsageError(msg, hint="certificates and revocation lists may stand beside it")
    beside = [blob for blob in blobs if blob is not evidence[0]]
    collateral = recognise.collateral_from((*beside, *read_collateral(options.collateral)))
    roots = frozenset(read_fingerprint(text) for text in options.rehearsal_root)
    at = read_time(options.at)
    appraisal = appraise(
        recognise.evidence_from(evidence[0]), collateral, replace(BASELINE, rehearsal_roots=roots), at=at
    )
    return with_manifest(Facts(appraisal=appraisal, at=at), _manifests(options))


def _manifests(options: argparse.Namespace) -> tuple[Manifest, ...]:
    """The named manifests, each signed by a trusted owner. Raises `ManifestRefused` for one that is not."""
    if not options.manifest:
        return ()
    from warily.cli.owners import owners  # noqa: PLC0415  # a picture of a file needs no key
    from warily.release.signing import verify_manifest  # noqa: PLC0415  # `warily --help` does without cryptography

    trusted = owners(options.owner)
    return tuple(verify_manifest(read_file(path), trusted) for path in options.manifest)


def _write_svg(posture: Posture, path: Path) -> None:
    from warily.posture.draw_svg import draw_svg  # noqa: PLC0415  # for --svg alone

    try:
        path.write_text(draw_svg(posture), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise HostError(msg) from None
    print(f"the picture is in {path}", file=sys.stderr)
