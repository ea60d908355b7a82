"""Write an expectation file from evidence, or look one over.

  warily policy init EVIDENCE    a TOML file that accepts this evidence and nothing weaker, each line explained
  warily policy check FILE       is the file whole, and what in it is dangerous?

`init` judges first whether the evidence is genuine, as `warily verify --expect genuine` does, and the file says
what came out. Measured values are pinned; a debugging guest and a migration agent stay refused.

  warily policy init report.bin --collateral vcek.der --out prod.toml
  warily verify report.bin --collateral vcek.der --expect prod.toml

Exit statuses: 0 written, or no danger found · 2 not an expectation; the key is named · 3 malformed evidence ·
10 evidence that is not genuine, or a danger in the file.
"""

import argparse
import json
import sys
from pathlib import Path

from warily.cli.evidence import keys_given, read_evidence
from warily.cli.inputs import authorities_given, authority_argument, read_file, read_fingerprint, read_time
from warily.core.appraisal import Rejected
from warily.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two actions."""
    actions = parser.add_subparsers(dest="action", metavar="init|check", required=True)
    init = actions.add_parser("init", help="write an expectation from evidence")
    init.add_argument("evidence", metavar="EVIDENCE", type=Path, help="the file with the evidence")
    init.add_argument(
        "--collateral", metavar="PATH", type=Path, action="append", default=[], help="certificates, CRLs, or a folder"
    )
    init.add_argument(
        "--log", metavar="EVENTLOG", type=Path, action="append", default=[], help="a TCG or CCEL event log of that boot"
    )
    init.add_argument("--at", metavar="RFC3339", help="judge at this time; the present without it")
    init.add_argument(
        "--rehearsal-root", metavar="SHA256|FILE", action="append", default=[], help="also trust this rehearsal ARK"
    )
    authority_argument(init)
    init.add_argument("--out", metavar="FILE", type=Path, help="write there, to a new file; standard output without it")
    check = actions.add_parser("check", help="look an expectation over")
    check.add_argument("file", metavar="FILE", type=Path, help="the expectation")
    for action in (init, check):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Write, or look over."""
    return _init(options) if options.action == "init" else _check(options)


def _init(options: argparse.Namespace) -> int:
    from warily.verify import recognise  # noqa: PLC0415  # `warily --help` does without cryptography
    from warily.verify.policy import write_policy  # noqa: PLC0415  # see above
    from warily.verify.recognise_tpm import with_logs  # noqa: PLC0415  # see above

    evidence, offered = read_evidence(options.evidence, options.collateral)
    evidence = with_logs(evidence, map(read_file, options.log))
    text = write_policy(
        evidence,
        recognise.collateral_for(evidence, offered),
        rehearsal_roots=frozenset(read_fingerprint(root) for root in options.rehearsal_root),
        at=read_time(options.at),
        attestation_keys=keys_given(options.collateral),
        authorities=authorities_given(options),
    )
    if options.out is None:
        print(json.dumps({"policy": text}, indent=2) if options.json else text, end="\n" if options.json else "")
        return 0
    try:
        with options.out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"cannot write {options.out}: {error.strerror or error}"
        raise UsageError(message) from None
    print(f"warily: wrote {options.out}", file=sys.stderr)
    return 0


def _check(options: argparse.Namespace) -> int:
    from warily.verify.policy import check_policy  # noqa: PLC0415  # see `_init`
    from warily.verify.policy_note import Level  # noqa: PLC0415  # see `_init`

    notes = check_policy(read_file(options.file))
    dangers = sum(note.level is Level.DANGER for note in notes)
    if options.json:
        listed = [{"level": note.level.value, "key": note.key, "says": note.says} for note in notes]
        print(json.dumps({"dangers": dangers, "notes": listed}, indent=2))
    else:
        for note in notes:
            print(f"{note.level.value:<7} {note.key}\n        {note.says}")
        print(f"the file is whole: {dangers} dangers, {len(notes) - dangers} remarks")
    return Rejected.exit_status if dangers else 0
