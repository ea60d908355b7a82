"""`warily verify --manifest`: a signed manifest, and what a log says of it, as the source of reference values."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warily.cli.inputs import read_file
from warily.core.finding import Finding
from warily.errors import UsageError

if TYPE_CHECKING:
    from warily.core.appraisal import Appraisal
    from warily.core.collateral import Collateral
    from warily.core.evidence import Evidence
    from warily.core.expect import Expect

NOT_ALONE = ("owner", "log_proof")
OF_THE_LOG = ("log_key", "witness", "quorum", "at_least", "max_age")


def manifest_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the manifest, who must have signed it, and what is wanted of its log."""
    group = parser.add_argument_group("a signed manifest as reference values")
    group.add_argument("--manifest", type=Path, metavar="FILE", help="the registers must be what it predicts")
    group.add_argument(
        "--owner", action="append", default=[], metavar="HEX", help="who may have signed it (default: your own key)"
    )
    group.add_argument(
        "--log-proof", type=Path, metavar="FILE", help="the proof that a log has it (`warily log prove`)"
    )
    group.add_argument("--log-key", metavar="KEY", help="the log's key (default: your own)")
    group.add_argument("--witness", action="append", default=[], metavar="KEY", help="the key of a witness you trust")
    group.add_argument("--quorum", type=int, metavar="N", help="how many witnesses must have cosigned (default: all)")
    group.add_argument("--at-least", type=int, metavar="VERSION", help="refuse earlier versions")
    group.add_argument("--max-age", type=int, metavar="DAYS", help="refuse what nobody has vouched for since")


def refuse_what_belongs_together(options: argparse.Namespace) -> None:
    """Nothing is said of a manifest or a log that is not given. Raises `UsageError`."""
    for names, needed in ((NOT_ALONE, "manifest"), (OF_THE_LOG, "log_proof")):
        said = [name for name in names if getattr(options, name) not in (None, [])]
        if said and getattr(options, needed) is None:
            msg = f"--{said[0].replace('_', '-')} without --{needed.replace('_', '-')}"
            raise UsageError(msg, hint=f"add --{needed.replace('_', '-')} FILE")


def appraised(
    evidence: "Evidence", collateral: "Collateral", expect: "Expect", options: argparse.Namespace, at: datetime
) -> "Appraisal":
    """The appraisal, by the manifest where one is given. Raises `ManifestRefused` for one nobody trusted signed."""
    from warily.verify import appraise  # noqa: PLC0415  # `warily --help` does without cryptography

    refuse_what_belongs_together(options)
    if options.manifest is None:
        return appraise(evidence, collateral, expect, at=at)
    from warily.cli.owners import owners  # noqa: PLC0415  # not without a manifest
    from warily.explain.by_manifest import appraise_by_manifest  # noqa: PLC0415  # likewise
    from warily.publish.sigstore import envelope_in  # noqa: PLC0415  # likewise
    from warily.release.signing import verify_manifest  # noqa: PLC0415  # likewise

    envelope = envelope_in(read_file(options.manifest))
    manifest = verify_manifest(envelope, owners(options.owner))
    logged = _logged(envelope, options, at) if options.log_proof else ()
    return appraise_by_manifest(evidence, collateral, expect, manifest, logged=logged, at=at)


def _logged(envelope: bytes, options: argparse.Namespace, at: datetime) -> tuple[Finding, ...]:
    from warily.cli.log_judge import log_expectation  # noqa: PLC0415  # not without a log
    from warily.formats.tlog_proof import LogProof  # noqa: PLC0415  # likewise
    from warily.publish.logged import check_logged  # noqa: PLC0415  # likewise

    proof = LogProof.decode(read_file(options.log_proof))
    return check_logged(proof, envelope, log_expectation(proof, options, key=options.log_key), at=at)
