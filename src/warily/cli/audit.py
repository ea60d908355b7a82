r"""Look an image, a kernel or a running guest over for everything it still takes from its host.

  warily audit PROJECT            the image that `warily build` made of a project
  warily audit IMAGE              a disk (raw, qcow2), a file system (ext4, EROFS), a tar archive or a folder
  warily audit CONFIG "CMDLINE"   a kernel's configuration and a command line, together
  warily audit --running          this machine, its /proc and /sys too

What a target is, is found by its content; several are taken together. Nothing is mounted or run. Each rule says
what the host could do, what closes it, and how to mend it. A rule that nobody could look at is `unknown`, never
closed. What stays open on purpose can be explained in a TOML file (audit.toml of a project is read by itself):

  [explained]
  "device.usb" = "the machine type has no USB controller, and no driver for one is in the initrd"

  warily audit examples/ledger --json | jq '.findings[] | select(.state == "open") | .id'

Exit statuses: 0 nothing open · 2 usage · 3 malformed · 5 a tool is missing · 10 something is open.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from warily.errors import FormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warily.audit.facts import Facts
    from warily.audit.judge import AuditFinding

EXPLANATIONS = "audit.toml"
OPEN = 10
_MARKS = {"open": "OPEN", "explained": "explained", "closed": "closed", "unknown": "unknown"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the targets and what is shown."""
    parser.add_argument(
        "target", nargs="*", metavar="PATH", help="a project, image, root, initrd, config, command line"
    )
    parser.add_argument("--running", action="store_true", help="audit this machine while it runs")
    parser.add_argument("--root", type=Path, metavar="DIR", help="with --running: the machine whose / this is")
    parser.add_argument("--explained", type=Path, metavar="FILE", help="reasons for what stays open (TOML)")
    parser.add_argument("--rules", action="store_true", help="list the rules instead")
    parser.add_argument("--all", action="store_true", help="show what is closed as well")


def run(options: argparse.Namespace) -> int:
    """Look everything over; the result says whether anything is open."""
    from warily.audit.judge import State, judge  # noqa: PLC0415  # help answers without them
    from warily.audit.rules import rules  # noqa: PLC0415  # likewise
    from warily.audit.sources import facts_of  # noqa: PLC0415  # likewise

    if options.rules:
        return _list_rules(options)
    if not options.target and not options.running:
        raise UsageError("nothing to audit", hint="name a project, an image or a file; or say --running")
    known = {rule.id for rule in rules()}
    explained = _explanations(options, known)
    root = (options.root or Path("/")) if options.running else None
    with facts_of(options.target, running=root) as facts:
        findings = judge(facts, rules(), explained)
        _show(facts, findings, options)
    return OPEN if any(finding.state is State.OPEN for finding in findings) else 0


def _explanations(options: argparse.Namespace, known: set[str]) -> dict[str, str]:
    """Reasons by rule id, from the named file or from the one of the project. Raises `FormatError`."""
    path = options.explained
    if path is None:
        path = next((p for t in options.target if (p := Path(t) / EXPLANATIONS).is_file()), None)
    if path is None:
        return {}
    try:
        reasons = tomllib.loads(path.read_text(encoding="utf-8")).get("explained", {})
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise UsageError(msg) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: {error}"
        raise FormatError(msg) from None
    for name, reason in reasons.items():
        if name not in known or not isinstance(reason, str) or not reason.strip():
            msg = f"{path}: {name} is no rule, or its reason is empty"
            raise FormatError(msg, hint="`warily audit --rules` lists the rules")
    return dict(reasons)


def _show(facts: "Facts", findings: "Sequence[AuditFinding]", options: argparse.Namespace) -> None:
    counts = {state: sum(finding.state == state for finding in findings) for state in _MARKS}
    if options.json:
        rows = [finding.as_json() for finding in findings]
        print(json.dumps({"target": facts.target, "kinds": facts.kinds, "counts": counts, "findings": rows}, indent=2))
        return
    print(f"{facts.target}: {', '.join(facts.kinds)}\n")
    for finding in findings:
        if finding.state == "closed" and not options.all:
            continue
        attacks = f"  [{' '.join(finding.rule.attacks)}]" if finding.rule.attacks else ""
        print(f"  {_MARKS[finding.state]:<9} {finding.rule.id:<30} {finding.rule.title}{attacks}")
        if finding.state == "open":
            print(f"            {finding.evidence}\n            why: {finding.rule.why}")
            print(f"            mend: {finding.rule.mend}")
        elif finding.state == "explained":
            print(f"            because {finding.because}")
    print("\n" + ", ".join(f"{counts[state]} {state}" for state in _MARKS))


def _list_rules(options: argparse.Namespace) -> int:
    from warily.audit.rules import rules  # noqa: PLC0415  # help answers without it

    if options.json:
        rows = [
            {
                "id": rule.id,
                "title": rule.title,
                "why": rule.why,
                "attacks": list(rule.attacks),
                "closed_by": [list(alternative) for alternative in rule.closed_by],
                "mend": rule.mend,
                "source": rule.source,
            }
            for rule in rules()
        ]
        print(json.dumps(rows, indent=2))
        return 0
    for rule in rules():
        print(f"{rule.id:<30} {rule.title}")
    return 0
