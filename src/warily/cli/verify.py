"""Judge evidence: is it genuine, and is it what was wanted?

EVIDENCE is an SEV-SNP report (raw, in hexadecimal, or as the firmware or Linux hands it out), a TDX or SGX quote (raw
or in hexadecimal), quotes of a TPM (JSON of confidential-containers' tools, Azure's paravisor included, protobuf of
go-tpm-tools, or a bare quote), an AWS Nitro attestation document, evidence of NVIDIA devices, an SPDM conversation, or
an evidence collection. Kinds are told by content, never by name. Nothing is fetched: certificates, revocation lists and
Intel's statements come with the evidence or with --collateral (PEM, DER, JSON as Intel serves it or as libraries bundle
it, a folder or bundle of `warily fetch`); AMD's, Intel's, Amazon's and NVIDIA's own authorities are built in. With
--seen, collateral that is older than what `warily fetch` saw before leaves the evidence undecided.

The signature of a bare TPM quote and the registers' values are looked for in the files of --collateral, and beside the
quote under the same name. A public key in a PEM file named with --collateral is an attestation key that you trust; an
expectation file names its keys itself.

  --expect genuine   judges authenticity alone, and says so
  --expect baseline  also refuses what nobody wants: debugging, a migration agent, a host-requested report
  --expect FILE      a TOML file that decides every field, or waives it with a reason

  warily verify report.bin --collateral vcek.der
  warily verify report.bin --collateral kds/ --at 2026-03-15T00:00:00Z --json
  warily verify quote.bin --collateral collateral.json --expect genuine
  warily verify quote.bin --collateral collateral.json --log ccel.bin
  warily verify tpm.quote --collateral ak.pub.pem --nonce 6f1c… --expect genuine
  warily verify hopper-report.bin --collateral chain.pem --collateral manifests/
  warily verify vtpm.json --log binary_bios_measurements --json
  warily verify report.bin --collateral kds/ --ear verifier.pem > result.jwt
  warily verify report.bin --collateral kds/ --manifest manifest.dsse.json --owner 9d1c…

Event logs passed with --log must lead to the registers that the evidence signs (PCRs, RTMRs); an SNP report has none.

With --manifest the launch digest (SNP) or MRTD and RTMR0 to RTMR2 (TDX) must be what that signed manifest predicts for
some shape of machine; the finding names it. With --log-proof, a log must have the manifest, too. What a manifest leaves
open of a TD, the host's ACPI and SMBIOS tables, is taken from --log, which RTMR0 then vouches for.

With --ear the signed result (EAR, a JWT or CWT) goes to standard output, and the report to standard error; with
--json it is the member `ear`.

Exit statuses: 0 accepted · 3 malformed bytes · 4 could not decide, a certificate or list is missing or old ·
10 rejected; the first finding that is not `ok` says why.
"""

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from warily.cli.by_manifest import appraised, manifest_arguments
from warily.cli.ear_output import as_text, ear_arguments, print_token, token
from warily.cli.evidence import keys_given, read_evidence
from warily.cli.inputs import authorities_given, authority_argument, read_file, read_fingerprint, read_time
from warily.cli.nonce import answering, nonce_argument
from warily.core.appraisal import Appraisal, Rejected
from warily.core.evidence import Evidence
from warily.core.expect import ActivatedCredential, Expect, LastWord, TpmExpect
from warily.core.seen import Seen
from warily.errors import CollateralError, UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `warily verify`."""
    parser.add_argument("evidence", metavar="EVIDENCE", type=Path, help="the file with the evidence")
    parser.add_argument(
        "--collateral",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="certificates, CRLs, TCB info, or a folder",
    )
    parser.add_argument("--at", metavar="RFC3339", help="judge at this time; the present without it")
    parser.add_argument("--expect", metavar="genuine|baseline|FILE", default="baseline", help="what is wanted")
    parser.add_argument(
        "--rehearsal-root",
        metavar="SHA256|FILE",
        action="append",
        default=[],
        help="also trust this rehearsal root: the SHA-256 of its DER, or the certificate",
    )
    parser.add_argument(
        "--log", metavar="EVENTLOG", type=Path, action="append", default=[], help="a TCG or CCEL event log of that boot"
    )
    parser.add_argument(
        "--seen", metavar="FILE", type=Path, help="the record of `warily fetch`: collateral older than it is noticed"
    )
    nonce_argument(parser)
    authority_argument(parser)
    parser.add_argument(
        "--credential", metavar="RECORD", type=Path, help="the record of `warily credential` for that key"
    )
    parser.add_argument("--activated", metavar="FILE", type=Path, help="what the TPM got out of that credential")
    ear_arguments(parser)
    manifest_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Appraise, print, and say by the exit status what came out."""
    from warily.verify import recognise  # noqa: PLC0415  # `warily --help` does without cryptography
    from warily.verify.presets import naming_authorities, trusting  # noqa: PLC0415  # likewise
    from warily.verify.recognise_tpm import with_logs, with_secret  # noqa: PLC0415  # likewise
    from warily.verify.seen import against  # noqa: PLC0415  # likewise

    evidence, offered = read_evidence(options.evidence, options.collateral)
    evidence = with_logs(evidence, map(read_file, options.log))
    if options.activated is not None:
        evidence = with_secret(evidence, read_file(options.activated))
    collateral = recognise.collateral_for(evidence, offered)
    expect = naming_authorities(_expectation(options, evidence), authorities_given(options))
    expect = answering(activating(expect, options), options.nonce)
    roots = frozenset(read_fingerprint(text) for text in options.rehearsal_root)
    at = read_time(options.at)
    appraisal = appraised(evidence, collateral, trusting(expect, roots), options, at)
    if options.seen is not None:
        appraisal = against(appraisal, evidence, collateral, Seen.decode(read_file(options.seen)), at=at)
    _show(appraisal, options)
    if _is_collateral_missing(appraisal) and not options.json:
        _say_how_to_fetch(evidence, options.evidence)
    if appraisal.accepted:
        return 0
    return CollateralError.exit_status if appraisal.undecided else Rejected.exit_status


