r"""Keep a public, append-only log of signed manifests, and check what one says (C2SP tlog-tiles).

  warily log init DIR --origin NAME      start an empty log, signed by your own key `log`
  warily log add DIR SIGNED…             append signed manifests, and sign the new head
  warily log prove DIR SIGNED            print the proof that a manifest is in the log, for use offline
  warily log verify SIGNED PROOF         is it in a log you trust, witnessed, recent, not outdated?
  warily log audit DIR                   read everything: whole, signed, and nothing ever seen was changed?
  warily log witness DIR --name NAME     audit, then cosign the head with your own key `witness`
  warily log show DIR                    list the entries; nothing is checked

DIR is a folder that any static web server can serve. Keys are named as signed notes name them
(NAME+ID+KEY); without --key your own log key is meant. `audit` remembers the head it accepted, and the next
one must begin with it: a log that was rewritten is refused. A head from elsewhere is compared with --seen.

  warily log init log --origin example.org/images
  warily log add log .warily/image/manifest.dsse.json
  warily log prove log .warily/image/manifest.dsse.json > ledger.tlog-proof

Exit statuses: 0 done, accepted · 2 usage · 3 malformed · 10 refused: the findings say why.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Action = Callable[[argparse.Namespace], int]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    init = _action(actions, "init", "start an empty log")
    init.add_argument("--origin", required=True, metavar="NAME", help="the log's name, such as example.org/images")
    add = _action(actions, "add", "append signed manifests")
    add.add_argument("signed", nargs="+", type=Path, metavar="SIGNED", help="a signed manifest (manifest.dsse.json)")
    add.add_argument("--version", type=int, metavar="N", help="its version (default: one more than the last)")
    _owner(add)
    prove = _action(actions, "prove", "print the proof that a manifest is in the log")
    prove.add_argument("signed", type=Path, metavar="SIGNED", help="the signed manifest")
    audit = _action(actions, "audit", "read and check everything")
    _trust(audit)
    _memory(audit)
    witness = _action(actions, "witness", "audit, then cosign the head")
    witness.add_argument("--name", required=True, metavar="NAME", help="your name as a witness")
    _trust(witness)
    _memory(witness)
    _action(actions, "show", "list the entries")
    _declare_verify(actions.add_parser("verify", help="check a proof offline"))


def run(options: argparse.Namespace) -> int:
    """Carry out the action."""
    from warily.cli import log_actions, log_judge  # noqa: PLC0415  # help answers without cryptography

    table: dict[str, Action] = {
        "init": log_actions.init,
        "add": log_actions.add,
        "prove": log_actions.prove,
        "show": log_actions.show,
        "audit": log_judge.audit_log,
        "witness": log_judge.witness,
        "verify": log_judge.verify,
    }
    return table[options.action](options)


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, what: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=what)
    parser.add_argument("log", type=Path, metavar="DIR", help="the log's folder")
    _json(parser)
    return parser


def _declare_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("signed", type=Path, metavar="SIGNED", help="the signed manifest")
    parser.add_argument("proof", type=Path, metavar="PROOF", help="its proof (.tlog-proof)")
    _json(parser)
    _trust(parser)
    _owner(parser)
    parser.add_argument("--quorum", type=int, metavar="N", help="how many witnesses must have cosigned (default: all)")
    parser.add_argument("--at-least", type=int, metavar="VERSION", help="refuse earlier versions")
    parser.add_argument("--max-age", type=int, metavar="DAYS", help="refuse what nobody has vouched for since")
    parser.add_argument("--at", metavar="TIME", help="the time of judgement, RFC 3339 (default: now)")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")


def _owner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--owner", action="append", default=[], metavar="HEX", help="trust this owner's key as well (32 bytes, hex)"
    )


def _trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", metavar="KEY", help="the log's key (default: your own)")
    parser.add_argument("--witness", action="append", default=[], metavar="KEY", help="the key of a witness you trust")


def _memory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seen", action="append", default=[], type=Path, metavar="FILE", help="a checkpoint to be consistent with"
    )
    parser.add_argument("--remember", type=Path, metavar="FILE", help="where the accepted head is remembered")
