"""TPM evidence and what belongs to it, out of files of known kinds."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from warily.core.collateral import TpmCollateral
from warily.core.evidence import Evidence, TdxEvidence, TpmEvidence, TpmQuote
from warily.errors import FormatError, UsageError
from warily.formats import _der, hcl_report, pem, tcg_log, tdx_quote
from warily.formats.go_tpm_attestation import GoAttestation
from warily.formats.tpm import Attest, Public, Selection, Signature, is_attest
from warily.formats.tpm_registers import decode_registers
from warily.formats.vtpm_evidence import VtpmEvidence
from warily.formats.x509 import Certificate
from warily.verify.vtpm import keys

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


@dataclass(slots=True)
class _Parts:
    """What belongs to one bare quote, each kind in the order in which its files came."""

    selections: Sequence[Selection]
    signatures: list[bytes] = field(default_factory=list)
    registers: list[tuple[tuple[int, int, bytes], ...]] = field(default_factory=list)
    publics: list[bytes] = field(default_factory=list)
    paravisors: list[bytes] = field(default_factory=list)
    quotes: list[bytes] = field(default_factory=list)

    def take(self, blob: bytes) -> bool:
        """Whether a file is a piece, by its content; it is kept then."""
        if blob.startswith(hcl_report.MAGIC):
            self.paravisors.append(blob)
        elif blob[12:28] == tdx_quote.INTEL:
            self.quotes.append(blob)
        elif public_in(blob) is not None:
            self.publics.append(blob)
        elif _is_signature(blob):
            self.signatures.append(blob)
        elif values := decode_registers(blob, self.selections):
            self.registers.append(values)
        else:
            return False
        return True


def from_parts(data: bytes, given: Iterable[bytes], *, beside: Iterable[bytes]) -> tuple[TpmEvidence, list[bytes]]:
    """The evidence that a bare quote and the pieces of it make, and what of `given` is none of its pieces.

    They are its TPMT_SIGNATURE, the registers' values, the attestation key as a TPMT_PUBLIC, and what Azure's paravisor
    and the TD below it said; each taken from `given` first, else from `beside`. Values that are missing are found
    missing when the quote is judged. Raises `UsageError` where there is no signature.
    """
    message = _attest(data)
    found, spare = _Parts(Attest.decode(message).selections), _Parts(Attest.decode(message).selections)
    rest = [blob for blob in given if not found.take(blob)]
    for blob in beside:
        spare.take(blob)
    signatures = found.signatures or spare.signatures
    if not signatures:
        refuse_alone(message)
    registers = found.registers or spare.registers or [()]
    evidence = TpmEvidence(
        quotes=(TpmQuote(message=message, signature=signatures[0], pcrs=registers[0]),),
        attestation_key=next(iter(found.publics or spare.publics), b""),
        hcl_report=next(iter(found.paravisors or spare.paravisors), b""),
        td_quote=next(iter(found.quotes or spare.quotes), b""),
    )
    return evidence, rest


def public_in(data: bytes) -> Public | None:
    """The key that a TPMT_PUBLIC or TPM2B_PUBLIC of an RSA or ECC key describes; None for anything else."""
    if data[:3] not in _TPMT_PUBLIC and data[2:5] not in _TPMT_PUBLIC:
        return None
    try:
        return Public.decode(data)
    except FormatError:
        return None


def endorsement_key_in(data: bytes) -> bytes:
    """The SubjectPublicKeyInfo of the one certificate, or of the one key, in a file (PEM or DER).

    Raises `FormatError` where there is not exactly one.
    """
    blocks = _blocks(data) or (pem.Block(label=pem.CERTIFICATE, der=data),)
    found = [block.der for block in blocks if _is_key(block.der)]
    found += [Certificate.decode(block.der).public_key for block in blocks if block.label == pem.CERTIFICATE]
    if len(found) != 1:
        msg = f"{len(found)} keys in a file that must hold the one endorsement key"
        raise FormatError(msg)
    return found[0]


def _blocks(data: bytes) -> tuple[pem.Block, ...]:
    """The blocks of PEM; none in JSON or an answer of a service, whose values may hold some."""
    return pem.decode_blocks(data) if pem.looks_like(data) else ()


def _is_signature(data: bytes) -> bool:
    try:
        Signature.decode(data)
    except FormatError:
        return False
    return True


def keys_in(data: bytes) -> list[bytes]:
    """SHA-256 of every SubjectPublicKeyInfo that stands in PEM by itself, or of the key of a TPMT_PUBLIC."""
    public = public_in(data)
    if public is not None:
        return [hashlib.sha256(keys.from_tpm(public)).digest()]
    return [hashlib.sha256(block.der).digest() for block in _blocks(data) if _is_key(block.der)]


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
    listed = [block.der for blob in blobs for block in _blocks(blob)]
    return TpmCollateral(
        certificates=tuple(der for der, is_list in found if not is_list),
        crls=tuple(der for der, is_list in found if is_list),
        keys=tuple(der for der in listed if _is_key(der)),
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


def with_secret(evidence: Evidence, secret: bytes) -> Evidence:
    """The evidence together with what its TPM got out of a credential. Raises `UsageError` for other evidence."""
    if not isinstance(evidence, TpmEvidence):
        msg = "only a TPM opens credentials"
        raise UsageError(msg)
    return replace(evidence, activated=secret)


def _is_key(der: bytes) -> bool:
    """Whether the DER is a SubjectPublicKeyInfo: an algorithm, then a bit string."""
    try:
        reader = _der.only(der, _der.SEQUENCE, what="key")
        reader.take(_der.SEQUENCE, "algorithm")
        return reader.has(_der.BIT_STRING) and reader.any("key").raw != b"" and reader.empty
    except FormatError:
        return False
