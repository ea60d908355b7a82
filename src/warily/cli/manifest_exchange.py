"""`warily manifest export` and `import`: manifests and reference values in the formats of others."""

import argparse
import json
import sys
from datetime import UTC, datetime

from warily.cli.inputs import read_file
from warily.cli.owners import owners
from warily.core.manifest import Manifest
from warily.errors import UsageError
from warily.formats._json import JsonObject
from warily.formats.dsse import Envelope
from warily.host import keys
from warily.publish import corim_export, references, sigstore
from warily.publish.references import References
from warily.release.signing import key_id, verify_manifest

SHOWN = 40


def export(options: argparse.Namespace) -> int:
    """The CoRIM or the bundle goes to standard output. A signed manifest must be signed by a trusted owner."""
    if options.corim is options.sigstore:
        raise UsageError("export as what?", hint="add --corim or --sigstore")
    text = sigstore.envelope_in(read_file(options.file))
    if options.sigstore:
        return _bundle(text, owners(options.owner))
    if "payload" in JsonObject.parse(text, what="manifest", limit=len(text)):
        manifest = verify_manifest(text, owners(options.owner))
    else:
        manifest = Manifest.decode(text)
    corim = corim_export.export(manifest)
    if options.signed:
        corim = corim_export.sign(corim, keys.signing_key("owner"), signer=manifest.name)
    if options.json:
        print(json.dumps({"format": "application/rim+cbor", "signed": options.signed, "corim": corim.hex()}))
        return 0
    if sys.stdout.isatty():
        raise UsageError("a CoRIM is binary", hint="send it to a file with >")
    sys.stdout.buffer.write(corim)
    return 0


def _bundle(envelope: bytes, trusted: frozenset[bytes]) -> int:
    """The bundle is JSON with `--json` and without it. Raises `UsageError` for a manifest that nobody signed yet."""
    if "payload" not in JsonObject.parse(envelope, what="manifest", limit=len(envelope)):
        raise UsageError("a bundle holds a signed manifest", hint="sign it with `warily manifest sign` first")
    verify_manifest(envelope, trusted)
    names = {entry.keyid for entry in Envelope.decode(envelope).signatures}
    signer = next(public for public in sorted(trusted) if key_id(public) in names or "" in names)
    sys.stdout.buffer.write(sigstore.bundle(envelope, signer))
    return 0


def read(options: argparse.Namespace) -> int:
    """The reference values that the file publishes are printed."""
    found = references.read(read_file(options.file), keys=[read_file(path) for path in options.key])
    if options.json:
        print(json.dumps(as_json(found), indent=2))
        return 0
    print(f"{found.format}, signature {found.signature}, {len(found.values)} reference values{_validity(found)}\n")
    for value in found.values[:SHOWN]:
        when = f"  ({', '.join(value.when.values())})" if value.when else ""
        print(f"  {value.environment}  {value.name}{when}\n    {value.algorithm or 'digest'} {value.value.hex()}")
    if len(found.values) > SHOWN:
        print(f"  … and {len(found.values) - SHOWN} more; --json has them all")
    return 0


def as_json(found: References) -> dict[str, object]:
    """The object that `warily manifest import --json` prints."""
    return {
        "format": found.format,
        "signature": found.signature,
        "not_before": found.not_before,
        "not_after": found.not_after,
        "values": [value.as_json() for value in found.values],
    }


def _validity(found: References) -> str:
    if found.not_after is None:
        return ""
    try:
        return f", valid until {datetime.fromtimestamp(found.not_after, tz=UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return ", valid until a time past all calendars"
