"""Show, sign, verify or exchange a manifest.

  warily manifest show FILE             what the image is made of, and what hardware will report of it
  warily manifest sign FILE             sign manifest.json with your owner key; the envelope goes to stdout
  warily manifest verify FILE           is the envelope signed by an owner you trust, and unchanged?
  warily manifest export --corim FILE   the manifest as a CoRIM on stdout; with --signed, signed by your owner key
  warily manifest import FILE           reference values of others: CoRIM, Keylime runtime policies, systemd
                                        pcrlock files, Contrast manifests, dstack measurements

FILE is a manifest (manifest.json) or a signed one (manifest.dsse.json). `verify` and `export` trust your own
owner key, and each one named with --owner. `show` verifies nothing, and says so. `import` verifies a signature
where --key names a public key (PEM), and says what it did.

Exit statuses: 0 done · 3 not a manifest · 10 not signed by an owner you trust, or changed since.
"""

import argparse
import json
import sys
from pathlib import Path

from warily.core.manifest import LIMIT, SCHEMA, Manifest
from warily.errors import FormatError, UsageError
from warily.formats._json import JsonObject
from warily.formats.dsse import Envelope
from warily.host import keys
from warily.release.signing import sign_manifest, verify_manifest


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action, the file and the trusted owners."""
    parser.add_argument("action", choices=("show", "sign", "verify", "export", "import"), help="what to do with it")
    parser.add_argument("file", type=Path, help="a manifest, signed or not")
    parser.add_argument(
        "--owner", action="append", default=[], metavar="HEX", help="trust this owner's public key (32 bytes, hex)"
    )
    parser.add_argument("--corim", action="store_true", help="export as a CoRIM (the one format there is)")
    parser.add_argument("--signed", action="store_true", help="sign the export with your owner key")
    parser.add_argument(
        "--key", action="append", default=[], type=Path, metavar="FILE", help="import: whose signature it must bear"
    )


def run(options: argparse.Namespace) -> int:
    """Carry out the action."""
    if options.action in ("export", "import"):
        from warily.cli import manifest_exchange  # noqa: PLC0415  # the other actions do without CBOR

        return manifest_exchange.export(options) if options.action == "export" else manifest_exchange.read(options)
    text = _read(options.file)
    if options.action == "sign":
        sys.stdout.buffer.write(sign_manifest(Manifest.decode(text), keys.signing_key("owner")))
        return 0
    if options.action == "verify":
        manifest = verify_manifest(text, owners(options.owner))
        _show(manifest, "signed by an owner you trust", as_json=options.json)
        return 0
    _show(_unverified(text), "signature not looked at", as_json=options.json)
    return 0


def owners(named: list[str]) -> frozenset[bytes]:
    """The owner keys to trust: the named ones, and the user's own."""
    found = {keys.public_bytes(keys.signing_key("owner"))}
    for text in named:
        try:
            public = bytes.fromhex(text)
        except ValueError:
            public = b""
        if len(public) != 32:  # noqa: PLR2004  # a raw Ed25519 public key
            message = f"--owner {text}: not 32 bytes in hexadecimal"
            raise UsageError(message, hint="`warily key` shows such a key")
        found.add(public)
    return frozenset(found)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(2 * LIMIT)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None


def _unverified(text: bytes) -> Manifest:
    top = JsonObject.parse(text, what="manifest", limit=2 * LIMIT)
    if "schema" in top:
        return Manifest.decode(text)
    if "payload" not in top:
        message = f"neither a manifest ({SCHEMA}) nor a DSSE envelope"
        raise FormatError(message)
    statement = JsonObject.parse(Envelope.decode(text).payload, what="in-toto statement", limit=LIMIT)
    return Manifest.read(statement.object("predicate"))


def _show(manifest: Manifest, status: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(manifest.as_json(), indent=2))
        return
    print(f"{manifest.name}  Debian {manifest.suite}  ({status})\n")
    for part in manifest.ingredients:
        print(f"  {part.role:<20} {part.size:>12}  {part.sha256.hex()}")
    print(f"\n  root hash            {manifest.root.root_hash.hex()}")
    print(f"  command line         {manifest.command_line}")
    for entry in manifest.registers:
        if entry.when.get("vcpus") == str(manifest.cpus):
            print(f"\n  {entry.platform.value} {entry.register} at {manifest.cpus} vCPUs\n    {entry.value.hex()}")