def activating(expect: Expect, options: argparse.Namespace) -> Expect:
    """The expectation that also wants a TPM to have opened the credential of --credential."""
    if options.credential is None:
        return expect
    from warily.formats.tpm_credential import CredentialRecord  # noqa: PLC0415  # rarely needed

    inner = expect.over if isinstance(expect, LastWord) else expect
    if not isinstance(inner, TpmExpect):
        msg = "--credential is for quotes of a TPM"
        raise UsageError(msg)
    record = CredentialRecord.decode(read_file(options.credential))
    made = ActivatedCredential(endorsement_key=record.endorsement_key, name=record.name, secret=record.secret)
    wanted = replace(inner, credential=made)
    return replace(expect, over=wanted) if isinstance(expect, LastWord) else wanted


def _is_collateral_missing(appraisal: Appraisal) -> bool:
    """Whether what is missing may be had of a vendor: what a TPM or a log lacks, only its machine has."""
    first = appraisal.first_failure
    return appraisal.undecided and first is not None and not first.check.startswith(("vtpm.", "log."))


def _say_how_to_fetch(evidence: Evidence, path: Path) -> None:
    """What to run where vendors have something for the evidence; nothing where they have not."""
    from warily.fetch.plan import plan  # noqa: PLC0415  # see `run`

    if plan(evidence).requests:
        fetch = f"run `warily fetch {shlex.quote(str(path))} --into collateral/`, then pass --collateral collateral/"
        print(f"\nhint: {fetch}", file=sys.stderr)


def _show(appraisal: Appraisal, options: argparse.Namespace) -> None:
    """The result in the one form that was asked for; messages beside a token go to standard error."""
    signed = None if options.ear is None else token(appraisal, options)
    if options.json:
        result = appraisal.as_json()
        print(json.dumps(result if signed is None else result | {"ear": as_text(signed, options)}, indent=2))
        return
    from warily.cli.render_appraisal import render  # noqa: PLC0415  # not for --json

    text = render(appraisal, genuine_alone=options.expect == "genuine")
    print(text, end="", file=sys.stdout if signed is None else sys.stderr)
    if signed is not None:
        print_token(signed, options)


def _expectation(options: argparse.Namespace, evidence: Evidence) -> Expect:
    """A preset by name, or the file of that path."""
    from warily.verify.expectation import read_expectation  # noqa: PLC0415  # see `run`
    from warily.verify.presets import NAMES, naming_keys, preset  # noqa: PLC0415  # see `run`

    if options.expect not in NAMES:
        return read_expectation(read_file(Path(options.expect)))
    if options.credential is not None:
        return preset(options.expect, evidence)  # the keys are given to be vouched for, not to be trusted by name
    return naming_keys(preset(options.expect, evidence), keys_given(options.collateral))
