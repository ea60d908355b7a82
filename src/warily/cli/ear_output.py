"""`--ear KEYFILE`: an appraisal as a signed attestation result, for verbs that judge evidence."""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Final

from warily.cli.inputs import read_file
from warily.core.appraisal import Appraisal
from warily.formats._json import b64url

JWT: Final = "jwt"
CWT: Final = "cwt"
EVIDENCE_TYPE: Final = "application/octet-stream"  # told by content, as the file was


def ear_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the key and the form of the token."""
    parser.add_argument(
        "--ear", metavar="KEYFILE", type=Path, help="sign the result with this key (PEM) and print it as a token"
    )
    parser.add_argument("--ear-format", choices=(JWT, CWT), default=JWT, help="the form of the token (default: jwt)")
    parser.add_argument("--ear-evidence", action="store_true", help="put the evidence itself into the token too")


def policy_id(chosen: str) -> str:
    """A URI for what `--expect` named: a tag for a preset, a hash (RFC 6920) of the file otherwise."""
    from warily.verify.presets import NAMES  # noqa: PLC0415  # `warily --help` does without cryptography

    if chosen in NAMES:
        return f"tag:warily,2026:expect/{chosen}"
    return f"ni:///sha-256;{b64url(hashlib.sha256(read_file(Path(chosen))).digest())}"


def token(appraisal: Appraisal, options: argparse.Namespace) -> bytes:
    """The signed result that the options ask for: the text of a JWT, or the bytes of a CWT."""
    from warily.verify.ear import RawEvidence, ear_claims  # noqa: PLC0415  # see `policy_id`
    from warily.verify.ear_submodules import submodules  # noqa: PLC0415  # see `policy_id`
    from warily.verify.ear_token import read_signing_key, sign_cwt, sign_jwt  # noqa: PLC0415  # see `policy_id`

    key = read_signing_key(read_file(options.ear))
    raw = RawEvidence(media_type=EVIDENCE_TYPE, data=read_file(options.evidence)) if options.ear_evidence else None
    claims = ear_claims(submodules(appraisal, policy_id=policy_id(options.expect)), raw_evidence=raw)
    return sign_cwt(claims, key) if options.ear_format == CWT else sign_jwt(claims, key).encode()


def as_text(made: bytes, options: argparse.Namespace) -> str:
    """The token as `--json` holds it: a JWT as it is, a CWT in base64url."""
    return b64url(made) if options.ear_format == CWT else made.decode()


def print_token(made: bytes, options: argparse.Namespace) -> None:
    """The token alone on standard output: a line of text, or bytes."""
    sys.stdout.flush()
    sys.stdout.buffer.write(made if options.ear_format == CWT else made + b"\n")
    sys.stdout.buffer.flush()
