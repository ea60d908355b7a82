"""`warily measure id-block`: an ID block for a launch digest, signed with keys from files."""

import argparse
from typing import TYPE_CHECKING

from warily.cli.measure_common import hexadecimal, output_options, read
from warily.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from warily.core.registers import Prediction
    from warily.formats.snp_id_block import IdAuth, IdBlock

KEY_LIMIT = 1 << 16


def declare(platforms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the parser."""
    parser = platforms.add_parser("id-block", help="sign what an SNP processor shall check before the guest starts")
    output_options(parser)
    parser.add_argument("--digest", required=True, metavar="HEX", help="the launch digest, 48 bytes")
    parser.add_argument("--id-key", required=True, metavar="FILE", help="the ID key: P-384, private, PEM")
    parser.add_argument("--author-key", metavar="FILE", help="the author key, which signs the ID key")
    parser.add_argument("--family-id", default="00" * 16, metavar="HEX", help="16 bytes of your choice")
    parser.add_argument("--image-id", default="00" * 16, metavar="HEX", help="16 bytes of your choice")
    parser.add_argument("--guest-svn", type=int, default=0, metavar="N", help="the security version (default: 0)")
    parser.add_argument("--policy", default="30000", metavar="HEX", help="the guest policy (default: 30000)")
    parser.add_argument("--into", default=".", metavar="DIR", help="where id_block.bin and id_auth.bin go")
    parser.set_defaults(measure=_measure)


def _measure(options: argparse.Namespace) -> "Prediction":
    from warily.core.registers import Prediction  # noqa: PLC0415  # --help answers without it
    from warily.formats.snp_id_block import NO_KEY  # noqa: PLC0415  # likewise
    from warily.measure import id_block  # noqa: PLC0415  # likewise

    block = _block(options)
    author = None if options.author_key is None else _key(options.author_key)
    auth = id_block.signed(block, _key(options.id_key), author)
    _write(options.into, block, auth)
    registers = {"launch_digest": block.launch_digest, "id_key_digest": id_block.digest_of(auth.id_key)}
    if auth.author_key != NO_KEY:
        registers["author_key_digest"] = id_block.digest_of(auth.author_key)
    return Prediction(registers=registers, trace=())


def _block(options: argparse.Namespace) -> "IdBlock":
    from warily.formats.snp_id_block import ID_BLOCK_VERSION, IdBlock  # noqa: PLC0415  # --help answers without it

    try:
        policy = int(options.policy, 16)
    except ValueError:
        policy = -1
    if not 0 <= policy < 1 << 64:
        message = f"--policy {options.policy}: not a 64-bit number in hexadecimal"
        raise UsageError(message)
    if not 0 <= options.guest_svn < 1 << 32:
        message = f"--guest-svn {options.guest_svn}: not a 32-bit number"
        raise UsageError(message)
    return IdBlock(
        launch_digest=hexadecimal(options.digest, 48, "--digest"),
        family_id=hexadecimal(options.family_id, 16, "--family-id"),
        image_id=hexadecimal(options.image_id, 16, "--image-id"),
        version=ID_BLOCK_VERSION,
        guest_svn=options.guest_svn,
        policy=policy,
    )


def _key(path: str) -> "EllipticCurvePrivateKey":
    """The private key in the file. What is wrong with it is said without a byte of it."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # --help answers without it
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # noqa: PLC0415  # likewise
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  # likewise

    try:
        found = load_pem_private_key(read(path, KEY_LIMIT), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, EllipticCurvePrivateKey):
        message = f"{path}: not an unencrypted private key on an elliptic curve, in PEM"
        raise UsageError(message, hint="make one with `openssl ecparam -genkey -name secp384r1 -noout -out id.key`")
    return found


def _write(folder: str, block: "IdBlock", auth: "IdAuth") -> None:
    for name, data in (("id_block.bin", block.pack()), ("id_auth.bin", auth.pack())):
        try:
            with open(f"{folder}/{name}", "wb") as file:  # noqa: PTH123  # as everywhere below `measure`
                file.write(data)
        except OSError as error:
            message = f"{folder}/{name}: {error.strerror}"
            raise UsageError(message) from None
