"""Make a credential that only one TPM can open: the proof that an attestation key lives in a TPM you trust.

  warily credential EK AK --out FILE --record FILE

EK is the certificate of the TPM's endorsement key (PEM or DER), or that key itself in PEM. AK is the attestation key as
the TPM describes it: a TPMT_PUBLIC or TPM2B_PUBLIC, what `tpm2_createak --public` writes.

The file of --out goes to the machine, where the TPM opens it (`tpm2_activatecredential`). The record stays with you.
What the TPM got out comes back, and `warily verify` takes both beside a quote of that key:

  warily verify tpm.quote --collateral ek.pem --collateral maker.pem --collateral ak.pub --authority maker.pem
                --credential record.json --activated secret.bin

Exit statuses: 0 written · 2 a key that cannot be used so · 3 malformed bytes.
"""

import argparse
import secrets
import sys
from pathlib import Path

from warily.cli.inputs import read_file
from warily.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two keys and the two files."""
    parser.add_argument("endorsement_key", metavar="EK", type=Path, help="certificate or key in PEM, or DER")
    parser.add_argument("attestation_key", metavar="AK", type=Path, help="a TPMT_PUBLIC or TPM2B_PUBLIC")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="a new file, for the TPM")
    parser.add_argument("--record", metavar="FILE", type=Path, required=True, help="a new file, to keep")


def run(options: argparse.Namespace) -> int:
    """Write both files."""
    from warily.formats.tpm_credential import CredentialRecord  # noqa: PLC0415  # see below
    from warily.verify import recognise_tpm  # noqa: PLC0415  # `warily --help` does without cryptography
    from warily.verify.vtpm import credential  # noqa: PLC0415  # see above
    from warily.verify.vtpm.case import fingerprint as digest  # noqa: PLC0415  # see above

    spki = recognise_tpm.endorsement_key_in(read_file(options.endorsement_key))
    public = recognise_tpm.public_in(read_file(options.attestation_key))
    if public is None:
        message = f"{options.attestation_key} is no TPMT_PUBLIC: only its own TPM's description gives a key its name"
        raise UsageError(message, hint="`tpm2_createak --public` and `tpm2_readpublic -o` write one")
    name, secret = credential.name_of(public), secrets.token_bytes(credential.SECRET_SIZE)
    made = credential.make_credential(spki, name, secret=secret, seed=secrets.token_bytes(credential.SECRET_SIZE))
    record = CredentialRecord(endorsement_key=digest(spki), name=name, secret=digest(secret))
    for path, data in ((options.out, made.encode()), (options.record, record.encode())):
        try:
            with path.open("xb") as file:
                file.write(data)
        except OSError as error:
            message = f"cannot write {path}: {error.strerror or error}"
            raise UsageError(message) from None
        print(f"warily: wrote {path}", file=sys.stderr)
    return 0
