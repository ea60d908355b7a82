"""The command line as a whole: the table of verbs, error rendering, exit statuses."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn, Protocol, cast

from warily import __version__
from warily.errors import UsageError, WarilyError

# verb → what it does. The verb's module is `warily.cli.<verb>` and is imported only when it is used.
VERBS: Final[dict[str, str]] = {
    "up": "build, predict, sign, run, attest, unlock and show the posture: the main job",
    "build": "build the image that warily.toml declares, and its signed manifest",
    "measure": "predict what the hardware will report",
    "acpi": "inspect, predict and pin the ACPI tables that a host supplies",
    "verify": "judge evidence: is it genuine, and is it what was wanted",
    "credential": "make what only one TPM can open, to bind its attestation key to its endorsement key",
    "fetch": "get certificates, revocation lists and TCB info that evidence needs, from the vendors",
    "inspect": "show what is in a file, as a tree with offsets",
    "explain": "say what a hash, evidence or an event log means, or what it is near and why not it",
    "diff": "compare two manifests, logs, pieces of evidence or predictions, by what they mean",
    "policy": "write an expectation from evidence, or look one over for dangers",
    "posture": "draw who is excluded from what, from evidence",
    "attack": "mount published attacks of a hostile host on your image, and on a control",
    "audit": "list what an image, a kernel or a running guest still takes from its host",
    "serve": "run the verifier and key broker",
    "manifest": "show, sign or verify a manifest",
    "log": "keep a public log of signed manifests, and check what one says",
    "key": "show the keys that sign your manifests and your grants",
    "schema": "print the JSON Schema of warily.toml",
    "completion": "print the completion script of a shell",
}

EPILOG: Final = """\
exit statuses:
  0  accepted, done             4  could not decide: collateral is missing or stale
  2  usage                      5  this machine lacks something
  3  malformed bytes           10  decided: rejected

`warily VERB --help` explains a verb. Data goes to standard output, everything else to standard error.
"""


class Verb(Protocol):
    """What every module `warily.cli.<verb>` offers."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; the exit status is the result."""


# argparse looks for translations of its words in a dozen places, for each word anew. There are none.
argparse._ = str  # type: ignore[attr-defined]  # a name of its own


class _Help(argparse.HelpFormatter):
    """Knows the terminal's width without `shutil`, whose import costs more than parsing a command line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class _RawHelp(_Help, argparse.RawDescriptionHelpFormatter):
    """Likewise, for descriptions with lines of their own."""


def _columns() -> int:
    """The terminal's width, where COLUMNS does not say another."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (AttributeError, ValueError, OSError):
        return 80


class _Parser(argparse.ArgumentParser):
    """Reports misuse as `UsageError`, so that all errors read alike.

    `words` is what is about to be parsed, for a verb that declares no more than these need; empty: everything.
    """

    words: Sequence[str] = ()

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # argparse's own, passed on
        super().__init__(**{"formatter_class": _Help, **options})

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see `{self.prog} --help`")


def _module(verb: str) -> Verb:
    return cast("Verb", importlib.import_module(f"warily.cli.{verb.replace('-', '_')}"))


def parser_for(verb: str, words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of one verb: the complete one, or at least what `words` need of it."""
    module = _module(verb)
    parser = _Parser(
        prog=f"warily {verb}",
        description=(sys.modules[f"warily.cli.{verb}"].__doc__ or "").strip(),
        formatter_class=_RawHelp,
    )
    parser.words = words
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    module.arguments(parser)
    return parser


def overview() -> str:
    """The text of `warily --help`."""
    rows = "\n".join(f"  {verb:<10} {what}" for verb, what in VERBS.items())
    return (
        "usage: warily VERB [OPTION]…\n\n"
        "Virtual machines whose host is hostile: build, predict, attest, release keys,\n"
        f"and say who is excluded from what, by which evidence.\n\nverbs:\n{rows}\n\n{EPILOG}"
    )


def render_error(error: WarilyError, *, as_json: bool) -> None:
    """The error for people on standard error, or as one JSON object on standard output."""
    if as_json:
        import json  # noqa: PLC0415  # most errors are printed for people

        found = {"error": {"code": error.code, "message": str(error), "hint": error.hint}}
        print(json.dumps(found, indent=2))
        return
    print(f"warily: error: {error}", file=sys.stderr)
    if error.hint:
        print(f"\nhint: {error.hint}", file=sys.stderr)


def run_command_line(words: Sequence[str]) -> int:
    """Run one verb; the result is the exit status of DESIGN section 5."""
    as_json = "--json" in words
    try:
        if not words or words[0] in ("--help", "-h", "help"):
            print(overview(), end="")
            return 0
        if words[0] in ("--version", "-V"):
            print(f"warily {__version__}")
            return 0
        if words[0] not in VERBS:
            _unknown(words[0])
        return _module(words[0]).run(parser_for(words[0], words[1:]).parse_args(list(words[1:])))
    except WarilyError as error:
        render_error(error, as_json=as_json)
        return error.exit_status
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # or the interpreter complains while it flushes at exit
        return 141


def _unknown(verb: str) -> NoReturn:
    import difflib  # noqa: PLC0415  # only for a mistyped verb

    near = difflib.get_close_matches(verb, VERBS, n=1)
    hint = f"did you mean `warily {near[0]}`?" if near else "see `warily --help`"
    message = f"no verb {verb!r}"
    raise UsageError(message, hint=hint)
