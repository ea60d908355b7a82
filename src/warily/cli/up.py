"""Bring a project's machine up: the main job.

From warily.toml: build the image (or reuse it), predict what hardware will report of it, sign a manifest,
start a verifier and key broker, run the machine, let it attest, release its disk key, and show the
posture. It stays up until Ctrl-C, which shuts it down in order.

  --tee rehearsal   in QEMU, with a software AMD-SP: every code path, no protection (the default)
  --tee snp|tdx     on hardware that has it

The project's state is in .warily beside warily.toml: image/ (what was built), machine/ (identity, disks,
console.log), broker/ (its database and the operator's token), rehearsal/ (the software AMD-SP's keys).
Delete the folder to begin anew; the volumes are then gone.

  warily up --once --svg posture.svg     come up, draw, shut down
  warily up --tee snp --print            the QEMU command line for SNP hardware; nothing is started

Exit statuses: 0 it was up · 2 the declaration is wrong · 5 this machine lacks something, or the guest ended
early · 10 the broker refused the evidence.
"""

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from warily.core.declaration import Platform
from warily.host.progress import SILENT, Terminal

if TYPE_CHECKING:
    from warily.launch.plan import Plan
    from warily.up.session import Running

EXAMPLE = Path("examples/ledger")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what to run, where, and how to show it."""
    parser.add_argument("--project", type=Path, metavar="DIR", help="the folder of warily.toml (default: here)")
    parser.add_argument(
        "--tee", choices=[platform.value for platform in Platform], default="rehearsal", help="where it runs"
    )
    parser.add_argument("--once", action="store_true", help="come up, show the posture, shut down")
    parser.add_argument("--print", action="store_true", dest="only_print", help="print the QEMU command line and end")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw the posture into this file")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Bring it up, show it, wait, and take it down."""
    from warily.up import session  # noqa: PLC0415  # `--help` answers without it

    project = (options.project or default_project()).resolve()
    progress = SILENT if options.quiet else Terminal()
    tee = Platform(options.tee)
    if options.only_print:
        _print_plan(session.planned(project, tee, progress), as_json=options.json)
        return 0
    with session.terminable(), session.running(project, tee, progress) as machine:
        _show(machine, project, options)
        if not options.once:
            session.wait_for_end(machine.machine)
    return 0


def default_project() -> Path:
    """The current folder; in a checkout of warily, which declares no image itself, the example."""
    if not Path("warily.toml").exists() and (EXAMPLE / "warily.toml").exists():
        return EXAMPLE
    return Path()


def _print_plan(plan: "Plan", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"tee": plan.tee.value, "argv": list(plan.argv)}, indent=2))
        return
    program, *words = plan.argv
    lines = [program]
    for word in words:
        if word.startswith("-"):
            lines.append(shlex.quote(word))
        else:
            lines[-1] += f" {shlex.quote(word)}"
    print(" \\\n    ".join(lines))


def _show(machine: "Running", project: Path, options: argparse.Namespace) -> None:
    from warily.cli.attack_run import stored  # noqa: PLC0415  # `--help` answers without it
    from warily.host import paths  # noqa: PLC0415  # likewise
    from warily.posture.draw_svg import draw_svg  # noqa: PLC0415  # `--help` answers without it
    from warily.posture.draw_text import draw_text  # noqa: PLC0415  # likewise
    from warily.posture.grade import grade  # noqa: PLC0415  # likewise

    posture = grade(replace(machine.facts, attacks=stored(paths.attacks(project))))
    ports = [{"guest": port.guest, "address": f"http://127.0.0.1:{port.host}/"} for port in machine.ports]
    if options.svg is not None:
        options.svg.write_text(draw_svg(posture), encoding="utf-8")
    if options.json:
        found = {
            "identity": machine.identity.hex(),
            "accepted": machine.facts.accepted,
            "seconds": round(machine.seconds, 1),
            "ports": ports,
            "posture": posture.as_json(),
        }
        print(json.dumps(found, indent=2), flush=True)
        return
    print()
    print(draw_text(posture, colour=sys.stdout.isatty()), end="")
    print()
    for port in ports:
        print(f"  the workload answers at {port['address']}")
    if not options.once:
        print("  look further: warily posture --live · warily manifest show .warily/image/manifest.json")
        print("  Ctrl-C shuts the machine down")
    sys.stdout.flush()
