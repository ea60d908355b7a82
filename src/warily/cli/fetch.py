r"""Fetch what vendors say about the hardware of evidence: certificates, revocation lists, TCB info.

EVIDENCE is anything that `warily verify` judges. What it needs is worked out from it: the VCEK certificate of an
SEV-SNP report, AMD's chain and revocation list; TCB info, QE identity and revocation lists for an Intel quote; the same
for the processor below a virtual TPM; reference manifests and OCSP answers for NVIDIA devices. An AWS Nitro document
needs nothing. Nothing is judged here: everything that comes is only looked at, so that it is what was asked for, and
signed by whom it names.

  --into DIR     one file for each piece, as vendors serve it
  --bundle FILE  all of it in one file of JSON, each piece with where and when it came from, to be carried to a
                 machine without network; `warily inspect` shows it
  --plan         only say what would be asked, and where; no network is touched

  warily fetch report.bin --into collateral/
  warily verify report.bin --collateral collateral/
  warily fetch quote.bin --bundle collateral.json --server pcs=https://pccs.example:8081
  warily fetch fleet/*.bin --bundle collateral.json --json

Answers are kept in a cache ($WARILY_COLLATERAL, or ~/.cache/warily/collateral) and used again: a VCEK for ever, a
chain for a month, all else for a day. Servers that are busy or ration requests are waited for. `--server NAME=URL`, or
the variable WARILY_SERVER_NAME, puts a mirror in the place of a vendor's service: kds (AMD), pcs and intel-root
(Intel), rim and ocsp (NVIDIA). Proxies are those of HTTPS_PROXY.

How new each answer was is kept too, in the file `seen.json` of the cache. An older one than before is refused: who
serves it may want to hide what became known since. The same file is what `warily verify --seen` takes.

Exit statuses: 0 everything is there · 3 malformed evidence · 4 something could not be got, or is older than before ·
5 this machine does not let the files be written.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from warily.cli.inputs import read_collateral, read_file, read_time
from warily.errors import CollateralError, UsageError
from warily.host import paths

if TYPE_CHECKING:
    from warily.core.evidence import Evidence
    from warily.fetch.collect import Collected
    from warily.fetch.request import Plan
    from warily.fetch.servers import Servers


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what to fetch for, where to put it, and whom to ask."""
    parser.add_argument("evidence", metavar="EVIDENCE", type=Path, nargs="+", help="files with evidence")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--into", metavar="DIR", type=Path, help="write each piece into this folder")
    target.add_argument("--bundle", metavar="FILE", type=Path, help="write everything into this one file")
    target.add_argument("--plan", action="store_true", help="say what would be asked, and ask nothing")
    parser.add_argument(
        "--collateral",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="certificates that are at hand already (a VLEK, say), or a folder",
    )
    parser.add_argument(
        "--server", metavar="NAME=URL", action="append", default=[], help="ask this server in the place of a vendor's"
    )
    parser.add_argument("--tls-root", metavar="FILE", type=Path, help="trust these authorities (PEM) for servers too")
    parser.add_argument("--offline", action="store_true", help="ask nobody: what is in the cache, or nothing")
    parser.add_argument("--refresh", action="store_true", help="ask again for what is in the cache")
    parser.add_argument("--allow-older", action="store_true", help="take answers older than those seen before")
    parser.add_argument("--seen", metavar="FILE", type=Path, help="the record of how new answers were")
    parser.add_argument(
        "--patience", metavar="SECONDS", type=float, default=120.0, help="how long to try one address (default: 120)"
    )


def run(options: argparse.Namespace) -> int:
    """Fetch, deliver, and say what is missing."""
    from warily.fetch.servers import servers  # noqa: PLC0415  # `warily --help` does without it
    from warily.verify import recognise  # noqa: PLC0415  # likewise

    if options.offline and options.refresh:
        raise UsageError("--offline and --refresh exclude each other")
    evidence = [recognise.evidence_from(read_file(path)) for path in options.evidence]
    at_hand = recognise.collateral_from(read_collateral(options.collateral)).certificates
    asked = servers(dict(map(_named, options.server)), os.environ)
    if options.plan:
        return _show_plan(evidence, at_hand, asked, as_json=options.json)
    collected = _collect(evidence, at_hand, asked, options)
    return _deliver(collected, options)


