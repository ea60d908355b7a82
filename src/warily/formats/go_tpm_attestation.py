"""The protobuf message `attest.Attestation` in which go-tpm-tools hands out quotes, with just the fields needed.

Source: google/go-tpm-tools, proto/attest.proto and go-tpm's proto/tpm.proto. Unknown fields are passed over, as
protobuf wants; hardware attestations inside (fields 8 and 9) are not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from warily.errors import FormatError

LIMIT: Final = 16 << 20
MAX_FIELDS: Final = 1024
_VARINT, _BYTES = 0, 2
_SKIPPED: Final = {1: 8, 5: 4}  # wire types of fixed width


@dataclass(frozen=True, slots=True, kw_only=True)
class GoQuote:
    """One `tpm.Quote`: TPMS_ATTEST, TPMT_SIGNATURE, the bank as TPM_ALG_ID, and its registers' values."""

    message: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    bank: int
    registers: dict[int, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoAttestation:
    """One `attest.Attestation`. `attestation_key` is a TPMT_PUBLIC; `certificates` begin with the key's own."""

    attestation_key: bytes = field(repr=False)
    quotes: tuple[GoQuote, ...]
    event_log: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The attestation that `data` (at most 16 MiB) is. Raises `FormatError`, also where there is no quote."""
        key, log, own = b"", b"", b""
        quotes: list[GoQuote] = []
        others: list[bytes] = []
        for number, value in _fields(data):
            if not isinstance(value, bytes):
                continue
            match number:
                case 1:
                    key = value
                case 2:
                    quotes.append(_quote(value))
                case 3:
                    log = value
                case 6:
                    own = value
                case 7:
                    others.append(value)
                case _:
                    continue
        if not quotes or not key:
            msg = "attestation: no quote, or no attestation key"
            raise FormatError(msg)
        certificates = tuple(der for der in (own, *others) if der)
        return cls(attestation_key=key, quotes=tuple(quotes), event_log=log, certificates=certificates)


def _quote(data: bytes) -> GoQuote:
    message, signature, bank = b"", b"", 0
    registers: dict[int, bytes] = {}
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            message = value
        elif number == 2 and isinstance(value, bytes):
            signature = value
        elif number == 3 and isinstance(value, bytes):
            for inner, entry in _fields(value):
                if inner == 1 and isinstance(entry, int):
                    bank = entry
                elif inner == 2 and isinstance(entry, bytes):
                    index, register = _register(entry)
                    if index in registers:
                        msg = f"attestation: register {index} appears twice"
                        raise FormatError(msg)
                    registers[index] = register
    return GoQuote(message=message, signature=signature, bank=bank, registers=registers)


def _register(data: bytes) -> tuple[int, bytes]:
    """One entry of a map; absent members are zero and empty."""
    index, value = 0, b""
    for number, entry in _fields(data):
        if number == 1 and isinstance(entry, int):
            index = entry
        elif number == 2 and isinstance(entry, bytes):
            value = entry
    return index, value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of one message in order: numbers and byte strings; those of fixed width are passed over."""
    if len(data) > LIMIT:
        msg = f"attestation: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    at = 0
    for _ in range(MAX_FIELDS):
        if at == len(data):
            return
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire != _BYTES and wire not in _SKIPPED:
            msg = f"attestation: wire type {wire} at offset {at}"
            raise FormatError(msg)
        size = _SKIPPED.get(wire, 0)
        if wire == _BYTES:
            size, at = _varint(data, at)
        if size > len(data) - at:
            msg = f"attestation: field {number} of {size} bytes at offset {at}, {len(data) - at} remain"
            raise FormatError(msg)
        if wire == _BYTES:
            yield number, data[at : at + size]
        at += size
    if at != len(data):
        msg = f"attestation: over {MAX_FIELDS} fields"
        raise FormatError(msg)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of at most 64 bits in groups of seven, and the offset after it."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    msg = f"attestation: a number at offset {at} does not end"
    raise FormatError(msg)
