"""Mount published attacks of a hostile host on your image, in an emulator.

Each attack is first mounted on a control: a plain Debian machine, where it is meant to succeed; so a refusal means
something. Then it is mounted on the project's image, run as `warily up --tee rehearsal` runs it, with its broker. The
laboratory has a machine of its own: the project's machine and volumes are not touched. The control is made once, of
Debian's packages, in ~/.cache/warily/control (or WARILY_CONTROL). What was found out is kept in .warily/attacks.json of
the project, where `warily up` and `warily posture --live` read it.

  refused     nothing that the attack asked for happened, or no key was given
  detected    it had an effect, which was noticed before anything was gained
  succeeded   the host got what it was after
  undecided   what happened could not be seen

  warily attack examples/ledger                    every attack
  warily attack --only acpi.ssdt --only 'boot.*'   some
  warily attack --list                             what there is, and what no emulator can mount, and why

Exit statuses: 0 none succeeded · 4 one is undecided, or did not succeed on the control either · 5 this machine lacks
something · 10 one succeeded.
"""

import argparse
import fnmatch
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from warily.errors import CollateralError, UsageError
from warily.host.progress import SILENT, Terminal

if TYPE_CHECKING:
    from warily.adversary.attack import Attack, Outcome

UNDECIDED = CollateralError.exit_status
SUCCEEDED = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is attacked, and how."""
    parser.add_argument("project", nargs="?", type=Path, metavar="PROJECT", help="the folder of warily.toml")
    parser.add_argument(
        "--only", action="append", default=[], metavar="ID", help="this attack alone, or all that match; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="list the attacks; nothing is mounted")
    parser.add_argument(
        "--control",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="mount them on a plain Debian machine first (default: yes)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Mount them, and say what became of them."""
    from warily.adversary.attacks import TABLE  # noqa: PLC0415  # `--help` answers without it

    chosen = choose(TABLE, options.only)
    if options.list:
        _list(chosen, whole=not options.only, as_json=options.json)
        return 0
    from warily.adversary import lab  # noqa: PLC0415  # `--list` answers without it
    from warily.cli.attack_run import store  # noqa: PLC0415  # likewise
    from warily.cli.up import default_project  # noqa: PLC0415  # likewise
    from warily.host import paths  # noqa: PLC0415  # likewise
    from warily.up.session import terminable  # noqa: PLC0415  # likewise

    project = (options.project or default_project()).resolve()
    progress = SILENT if options.quiet else Terminal()
    with terminable(), lab.opened(project, progress, with_control=options.control) as laboratory:
        outcomes = lab.mount(laboratory, chosen, with_control=options.control)
        store(paths.attacks(project), laboratory.stage.manifest, outcomes)
    if options.json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], indent=2))
    else:
        _show(outcomes)
    return status(outcomes)


def choose(table: "Sequence[Attack]", wanted: Sequence[str]) -> "list[Attack]":
    """The attacks whose id matches one of `wanted`, or all. Raises `UsageError` for what matches none."""
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(attack.id, pattern) for attack in table):
            message = f"no attack {pattern!r}"
            raise UsageError(message, hint="`warily attack --list` shows them")
    return [
        attack for attack in table if not wanted or any(fnmatch.fnmatchcase(attack.id, pattern) for pattern in wanted)
    ]


def status(outcomes: "Sequence[Outcome]") -> int:
    """The exit status: one success of the host's is enough."""
    from warily.adversary.attack import Verdict  # noqa: PLC0415  # `--help` answers without it

    verdicts = {outcome.image.verdict for outcome in outcomes}
    if Verdict.SUCCEEDED in verdicts:
        return SUCCEEDED
    unproven = any(outcome.control is not None and not outcome.means_something for outcome in outcomes)
    return UNDECIDED if unproven or Verdict.UNDECIDED in verdicts else 0


def _show(outcomes: "Sequence[Outcome]") -> None:
    width = max(len(outcome.attack.id) for outcome in outcomes)
    for outcome in outcomes:
        control = outcome.control.verdict.value if outcome.control else "not tried"
        print(f"{outcome.attack.id:<{width}}  control {control:<10} image {outcome.image.verdict.value}")
        if outcome.control is not None:
            print(f"{'':<{width}}  control: {outcome.control.line}")
        print(f"{'':<{width}}  image:   {outcome.image.line}")
    count = sum(outcome.image.verdict.value == "succeeded" for outcome in outcomes)
    print(f"\n{len(outcomes)} attacks mounted, {count} succeeded", file=sys.stderr)


def _list(attacks: "Sequence[Attack]", *, whole: bool, as_json: bool) -> None:
    from warily.adversary.catalogue import catalogue  # noqa: PLC0415  # `--help` answers without it

    others = [row for row in catalogue() if whole and row.why_not]
    if as_json:
        rows = [{"id": attack.id, "title": attack.title, "catalogue": list(attack.catalogue)} for attack in attacks]
        missing = [{"id": row.id, "name": row.name, "component": row.component, "why": row.why_not} for row in others]
        print(json.dumps({"attacks": rows, "cannot_be_mounted": missing}, indent=2))
        return
    width = max(len(attack.id) for attack in attacks)
    for attack in attacks:
        print(f"{attack.id:<{width}}  {attack.title} ({', '.join(attack.catalogue)})")
    if others:
        print("\ncannot be mounted in an emulator:")
        for row in others:
            print(f"{row.id:<{width}}  {row.name}: {row.why_not}")
