"""AWS Nitro attestation documents, of enclaves and of NitroTPM: a COSE_Sign1 over a map in CBOR.

Source: AWS, Nitro Enclaves "Verifying the root of trust" and aws-nitro-enclaves-nsm-api/docs/attestation_process.md;
EC2 User Guide, "NitroTPM attestation document contents". Both differ in the name of the registers alone.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, Self

from warily.errors import FormatError
from warily.formats import cbor
from warily.formats.cose_sign1 import CoseSign1

LIMIT: Final = 1 << 17
MAX_CERTIFICATES: Final = 16
MAX_FIELD: Final = 4096  # nonce, user data and public key are at most 1 KiB each today
REGISTERS: Final = range(32)
WIDTH: Final = 48
DIGEST: Final = "SHA384"

_ENCLAVE_PCRS: Final = "pcrs"
_TPM_PCRS: Final = "nitrotpm_pcrs"
_MARK: Final = b"module_id"
_TEXT: Final = (b"hE", b"0oR")  # base64 of a message of four parts, and of a tagged one
_DSTACK: Final = b"\x00\x02"  # SCALE: version 0, the second kind of attestation


@dataclass(frozen=True, slots=True, kw_only=True)
class NitroDocument:
    """What a Nitro hypervisor says. `timestamp` is in milliseconds since 1970; `cabundle` begins with the root.

    `tpm` says that the registers are those of a NitroTPM, not of an enclave. Fields that are absent are None.
    """

    module_id: str
    timestamp: int
    tpm: bool
    pcrs: Mapping[int, bytes]
    certificate: bytes = field(repr=False)
    cabundle: tuple[bytes, ...] = field(repr=False)
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """The document that a message carries. Raises `FormatError`, also for members that are not known."""
        members = cbor.decode(payload, what="Nitro document", limit=LIMIT)
        if not isinstance(members, dict):
            _refuse("not a map")
        tpm = _TPM_PCRS in members
        registers = _TPM_PCRS if tpm else _ENCLAVE_PCRS
        wanted = ("module_id", "digest", "timestamp", registers, "certificate", "cabundle")
        for name in wanted:
            if name not in members:
                _refuse(f"{name} is missing")
        unknown = set(members) - {*wanted, "public_key", "user_data", "nonce"}
        if unknown:
            _refuse(f"unknown member {min(map(repr, unknown))[:80]}")
        if members["digest"] != DIGEST:
            _refuse(f"digest {members['digest']!r:.40} is not {DIGEST}")
        return cls(
            module_id=_text(members["module_id"]),
            timestamp=_milliseconds(members["timestamp"]),
            tpm=tpm,
            pcrs=_registers(members[registers]),
            certificate=_octets(members["certificate"], "certificate", LIMIT),
            cabundle=_certificates(members["cabundle"]),
            **{name: _optional(members, name) for name in ("public_key", "user_data", "nonce")},
        )


def looks_like(data: bytes) -> bool:
    """Whether the bytes begin as a document does, bare, wrapped or in base64. That it is whole is not said."""
    start = data[:400]
    if start.startswith(_TEXT):
        try:
            start = base64.b64decode(b"".join(start.split())[:256], validate=True)
        except binascii.Error:
            return False
    return _MARK in start and (start[:1] in (b"\x80", b"\x83", b"\x84", b"\x85", b"\xd2", b"\xa1") or _is_dstack(start))


def message_in(data: bytes) -> bytes:
    """The bytes of the COSE_Sign1 in a file. Raises `FormatError`.

    A file is the message itself, its base64, the answer of /dev/nsm, or dstack's record. What dstack puts behind the
    document (an event log, its configuration) is covered by no signature of AWS, and is left out.
    """
    if len(data) > LIMIT:
        _refuse(f"{len(data)} bytes are over the limit of {LIMIT}")
    if data.startswith(_TEXT):
        try:
            return base64.b64decode(b"".join(data.split()), validate=True)
        except binascii.Error:
            _refuse("not base64")
    if _is_dstack(data):
        start, length = _compact(data, len(_DSTACK))
        if length > len(data) - start:
            _refuse(f"{length} bytes announced, {len(data) - start} remain")
        return data[start : start + length]
    return _answer(data) if data[:1] == b"\xa1" else data


def decode_message(data: bytes) -> tuple[CoseSign1, NitroDocument]:
    """The signed message that `data` is, and the document inside. Raises `FormatError`."""
    message = CoseSign1.decode(data, what="Nitro document")
    return message, NitroDocument.decode(message.payload)


def _answer(data: bytes) -> bytes:
    """The document in the answer of the Nitro security module: {"Attestation": {"document": bytes}}."""
    answer = cbor.decode(data, what="answer of /dev/nsm", limit=LIMIT)
    inside = answer.get("Attestation") if isinstance(answer, dict) else None
    document = inside.get("document") if isinstance(inside, dict) else None
    if not isinstance(document, bytes):
        _refuse("the answer of /dev/nsm holds no attestation")
    return document


def _is_dstack(data: bytes) -> bool:
    return data.startswith(_DSTACK) and _MARK in data[:64]


def _compact(data: bytes, at: int) -> tuple[int, int]:
    """Where a SCALE compact length ends, and the length."""
    width = (1, 2, 4, 0)[data[at] & 3]
    if not width:
        _refuse("a length of over 30 bits")
    return at + width, int.from_bytes(data[at : at + width], "little") >> 2


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 256 or not value.isprintable():
        _refuse("module_id is not a short printable text")
    return value


def _milliseconds(value: object) -> int:
    if type(value) is not int or not 0 < value < 253_402_300_800_000:  # the end of the year 9999
        _refuse("timestamp is not a time in milliseconds")
    return value


def _registers(value: object) -> dict[int, bytes]:
    if not isinstance(value, dict) or not 0 < len(value) <= len(REGISTERS):
        _refuse("the registers are not a map of at most 32")
    for index, content in value.items():
        if type(index) is not int or index not in REGISTERS or not isinstance(content, bytes) or len(content) != WIDTH:
            _refuse(f"register {index!r:.20} is not {WIDTH} bytes under a number below {REGISTERS.stop}")
    return dict(sorted(value.items()))


def _certificates(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_CERTIFICATES:
        _refuse(f"cabundle is not a list of at most {MAX_CERTIFICATES}")
    return tuple(_octets(entry, "cabundle", LIMIT) for entry in value)


def _optional(members: Mapping[Any, Any], name: str) -> bytes | None:
    value = members.get(name)
    return None if value is None else _octets(value, name, MAX_FIELD)


def _octets(value: object, name: str, limit: int) -> bytes:
    if not isinstance(value, bytes) or len(value) > limit:
        _refuse(f"{name} is not a byte string of at most {limit}")
    return value


def _refuse(why: str) -> NoReturn:
    msg = f"Nitro document: {why}"
    raise FormatError(msg)
