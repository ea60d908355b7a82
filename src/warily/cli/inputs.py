"""What verbs that judge evidence read alike: files, folders of collateral, times, rehearsal roots."""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from warily.errors import FormatError, UsageError

MAX_FILES: Final = 256
_FINGERPRINT: Final = re.compile(r"[0-9a-fA-F]{64}")


def read_time(text: str | None) -> datetime:
    """The time that `--at` names, which must say its zone; the present without it."""
    if text is None:
        return datetime.now(UTC)  # noqa: TID251  # the command line is where the clock is read
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = f"--at {text!r} is not an RFC 3339 time with its zone"
    raise UsageError(msg, hint="for example --at 2026-03-15T00:00:00Z")


def read_fingerprint(text: str) -> bytes:
    """The SHA-256 of a root's DER: given as such, or of the one self-signed certificate in a file."""
    from warily.verify import recognise, x509  # noqa: PLC0415  # help does without cryptography
    from warily.verify.snp.products import is_root  # noqa: PLC0415  # help does without cryptography

    if _FINGERPRINT.fullmatch(text):
        return bytes.fromhex(text)
    offered = recognise.collateral_from([read_file(Path(text))]).certificates
    roots = [x509.fingerprint(x509.decoded(der)) for der in offered if is_root(x509.decoded(der))]
    if len(roots) != 1:
        msg = f"{text} holds {len(roots)} root certificates, not one"
        raise UsageError(msg)
    return roots[0]


def authority_argument(parser: argparse.ArgumentParser) -> None:
    """Declare authorities that the user names."""
    parser.add_argument(
        "--authority",
        metavar="SHA256|FILE",
        action="append",
        default=[],
        help="also trust this authority over keys of TPMs, or over SPDM devices: its SHA-256, or its certificate",
    )


def authorities_given(options: argparse.Namespace) -> frozenset[bytes]:
    """The fingerprints of the authorities that were named: as such, or by a file with the one certificate."""
    return frozenset(map(_authority, options.authority))


def _authority(text: str) -> bytes:
    from warily.verify import recognise, x509  # noqa: PLC0415  # help does without cryptography

    if _FINGERPRINT.fullmatch(text):
        return bytes.fromhex(text)
    offered = recognise.collateral_from([read_file(Path(text))]).certificates
    if len(offered) != 1:
        msg = f"{text} holds {len(offered)} certificates, not the one of an authority"
        raise UsageError(msg)
    return x509.fingerprint(x509.decoded(offered[0]))


def read_collateral(paths: Iterable[Path]) -> Iterator[bytes]:
    """The content of every file named, and of every file of a folder that is collateral by its content."""
    from warily.verify import kinds, recognise  # noqa: PLC0415  # help does without cryptography

    for path in paths:
        if not path.is_dir():
            yield read_file(path)
            continue
        files = sorted(entry for entry in path.rglob("*") if entry.is_file())
        if len(files) > MAX_FILES:
            msg = f"{path} holds over {MAX_FILES} files"
            raise UsageError(msg)
        for entry in files:
            blob = read_file(entry)
            kind = recognise.recognise(blob)
            if kind in kinds.COLLATERAL:
                yield blob
            elif kind not in kinds.EVIDENCE:
                print(f"warily: {entry} is no collateral; passed over", file=sys.stderr)


def read_file(path: Path) -> bytes:
    """The bytes of a file of at most 16 MiB. Raises `UsageError` where it cannot be read."""
    from warily.verify.kinds import LIMIT  # noqa: PLC0415  # help does without cryptography

    try:
        with path.open("rb") as source:
            data = source.read(LIMIT + 1)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise UsageError(msg) from None
    if len(data) > LIMIT:
        msg = f"{path}: over {LIMIT} bytes"
        raise FormatError(msg)
    return data
