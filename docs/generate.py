"""Write docs/reference from the code: `python docs/generate.py`. With --check, only say which pages differ.

tests/test_reference.py runs the same comparison, so a page that has drifted fails the tests.
"""

import argparse
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
REFERENCE: Final = ROOT / "docs" / "reference"
ATTACKS: Final = ROOT / "docs" / "attacks.json"
NOTE: Final = "<!-- Made by docs/generate.py from the code. Do not edit. -->"
WIDTH: Final = "80"

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from docs import manifest_schema, sources  # noqa: E402  # found by the line above when this file is run as a script
from warily import errors  # noqa: E402  # likewise
from warily.adversary.catalogue import catalogue  # noqa: E402  # likewise
from warily.cli.main import VERBS, overview, parser_for  # noqa: E402  # likewise
from warily.formats import _layout  # noqa: E402  # likewise
from warily.image import command_line, declare, settings  # noqa: E402  # likewise
from warily.image.settings import REQUIRED, Kind, Setting  # noqa: E402  # likewise
from warily.release.decide import Reason  # noqa: E402  # likewise
from warily.release.signing import PREDICATE_TYPE, STATEMENT_TYPE  # noqa: E402  # likewise
from warily.service import appraise  # noqa: E402  # likewise


def page(title: str, *parts: str) -> str:
    """A page of Markdown."""
    return "\n\n".join((NOTE, f"# {title}", *(part.strip("\n") for part in parts))) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """Text as code in a table."""
    return f"`{text}`" if text else ""


def checks() -> str:
    """checks.md: every check, what it means, where it stands."""
    parts = []
    for platform in sources.platforms():
        rules = [(code(check), says) for check, says in platform.checks if check in platform.rules]
        genuine = [(code(check), says) for check, says in platform.checks if check not in platform.rules]
        order = "Is it genuine? In this order; the first that does not pass ends it, and the rest is not reached."
        wanted = (
            "Is it what was wanted? On genuine evidence all of these run, so that one look shows all that is wrong."
        )
        parts.append(f"## {platform.name}")
        parts += [order, table(("check", "means"), genuine), wanted] if genuine else []
        parts.append(table(("check", "means"), rules))
    return page(
        "Checks",
        "Every finding bears the id of the check that made it. Ids are stable: programs may rely on them.",
        "A check passes, fails, is waived (with a reason, which is printed), is undecided (something that proves or\n"
        "refutes is missing), or is not reached.\n"
        "Evidence is accepted when every check ran, and each passed or was waived.",
        *parts,
        "## Key release",
        "The broker makes these besides all of the above. `release.nonce` also refuses a nonce that was used before.",
        table(("check", "means"), ((code(check), says) for check, says in appraise.checks())),
    )