def _named(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals or not url:
        msg = f"--server {text}: not NAME=URL"
        raise UsageError(msg, hint="for example --server pcs=https://pccs.example:8081")
    return name, url


def _show_plan(evidence: "list[Evidence]", at_hand: tuple[bytes, ...], asked: "Servers", *, as_json: bool) -> int:
    """What would be asked, one line a request; more may follow from what comes."""
    from warily.fetch.plan import plan_all  # noqa: PLC0415  # see `run`

    planned: Plan = plan_all(evidence, at_hand)
    rows = [(one, [target.url for target in asked.targets(one)]) for one in planned.requests]
    if as_json:
        requests = [{"name": one.name, "what": one.what, "addresses": urls} for one, urls in rows]
        said = {"unavailable": list(planned.unavailable), "remarks": list(planned.remarks)}
        print(json.dumps({"requests": requests} | said, indent=2))
        return 0
    for _, urls in rows:
        print(" or ".join(urls))
    for remark in (*planned.unavailable, *planned.remarks):
        print(f"warily: {remark}", file=sys.stderr)
    return 0


def _collect(
    evidence: "list[Evidence]", at_hand: tuple[bytes, ...], asked: "Servers", options: argparse.Namespace
) -> "Collected":
    from warily.fetch import memory  # noqa: PLC0415  # see `run`
    from warily.fetch.cache import Cache  # noqa: PLC0415  # likewise
    from warily.fetch.collect import Collector  # noqa: PLC0415  # likewise
    from warily.fetch.door import Door, Pace  # noqa: PLC0415  # likewise

    if not 0 < options.patience <= 86400:  # noqa: PLR2004  # a day
        raise UsageError("--patience is not a number of seconds up to a day")
    folder = paths.collateral()
    record = options.seen or folder / "seen.json"
    pace = Pace(patience=options.patience, first_wait=min(1.0, options.patience / 20))
    collected = Collector(
        servers=asked,
        cache=Cache(folder),
        door=None if options.offline else Door(pace=pace, say=_say, roots=options.tls_root),
        at_hand=at_hand,
        seen=memory.recall(record),
        at=read_time(None),
        fresh=options.refresh,
        allow_older=options.allow_older,
        say=_say,
    ).collect(evidence)
    memory.remember(record, (mark for one in collected.got for mark in one.marks))
    return collected


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _deliver(collected: "Collected", options: argparse.Namespace) -> int:
    """Write what came, and report. A bundle is whole or not written; a folder gets what there is."""
    from warily.fetch.cache import write_whole  # noqa: PLC0415  # see `run`
    from warily.formats.collateral_bundle import CollateralBundle  # noqa: PLC0415  # likewise

    written: list[Path] = []
    if options.into is not None:
        files = {options.into / item.name: item.data for item in collected.items}
    else:
        whole = CollateralBundle(items=collected.items).encode() if not collected.missing else None
        files = {} if whole is None else {options.bundle: whole}
    for path, data in files.items():
        write_whole(path, data)
        written.append(path)
    if options.json:
        print(json.dumps(_summary(collected, written, options), indent=2))
    else:
        _report(collected, written)
    return CollateralError.exit_status if collected.missing else 0


def _summary(collected: "Collected", written: list[Path], options: argparse.Namespace) -> dict[str, object]:
    """The object that `--json` prints."""
    items = {
        item.name: {
            "name": item.name,
            "what": one.request.what,
            "source": item.source,
            "fetched": item.fetched.isoformat(timespec="seconds"),
            "sha256": item.sha256.hex(),
            "bytes": len(item.data),
            "cached": one.cached,
        }
        for one in collected.got
        for item in one.items
    }
    return {
        "complete": not collected.missing,
        "items": [items[name] for name in sorted(items)],
        "missing": [{"what": one.what, "because": one.because, "hint": one.hint} for one in collected.missing],
        "older": list(collected.older),
        "stale": list(collected.stale),
        "remarks": list(collected.remarks),
        "written": [str(path) for path in written],
        "seen": str(options.seen or paths.collateral() / "seen.json"),
    }


def _report(collected: "Collected", written: list[Path]) -> None:
    """What was written on standard output, everything else on standard error."""
    for path in written:
        print(path)
    cached = sum(one.cached for one in collected.got)
    if cached:
        _say(f"{cached} of {len(collected.got)} answers were in the cache")
    for remark in collected.remarks:
        _say(remark)
    for stale in collected.stale:
        print(f"warily: out of date, as the server gave it: {stale}", file=sys.stderr)
    for older in collected.older:
        print(f"warily: older than before, and taken (--allow-older): {older}", file=sys.stderr)
    for one in collected.missing:
        print(f"warily: error: not got: {one.what}\n  {one.because}", file=sys.stderr)
    hints = dict.fromkeys(one.hint for one in collected.missing if one.hint)
    for hint in hints:
        print(f"\nhint: {hint}", file=sys.stderr)
