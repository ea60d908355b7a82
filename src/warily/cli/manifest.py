"""Show, sign, verify, use or exchange a manifest.

  warily manifest show FILE             what the image is made of, and what hardware will report of it
  warily manifest predict FILE          the registers of any shape of machine: --platform, --vcpus, --memory …
  warily manifest sign FILE             sign manifest.json with your owner key; the envelope goes to stdout
  warily manifest verify FILE           is the envelope signed by an owner you trust, and unchanged?
  warily manifest export --corim FILE   the manifest as a CoRIM on stdout; with --signed, signed by your owner key
  warily manifest export --sigstore FILE
                                        a signed manifest as a Sigstore bundle (`cosign` reads it with your public key)
  warily manifest import FILE           reference values of others: CoRIM, Keylime runtime policies, systemd
                                        pcrlock files, Contrast manifests, dstack measurements, Sigstore bundles

FILE is a manifest (manifest.json) or a signed one (manifest.dsse.json, or a Sigstore bundle of it). `verify` and
`export` trust your own owner key, and each one named with --owner. `show` verifies nothing, and says so. `import`
verifies a signature where --key names a public key (PEM), and says what it did. `predict` is for the declared shape
where nothing else is said; what the manifest leaves open of a TD, --acpi, --smbios, --launch or
--log gives.

Exit statuses: 0 done · 3 not a manifest · 10 not signed by an owner you trust, or changed since.
"""

import argparse
import sys
from pathlib import Path

from warily.cli.manifest_show import show
from warily.cli.measure_tables import declare_tables
from warily.cli.owners import owners
from warily.core.manifest import LIMIT, SCHEMA, Manifest
from warily.errors import FormatError, UsageError
from warily.formats._json import JsonObject
from warily.formats.dsse import Envelope
from warily.host import keys
from warily.publish.sigstore import envelope_in
from warily.release.signing import sign_manifest, verify_manifest


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action, the file and the trusted owners."""
    actions = ("show", "predict", "sign", "verify", "export", "import")
    parser.add_argument("action", choices=actions, help="what to do with it")
    parser.add_argument("file", type=Path, help="a manifest, signed or not")
    parser.add_argument(
        "--owner", action="append", default=[], metavar="HEX", help="trust this owner's public key (32 bytes, hex)"
    )
    parser.add_argument("--corim", action="store_true", help="export as a CoRIM")
    parser.add_argument("--sigstore", action="store_true", help="export as a Sigstore bundle")
    parser.add_argument("--signed", action="store_true", help="sign the export with your owner key")
    parser.add_argument(
        "--key", action="append", default=[], type=Path, metavar="FILE", help="import: whose signature it must bear"
    )
    parser.add_argument("--packages", action="store_true", help="show: every package of the image")
    parser.add_argument("--files", action="store_true", help="verify: the image's files beside it as well")
    predict = parser.add_argument_group("predict")
    predict.add_argument("--platform", metavar="NAME", help="rehearsal, snp or tdx (default: the first declared)")
    predict.add_argument("--vcpus", type=int, metavar="N", help="virtual processors")
    predict.add_argument("--memory", metavar="SIZE", help="memory: bytes, or with a unit (2G, 64GiB)")
    predict.add_argument("--cpu", metavar="MODEL", help="QEMU's CPU model, for SNP")
    predict.add_argument("--qemu", metavar="VERSION", help="QEMU's version, for TDX (default: since 10.2)")
    predict.add_argument("--host", default="", metavar="NAME", help="a kind of host, as candidates are named")
    predict.add_argument("--firmware", metavar="FILE", help="the firmware, where RTMR0 needs SMBIOS tables")
    declare_tables(predict)
    predict.add_argument("--log", metavar="FILE", help="an event log of such a machine, for RTMR0")
    predict.add_argument("--trace", action="store_true", help="print the steps as well")


def run(options: argparse.Namespace) -> int:
    """Carry out the action."""
    if options.action in ("export", "import"):
        from warily.cli import manifest_exchange  # noqa: PLC0415  # the other actions do without CBOR

        return manifest_exchange.export(options) if options.action == "export" else manifest_exchange.read(options)
    text = _read(options.file)
    if options.action == "predict":
        from warily.cli import manifest_predict  # noqa: PLC0415  # the other actions do without predictions

        return manifest_predict.predict(_unverified(text), options)
    if options.action == "sign":
        sys.stdout.buffer.write(sign_manifest(Manifest.decode(text), keys.signing_key("owner")))
        return 0
    if options.action == "verify":
        return show(verify_manifest(text, owners(options.owner)), "signed by an owner you trust", options)
    return show(_unverified(text), "signature not looked at", options)


def _read(path: Path) -> bytes:
    """The file; of a Sigstore bundle, the envelope in it."""
    try:
        with path.open("rb") as file:
            text = file.read(2 * LIMIT)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None
    return envelope_in(text)


def _unverified(text: bytes) -> Manifest:
    top = JsonObject.parse(text, what="manifest", limit=2 * LIMIT)
    if "schema" in top:
        return Manifest.decode(text)
    if "payload" not in top:
        message = f"neither a manifest ({SCHEMA}) nor a DSSE envelope"
        raise FormatError(message)
    statement = JsonObject.parse(Envelope.decode(text).payload, what="in-toto statement", limit=LIMIT)
    return Manifest.read(statement.object("predicate"))
