"""TPM evidence and what belongs to it, out of files of known kinds."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from warily.core.collateral import TpmCollateral
from warily.core.evidence import Evidence, TdxEvidence, TpmEvidence, TpmQuote
from warily.errors import FormatError, UsageError
from warily.formats import _der, pem, tcg_log
from warily.formats.go_tpm_attestation import GoAttestation
from warily.formats.tpm import Attest, Selection, Signature, is_attest
from warily.formats.tpm_registers import decode_registers
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


def is_quote_alone(data: bytes) -> bool:
    """Whether the bytes are a TPMS_ATTEST, or a TPM2B_ATTEST around one: a quote without its signature."""
    return is_attest(_attest(data))


def _attest(data: bytes) -> bytes:
    return data[2:] if len(data) > 2 and int.from_bytes(data[:2], "big") == len(data) - 2 else data  # noqa: PLR2004  # a size


def from_parts(data: bytes, given: Iterable[bytes], *, beside: Iterable[bytes]) -> tuple[TpmEvidence, list[bytes]]:
    """The evidence that a bare quote and the pieces of it make, and what of `given` is none of its pieces.

    Its TPMT_SIGNATURE and the registers' values are taken from `given` first, else from `beside`. Values that are
    missing are found missing when the quote is judged. Raises `UsageError` where there is no signature.
    """
    message = _attest(data)
    selections = Attest.decode(message).selections
    signatures: list[bytes] = []
    registers: list[tuple[tuple[int, int, bytes], ...]] = []
    rest = [blob for blob in given if not _is_piece(blob, selections, signatures, registers)]
    spare: tuple[list[bytes], list[tuple[tuple[int, int, bytes], ...]]] = ([], [])
    for blob in beside:
        _is_piece(blob, selections, *spare)
    signatures, registers = signatures or spare[0], registers or spare[1]
    if not signatures:
        refuse_alone(message)
    quote = TpmQuote(message=message, signature=signatures[0], pcrs=registers[0] if registers else ())
    return TpmEvidence(quotes=(quote,)), rest


def _is_piece(
    blob: bytes,
    selections: Sequence[Selection],
    signatures: list[bytes],
    registers: list[tuple[tuple[int, int, bytes], ...]],
) -> bool:
    """Whether a file is a signature or values of registers; puts it where it belongs."""
    try:
        Signature.decode(blob)
    except FormatError:
        values = decode_registers(blob, selections)
        registers += [values] if values else []
        return bool(values)
    signatures.append(blob)
    return True


def keys_in(data: bytes) -> list[bytes]:
    """SHA-256 of every SubjectPublicKeyInfo that stands in PEM by itself."""
    if pem.MARK not in data or data[:1] == b"{":
        return []
    return [hashlib.sha256(block.der).digest() for block in pem.decode_blocks(data) if _is_key(block.der)]


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
        hint = "pass its TPMT_SIGNATURE, the registers' values and the attestation key with --collateral"
        raise UsageError(msg, hint=hint)


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
        case _:
            msg = "only a TPM and a TD have registers that an event log could explain"
            raise UsageError(msg, hint="a virtual TPM's quote has; pass that as the evidence")


def _is_key(der: bytes) -> bool:
    """Whether the DER is a SubjectPublicKeyInfo: an algorithm, then a bit string."""
    try:
        reader = _der.only(der, _der.SEQUENCE, what="key")
        reader.take(_der.SEQUENCE, "algorithm")
        return reader.has(_der.BIT_STRING) and reader.any("key").raw != b"" and reader.empty
    except FormatError:
        return False
