"""TPM evidence and what belongs to it, out of files of known kinds."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from warily.core.collateral import TpmCollateral
from warily.core.evidence import Evidence, NitroEvidence, SnpEvidence, TdxEvidence, TpmEvidence, TpmQuote
from warily.errors import FormatError, UsageError
from warily.formats import _der, pem, tcg_log
from warily.formats.go_tpm_attestation import GoAttestation
from warily.formats.tpm import is_attest
from warily.formats.vtpm_evidence import VtpmEvidence

PUBLIC_KEY: Final = "PUBLIC KEY"
_TPMT_PUBLIC: Final = (b"\x00\x01\x00", b"\x00\x23\x00")  # RSA or ECC, then the name's hash


def from_json(data: bytes) -> TpmEvidence:
    """The evidence in JSON of confidential-containers' tools. Raises `FormatError`."""
    found = VtpmEvidence.decode(data)
    pcrs = tuple((found.bank, index, value) for index, value in enumerate(found.registers))
    return TpmEvidence(
        quotes=(TpmQuote(message=found.message, signature=found.signature, pcrs=pcrs),),
        attestation_key=found.attestation_key,
        certificates=found.certificates,
        hcl_report=found.hcl_report,
        td_quote=found.td_quote,
        event_logs=(found.event_log,) if found.event_log else (),
    )


def from_go(data: bytes) -> TpmEvidence:
    """The evidence in a message of go-tpm-tools. Raises `FormatError`."""
    found = GoAttestation.decode(data)
    quotes = tuple(
        TpmQuote(
            message=quote.message,
            signature=quote.signature,
            pcrs=tuple((quote.bank, index, value) for index, value in quote.registers.items()),
        )
        for quote in found.quotes
    )
    return TpmEvidence(
        quotes=quotes,
        attestation_key=found.attestation_key,
        certificates=found.certificates,
        event_logs=(found.event_log,) if found.event_log else (),
    )


def is_go(data: bytes) -> bool:
    """Whether the bytes begin as a message of go-tpm-tools does: field 1, some length, a TPMT_PUBLIC."""
    return data[:1] == b"\x0a" and data[3:6] in _TPMT_PUBLIC and len(data) > 64  # noqa: PLR2004  # any key is longer


def refuse_alone(data: bytes) -> None:
    """Raises `UsageError` for what belongs to evidence and is none: an event log, or a quote without its signature."""
    if tcg_log.is_log(data):
        msg = "an event log alone proves nothing: the evidence that it is to explain is missing"
        hint = "pass the quote, TD quote or vTPM evidence of that boot, and this file with --log"
        raise UsageError(msg, hint=hint)
    if is_attest(data):
        msg = "a TPMS_ATTEST alone proves nothing: its signature and the registers' values are missing"
        raise UsageError(msg, hint='pass JSON with "tpm_quote": {"message", "signature", "pcrs"}, and "ak_public"')


def tpm_collateral(pieces: Iterable[tuple[bytes, bool]], blobs: Iterable[bytes]) -> TpmCollateral:
    """Certificates and lists already taken out of files, given with whether each is a list, and keys out of PEM."""
    found = list(pieces)
    keys = [block.der for blob in blobs if pem.MARK in blob for block in pem.decode_blocks(blob)]
    return TpmCollateral(
        certificates=tuple(der for der, is_list in found if not is_list),
        crls=tuple(der for der, is_list in found if is_list),
        keys=tuple(der for der in keys if _is_key(der)),
    )


def with_logs(evidence: Evidence, logs: Iterable[bytes]) -> Evidence:
    """The evidence together with event logs of the same boot. Raises `UsageError` where it has no registers."""
    given = tuple(logs)
    if not given:
        return evidence
    for log in given:
        if not tcg_log.is_log(log):
            msg = "what was passed with --log is no event log of TCG or CCEL"
            raise FormatError(msg)
    match evidence:
        case TpmEvidence() | TdxEvidence():
            return replace(evidence, event_logs=(*evidence.event_logs, *given))
        case SnpEvidence() | NitroEvidence():
            msg = "an SEV-SNP report or a Nitro document has no registers that an event log could explain"
            raise UsageError(msg, hint="a virtual TPM's quote has; pass that as the evidence")


def _is_key(der: bytes) -> bool:
    """Whether the DER is a SubjectPublicKeyInfo: an algorithm, then a bit string."""
    try:
        reader = _der.only(der, _der.SEQUENCE, what="key")
        reader.take(_der.SEQUENCE, "algorithm")
        return reader.has(_der.BIT_STRING) and reader.any("key").raw != b"" and reader.empty
    except FormatError:
        return False
