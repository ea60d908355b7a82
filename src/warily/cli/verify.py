"""Judge evidence: is it genuine, and is it what was wanted?

EVIDENCE is an SEV-SNP report (raw, in hexadecimal, or as the firmware or Linux hands it out) or an evidence
collection. Kinds are told by content, never by name. Nothing is fetched: certificates and revocation lists
come with the evidence or with --collateral; AMD's own authorities are built in.

  --expect genuine   judges authenticity alone, and says so
  --expect baseline  also refuses what nobody wants: debugging, a migration agent, a host-requested report
  --expect FILE      a TOML file that decides every field, or waives it with a reason
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from warily.cli.inputs import read_collateral, read_file, read_fingerprint, read_time
from warily.core.appraisal import Appraisal, Rejected
from warily.core.expect import SnpExpect
from warily.errors import CollateralError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `warily verify`."""
    parser.add_argument("evidence", metavar="EVIDENCE", type=Path, help="the file with the evidence")
    parser.add_argument(
        "--collateral", metavar="PATH", type=Path, action="append", default=[], help="certificates, CRLs, or a folder"
    )
    parser.add_argument("--at", metavar="RFC3339", help="judge at this time; the present without it")
    parser.add_argument("--expect", metavar="genuine|baseline|FILE", default="baseline", help="what is wanted")
    parser.add_argument(
        "--rehearsal-root",
        metavar="SHA256|FILE",
        action="append",
        default=[],
        help="also trust this rehearsal ARK: the SHA-256 of its DER, or the certificate",
    )


def run(options: argparse.Namespace) -> int:
    """Appraise, print, and say by the exit status what came out."""
    from warily.verify import appraise, recognise  # noqa: PLC0415  # `warily --help` does without cryptography

    evidence = recognise.evidence_from(read_file(options.evidence))
    collateral = recognise.collateral_from(read_collateral(options.collateral))
    expect = _expectation(options.expect)
    roots = frozenset(read_fingerprint(text) for text in options.rehearsal_root)
    expect = replace(expect, rehearsal_roots=expect.rehearsal_roots | roots)
    appraisal = appraise(evidence, collateral, expect, at=read_time(options.at))
    _show(appraisal, as_json=options.json, genuine_alone=options.expect == "genuine")
    if appraisal.accepted:
        return 0
    return CollateralError.exit_status if appraisal.undecided else Rejected.exit_status


def _show(appraisal: Appraisal, *, as_json: bool, genuine_alone: bool) -> None:
    if as_json:
        print(json.dumps(appraisal.as_json(), indent=2))
        return
    from warily.cli.render_appraisal import render  # noqa: PLC0415  # not for --json

    print(render(appraisal, genuine_alone=genuine_alone), end="")


def _expectation(chosen: str) -> SnpExpect:
    """A preset by name, or the file of that path."""
    from warily.verify.expectation import read_expectation  # noqa: PLC0415  # see `run`
    from warily.verify.snp.presets import PRESETS  # noqa: PLC0415  # see `run`

    return PRESETS[chosen] if chosen in PRESETS else read_expectation(read_file(Path(chosen)))
