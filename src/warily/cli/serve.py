"""Run the verifier and key broker: nonces, appraisals, sealed grants, leases.

Keys are granted to evidence whose launch digest a given manifest predicts, signed by an owner you trust
(your own owner key, and each --owner). Secrets are wrapped under a passphrase that comes from --kek-file,
WARILY_KEK_FILE or WARILY_KEK, never from the command line. Once the broker answers, one line on standard
output says where; SIGTERM and Ctrl-C stop it.

  warily serve --state .warily/broker --manifest image/manifest.dsse.json --kek-file kek

Operators ask under /v1/operator/ with the bearer token in STATE/operator.token. A broker that listens beyond
this machine needs a proxy with TLS before it for them; guests need none, for what is secret is sealed.
"""

import argparse
import hashlib
import ipaddress
import json
import os
import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warily.cli.owners import owners
from warily.core.manifest import LIMIT, Manifest
from warily.errors import UsageError
from warily.formats import pem
from warily.formats.x509 import Certificate
from warily.host import keys
from warily.release.signing import verify_manifest

if TYPE_CHECKING:
    from warily.service.run import Ready

LISTEN: Final = "127.0.0.1:0"
FILE_LIMIT: Final = 64 << 10
DIGEST_DIGITS: Final = 64
PORTS: Final = range(1 << 16)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a broker needs to know."""
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where it remembers; made if missing")
    parser.add_argument(
        "--listen", default=LISTEN, metavar="ADDRESS:PORT", help="where to listen (default: %(default)s, any free port)"
    )
    parser.add_argument(
        "--manifest", type=Path, action="append", default=[], metavar="FILE", help="a signed manifest; repeatable"
    )
    parser.add_argument("--owner", action="append", default=[], metavar="HEX|FILE", help="trust this owner's key too")
    parser.add_argument(
        "--rehearsal-root",
        action="append",
        default=[],
        metavar="FILE|HEX",
        help="trust this rehearsal root: its certificate, or the SHA-256 of that",
    )
    parser.add_argument(
        "--refuse-unknown-devices",
        action="store_true",
        help="no keys for a machine with devices that its image has no use for, even if they have no driver",
    )
    parser.add_argument("--kek-file", type=Path, metavar="FILE", help="the passphrase that secrets are wrapped under")
    parser.add_argument(
        "--lease", type=int, default=4, metavar="SECONDS", help="a guest's pause between calls (default: 4)"
    )


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    host, port = _address(options.listen)
    if options.lease not in range(1, 86401):
        raise UsageError("--lease takes 1 to 86400 seconds")
    grantor = keys.signing_key("grantor")
    manifests = _manifests(options.manifest, _owners(options.owner), keys.public_bytes(grantor))
    roots = frozenset(_root(text) for text in options.rehearsal_root)

    from warily.service.appraise import Trust  # noqa: PLC0415  # half a second of imports, not for `--help` or a mistake
    from warily.service.run import Settings, serve  # noqa: PLC0415  # likewise
    from warily.service.unlock import passphrase  # noqa: PLC0415  # likewise

    settings = Settings(
        state=options.state,
        host=host,
        port=port,
        trust=Trust(manifests=manifests, rehearsal_roots=roots, unknown_devices=not options.refuse_unknown_devices),
        passphrase=passphrase(options.kek_file, os.environ),
        grantor=grantor,
        lease_seconds=options.lease,
    )
    if not ipaddress.ip_address(host).is_loopback:
        print("warily: listening beyond this machine in plain HTTP: put TLS before it for operators", file=sys.stderr)
    serve(settings, lambda ready: _announce(ready, settings.trust.manifests, as_json=options.json))
    return 0


def _announce(ready: "Ready", manifests: tuple[Manifest, ...], *, as_json: bool) -> None:
    names = [manifest.name for manifest in manifests]
    if as_json:
        found = {"address": ready.address, "token_file": str(ready.token_file), "manifests": names}
        print(json.dumps(found), flush=True)
        return
    print(f"broker at {ready.address} for {', '.join(names) or 'no image'}", flush=True)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        plain = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        plain = ""
    if not plain or not (port.isascii() and port.isdecimal()) or int(port[:6]) not in PORTS:
        message = f"--listen {text}: not an address and a port"
        raise UsageError(message, hint="write 127.0.0.1:8080 or [::1]:8080; port 0 lets the system choose")
    return plain, int(port)


def _manifests(paths: list[Path], trusted: frozenset[bytes], grantor: bytes) -> tuple[Manifest, ...]:
    """The manifests, each signed by a trusted owner and made for this broker's grantor."""
    found = []
    for path in paths:
        manifest = verify_manifest(_read(path, 2 * LIMIT), trusted)
        if manifest.grantor != grantor:
            message = f"{path}: the image accepts grants by {manifest.grantor.hex()[:16]}…, not by this broker"
            raise UsageError(message, hint="build it again with the grantor key of this broker (`warily key`)")
        found.append(manifest)
    return tuple(found)


def _owners(named: list[str]) -> frozenset[bytes]:
    """The trusted owners: the user's own, and those named as hexadecimal or by a file that holds it."""
    read = [text if _is_digest(text) else _read(Path(text), FILE_LIMIT).decode("ascii", "replace") for text in named]
    return owners([text.strip() for text in read])


def _root(text: str) -> bytes:
    """The SHA-256 of a rehearsal root: as written, or of the certificate (DER or PEM) in a file."""
    if _is_digest(text):
        return bytes.fromhex(text)
    content = _read(Path(text), FILE_LIMIT)
    if pem.MARK in content:
        content = pem.decode_blocks(content)[0].der
    Certificate.decode(content)
    return hashlib.sha256(content).digest()


def _is_digest(text: str) -> bool:
    return len(text) == DIGEST_DIGITS and all(digit in string.hexdigits for digit in text)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None