def error_page() -> str:
    """errors.md: exit statuses, the error tree, what guest and broker refuse."""
    for module in pkgutil.walk_packages([str(ROOT / "src" / "warily")], "warily."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = sorted(_below(errors.WarilyError), key=lambda kind: (kind.exit_status, kind.code))
    rows = [(code(kind.code), str(kind.exit_status), code(kind.__qualname__), _first_line(kind)) for kind in found]
    no = {"No": Reason.REGISTRY.value, "NotYet": Reason.UNDECIDED.value}
    made = {
        ("rejected", str(Reason.REJECTED.value), "the evidence is rejected: …"),
        ("undecided", str(Reason.UNDECIDED.value), "could not decide …"),
        *((said.id, str(no[said.kind]), said.text) for said in sources.said_by(("No", "NotYet"), "release", "service")),
        *((said.id, str(said.status), said.text) for said in sources.said_by(("Problem",), "service")),
    }
    return page(
        "Errors",
        "Data goes to standard output, errors to standard error, with `hint:` where there is something to do.\n"
        'With `--json` an error is an object on standard output: `{"error": {"code", "message", "hint"}}`.\n'
        "A traceback is a bug.",
        "## Codes and exit statuses",
        table(("code", "status", "in Python", "means"), rows),
        "`up` also ends with 130 after an interrupt while it was coming up.",
        "## What the guest refuses",
        "The guest says `warily: refused: ID: why` on its console, and ends the machine.\n"
        "In ids that begin with `*`, it stands for `root`, `root-hashes`, `volume` or `network`;\n"
        "`broker.*` carries the code of the broker's answer, `format` is a message that cannot be read, and\n"
        "`internal.*` is a bug.",
        table(("id", "says"), ((code(one.id), one.text) for one in sources.said_by(("Refused",), "guest"))),
        "## What the broker answers",
        "Problem documents of RFC 9457, with `code`, `detail`, `findings` and sometimes `hint`.\n"
        "The guest tries again after a 5xx; anything else ends it.",
        table(("code", "HTTP", "says"), ((code(id_), status, says) for id_, status, says in sorted(made))),
    )


def _below(kind: type[errors.WarilyError]) -> Iterator[type[errors.WarilyError]]:
    for sub in sorted(kind.__subclasses__(), key=lambda sub: (sub.__module__, sub.__qualname__)):
        yield sub
        yield from _below(sub)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def cli() -> str:
    """cli.md: the help of every verb."""
    os.environ["COLUMNS"] = WIDTH
    parts = []
    for verb in VERBS:
        parser = parser_for(verb)
        parts += [f"## warily {verb}", f"```text\n{parser.format_help().rstrip()}\n```"]
        groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001  # argparse has no public way to list its subparsers
        parts += [f"```text\n{sub.format_help().rstrip()}\n```" for group in groups for sub in group.choices.values()]
    return page("The command line", f"```text\n{overview().rstrip()}\n```", *parts)


def declaration() -> str:
    """warily.toml.md: every section and key."""
    parts = []
    for section in settings.SECTIONS:
        shape = f"`[[{section.name}]]`" if section.most else f"`[{section.name}]`" if section.name else "The top level"
        many = f" At most {section.most} of them." if section.most else ""
        rows = [_setting(entry) for entry in settings.settings_of(section.name)]
        parts += [f"## {shape}", section.help + many, table(("key", "is", "default", "means"), rows)]
    return page(
        "warily.toml",
        "Every section and key there is. An unknown key is an error that names the nearest known one.\n"
        "Editors read [the JSON Schema](warily.schema.json), which `warily schema` prints.",
        *parts,
        "## The measured command line",
        "These words always stand there, before the declared ones and `warily.root`, `warily.salt`, `warily.blocks`,\n"
        "`warily.hash` and `warily.grantor`:",
        table(("word", "because"), ((code(entry.word), entry.because) for entry in command_line.FIXED)),
        "These may be added with `command_line`; one that ends in `=` takes a plain number or name:",
        table(("word", "is"), ((code(entry.word), entry.because) for entry in command_line.ALLOWED)),
        "## Closed places",
        f"No declared file goes below {_listed(declare.NOT_FOR_FILES)}.",
        f"No volume is mounted below {_listed(declare.NOT_FOR_MOUNTS)}.",
    )


def _listed(places: Iterable[str]) -> str:
    return ", ".join(map(code, places))


def _setting(entry: Setting) -> tuple[str, str, str, str]:
    default = "" if entry.default is REQUIRED else json.dumps(entry.default)
    if entry.key == "mode":
        default = f"0o{entry.default:o}"
    return code(entry.key), _shape(entry), code(default) or "required", entry.help


def _shape(entry: Setting) -> str:
    """What a value may be, in words."""
    allowed = f"one of {', '.join(map(code, entry.choices))}" if entry.choices else ""
    if not allowed and entry.pattern is not None:
        allowed = f"like {code(entry.pattern)}"
    match entry.kind:
        case Kind.INTEGER if entry.key == "mode":
            return f"integer, 0 to 0o{entry.high:o}"
        case Kind.INTEGER:
            return f"integer, {entry.low} to {entry.high}"
        case Kind.SIZE:
            return f"size, {declare.shown(entry.low)} to {declare.shown(entry.high)}"
        case Kind.TEXTS:
            return f"list of {entry.low} to {entry.high} texts, each {allowed}"
        case Kind.TEXT:
            return f"text, {allowed}"


def schema() -> str:
    """warily.schema.json."""
    return json.dumps(settings.schema(), indent=2) + "\n"


def manifest() -> str:
    """manifest.md: every member, from a manifest encoded by the code itself."""
    shown = sources.example_manifest().as_json()
    found = list(sources.members(shown))
    rows = [(code(name), kind, sources.MANIFEST_MEMBERS[name]) for name, kind in found]
    return page(
        "The manifest",
        "What an image is made of, and what hardware will report of it.\n"
        "`manifest.json` is canonical JSON: sorted keys, no spaces, UTF-8; the same manifest gives the same bytes.\n"
        "`manifest.dsse.json` is the same as predicate of an in-toto statement, in a DSSE envelope, signed with the\n"
        "owner's Ed25519 key. Unknown members are errors; the schema's number changes when members do.\n"
        "[The JSON Schema](manifest.schema.json) says the same to programs, and `$defs.statement` what is signed.",
        table(("member", "is", "means"), rows),
        "## What is signed",
        "The envelope is DSSE (`payloadType`, `payload`, `signatures`), and the signature is Ed25519 over its\n"
        "pre-authentication encoding: any tool that verifies in-toto attestations can. A key is named by the SHA-256\n"
        "of its 32 bytes.",
        table(
            ("member of the statement", "is"),
            (
                ("`_type`", code(STATEMENT_TYPE)),
                (
                    "`subject[]`",
                    "`name` and `digest.sha256` of the image's files: all ingredients, the SBOM too",
                ),
                ("`predicateType`", code(PREDICATE_TYPE)),
                ("`predicate`", "the manifest"),
            ),
        ),
        "## For a shape that nobody wrote down",
        "SNP: `launches` has the register after the firmware and what follows; kernel, initrd and command line are\n"
        "ingredients. TDX: `registers` without a shape have MRTD, `events` lead to RTMR0 to RTMR2. An event without a\n"
        "digest is the host's: its register stays open until somebody brings the bytes or a log.\n"
        "`warily manifest predict` computes all of it.",
        "An example, with digests of nothing in particular:",
        f"```json\n{json.dumps(shown, indent=2)}\n```",
    )


def formats() -> str:
    """formats.md: every declared layout."""
    parts = []
    for name in sorted(
        module.name for module in pkgutil.iter_modules(importlib.import_module("warily.formats").__path__)
    ):
        module = importlib.import_module(f"warily.formats.{name}")
        found = [kind for kind in vars(module).values() if _is_layout(kind, module.__name__)]
        if found:
            parts += [f"## {name}.py", (module.__doc__ or "").partition("\n\n")[0].replace("\n", " ")]
        for kind in found:
            parts += [f"### {kind.__name__}", _layout_of(kind, name)]
    return page(
        "Declared layouts",
        "Every fixed binary structure that warily reads or writes, as `src/warily/formats` declares it.\n"
        "Numbers are little-endian unless the type says `be`. Bytes that no field names must be zero; trailing bytes\n"
        "are an error. `unpack` raises `FormatError` or gives a value whose `pack` is exactly the bytes it came from.",
        *parts,
    )


def _is_layout(kind: object, module: str) -> bool:
    return isinstance(kind, type) and hasattr(kind, "SOURCE") and kind.__module__ == module


def _layout_of(kind: type[_layout.Layout], module: str) -> str:
    origin = f"formats/{module}.py" if kind.SOURCE == "this module" else kind.SOURCE
    places = sorted(kind.PLACES.items(), key=lambda entry: entry[1][0].offset)
    rows = [(code(f"{place.offset:#05x}"), _width(place), code(name), _kind(of)) for name, (place, of) in places]
    return f"{kind.SIZE} bytes. Source: {origin}.\n\n" + table(("offset", "type", "field", "value"), rows)


def _width(place: _layout.Place) -> str:
    return f"{place.width} bytes" if place.raw else f"u{place.width * 8}{'be' if place.order == 'big' else ''}"


def _kind(kind: type) -> str:
    return "" if kind in (int, bytes) else code(kind.__name__)


def attacks() -> str:
    """attacks.md: what `warily attack` said of the example, and what it cannot mount."""
    run = json.loads(ATTACKS.read_text())
    rows = [
        (code(row["id"]), f"{row['title']} ({', '.join(row['catalogue'])})", row["control"] or "", row["verdict"])
        for row in run
    ]
    seen = [
        f"**{code(row['id'])}**\n\n* control, {row['control']}: {_text(row['control_evidence'])}\n"
        f"* image, {row['verdict']}: {_text(row['evidence'])}"
        for row in run
    ]
    others = [(row.id, row.name, row.component, row.why_not) for row in catalogue() if row.why_not]
    return page(
        "Attacks",
        "What became of each attack in one run of `warily attack examples/ledger --json`, whose output is\n"
        "[attacks.json](../attacks.json). The control is a plain Debian machine: an attack that fails there proves\n"
        "nothing. Numbers in brackets are rows of the catalogue, `src/warily/data/attacks.tsv`.",
        table(("attack", "what the host does", "control", "image"), rows),
        "## What was seen",
        *seen,
        "## What is not mounted, and why",
        table(("", "attack", "component", "why"), others),
    )


def _text(evidence: str) -> str:
    """Evidence as Markdown that shows it as it is."""
    return f"`{evidence.replace('`', chr(39))}`"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "checks.md": checks,
    "errors.md": error_page,
    "cli.md": cli,
    "warily.toml.md": declaration,
    "warily.schema.json": schema,
    "manifest.md": manifest,
    "manifest.schema.json": lambda: json.dumps(manifest_schema.schema(), indent=2) + "\n",
    "binding.md": lambda: page(*sources.binding(table)),
    "formats.md": formats,
    "attacks.md": attacks,
}


def drifted() -> list[str]:
    """The pages whose file is not what the code says."""
    paths = {name: REFERENCE / name for name in PAGES}
    return [name for name, make in PAGES.items() if not paths[name].exists() or paths[name].read_text() != make()]


def main() -> int:
    """Write the pages, or with --check say which differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a page differs")
    options = parser.parse_args()
    differ = drifted()
    for name in differ:
        print(f"{'differs' if options.check else 'written'}: {name}")
        if not options.check:
            (REFERENCE / name).write_text(PAGES[name]())
    return 1 if options.check and differ else 0


if __name__ == "__main__":
    sys.exit(main())
