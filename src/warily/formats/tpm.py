"""TPM 2.0 quotes: TPMS_ATTEST, TPMT_SIGNATURE and TPMT_PUBLIC, as TPM2_Quote and TPM2_ReadPublic give them.

All integers are big-endian. Source: TCG TPM 2.0 Library Specification, part 2 (Structures), revision 1.59.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor

LIMIT: Final = 1 << 16
MAGIC: Final = 0xFF544347  # TPM_GENERATED_VALUE: only the TPM itself signs what begins so
ATTEST_QUOTE: Final = 0x8018
MAX_SELECTIONS: Final = 16
MAX_SELECT: Final = 32
MAX_NAME: Final = 66
MAX_DATA: Final = 256
MAX_NUMBER: Final = 1024


class Algorithm(IntEnum):
    """TPM_ALG_ID, those that quotes and their keys use (part 2, table 9)."""

    RSA = 0x0001
    SHA1 = 0x0004
    AES = 0x0006
    SHA256 = 0x000B
    SHA384 = 0x000C
    SHA512 = 0x000D
    NULL = 0x0010
    SM3_256 = 0x0012
    RSASSA = 0x0014
    RSAES = 0x0015
    RSAPSS = 0x0016
    OAEP = 0x0017
    ECDSA = 0x0018
    ECDAA = 0x001A
    ECC = 0x0023


class Attribute(IntFlag):
    """TPMA_OBJECT (part 2, table 33)."""

    FIXED_TPM = 1 << 1
    FIXED_PARENT = 1 << 4
    SENSITIVE_DATA_ORIGIN = 1 << 5
    USER_WITH_AUTH = 1 << 6
    RESTRICTED = 1 << 16
    DECRYPT = 1 << 17
    SIGN = 1 << 18


RSA_SCHEMES: Final = frozenset({Algorithm.RSASSA, Algorithm.RSAPSS})
CURVES: Final = {0x0003: "P-256", 0x0004: "P-384", 0x0005: "P-521"}
DEFAULT_EXPONENT: Final = 65537


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """TPMS_PCR_SELECTION: registers of one bank, as a bit map of `width` bytes."""

    bank: int
    width: int
    pcrs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attest:
    """TPMS_ATTEST of a quote. `clock` counts milliseconds; `safe` says that it never went back.

    `extra_data` is the nonce; `digest` is the hash of all selected registers' values one after the other, bank by
    bank in the order of `selections`, with the hash of the signature scheme.
    """

    qualified_signer: bytes
    extra_data: bytes
    clock: int
    reset_count: int
    restart_count: int
    safe: bool
    firmware_version: int
    selections: tuple[Selection, ...]
    digest: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The quote that `data` is. Raises `FormatError`, also for attestations of any other type."""
        cursor = Cursor(data[: LIMIT + 1], what="TPMS_ATTEST")
        magic, kind = cursor.number(4, "magic", big=True), cursor.number(2, "type", big=True)
        if (magic, kind) != (MAGIC, ATTEST_QUOTE):
            msg = f"TPMS_ATTEST: magic {magic:#010x} and type {kind:#06x} are not those of a quote"
            raise FormatError(msg)
        made = cls(
            qualified_signer=cursor.counted(2, "qualified signer", limit=MAX_NAME, big=True),
            extra_data=cursor.counted(2, "extra data", limit=MAX_DATA, big=True),
            clock=cursor.number(8, "clock", big=True),
            reset_count=cursor.number(4, "reset count", big=True),
            restart_count=cursor.number(4, "restart count", big=True),
            safe=_yes_no(cursor),
            firmware_version=cursor.number(8, "firmware version", big=True),
            selections=_selections(cursor),
            digest=cursor.counted(2, "PCR digest", limit=64, big=True),
        )
        cursor.finish()
        return made

    def encode(self) -> bytes:
        """The bytes of the TPMS_ATTEST."""
        parts = [MAGIC.to_bytes(4, "big"), ATTEST_QUOTE.to_bytes(2, "big")]
        parts += [_sized(self.qualified_signer), _sized(self.extra_data), self.clock.to_bytes(8, "big")]
        parts += [self.reset_count.to_bytes(4, "big"), self.restart_count.to_bytes(4, "big"), bytes([self.safe])]
        parts += [self.firmware_version.to_bytes(8, "big"), encode_selections(self.selections)]
        return b"".join([*parts, _sized(self.digest)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """TPMT_SIGNATURE. `numbers` is (signature,) for RSA and (r, s) for ECDSA, big-endian as received."""

    scheme: int
    hash: int
    numbers: tuple[bytes, ...]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The signature that `data` is. Raises `FormatError` for schemes other than RSASSA, RSAPSS and ECDSA."""
        cursor = Cursor(data[: LIMIT + 1], what="TPMT_SIGNATURE")
        scheme, hashed = cursor.number(2, "scheme", big=True), cursor.number(2, "hash", big=True)
        if scheme not in RSA_SCHEMES and scheme != Algorithm.ECDSA:
            msg = f"TPMT_SIGNATURE: scheme {scheme:#06x} is not RSASSA, RSAPSS or ECDSA"
            raise FormatError(msg)
        count = 1 if scheme in RSA_SCHEMES else 2
        numbers = tuple(cursor.counted(2, "number", limit=MAX_NUMBER, big=True) for _ in range(count))
        cursor.finish()
        return cls(scheme=scheme, hash=hashed, numbers=numbers)

    def encode(self) -> bytes:
        """The bytes of the TPMT_SIGNATURE."""
        return self.scheme.to_bytes(2, "big") + self.hash.to_bytes(2, "big") + b"".join(map(_sized, self.numbers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """TPMT_PUBLIC of an RSA or ECC key. `parameters` is the bytes between the policy and the unique numbers.

    For RSA `unique` is (modulus,) and `exponent` is set; for ECC it is (x, y) and `curve` is the TPM's number.
    """

    type: int
    name_hash: int
    attributes: int
    policy: bytes
    parameters: bytes
    exponent: int
    curve: int
    unique: tuple[bytes, ...]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The key that a TPMT_PUBLIC, or a TPM2B_PUBLIC around one, holds. Raises `FormatError`."""
        if len(data) > 2 and int.from_bytes(data[:2], "big") == len(data) - 2:
            data = data[2:]
        cursor = Cursor(data[: LIMIT + 1], what="TPMT_PUBLIC")
        kind, name_hash = cursor.number(2, "type", big=True), cursor.number(2, "name hash", big=True)
        if kind not in (Algorithm.RSA, Algorithm.ECC):
            msg = f"TPMT_PUBLIC: type {kind:#06x} is neither RSA nor ECC"
            raise FormatError(msg)
        attributes = cursor.number(4, "attributes", big=True)
        policy = cursor.counted(2, "policy", limit=64, big=True)
        start = cursor.offset
        exponent, curve = _parameters(cursor, kind)
        parameters = data[start : cursor.offset]
        count = 1 if kind == Algorithm.RSA else 2
        unique = tuple(cursor.counted(2, "unique", limit=MAX_NUMBER, big=True) for _ in range(count))
        cursor.finish()
        return cls(
            type=kind,
            name_hash=name_hash,
            attributes=attributes,
            policy=policy,
            parameters=parameters,
            exponent=exponent,
            curve=curve,
            unique=unique,
        )

    def encode(self) -> bytes:
        """The bytes of the TPMT_PUBLIC."""
        head = self.type.to_bytes(2, "big") + self.name_hash.to_bytes(2, "big") + self.attributes.to_bytes(4, "big")
        return head + _sized(self.policy) + self.parameters + b"".join(map(_sized, self.unique))


def encode_selections(selections: Sequence[Selection]) -> bytes:
    """The bytes of the TPML_PCR_SELECTION."""
    parts = [len(selections).to_bytes(4, "big")]
    for entry in selections:
        bits = sum(1 << pcr for pcr in entry.pcrs)
        parts += [entry.bank.to_bytes(2, "big"), bytes([entry.width]), bits.to_bytes(entry.width, "little")]
    return b"".join(parts)


def is_attest(data: bytes) -> bool:
    """Whether the bytes begin as a TPMS_ATTEST does."""
    return data[:4] == MAGIC.to_bytes(4, "big")


def _parameters(cursor: Cursor, kind: int) -> tuple[int, int]:
    """The exponent of an RSA key and the curve of an ECC key; zero for what does not apply."""
    if cursor.number(2, "symmetric algorithm", big=True) != Algorithm.NULL:
        cursor.take(4, "symmetric key size and mode")
    scheme = cursor.number(2, "scheme", big=True)
    if scheme not in (Algorithm.NULL, Algorithm.RSAES):
        cursor.take(4 if scheme == Algorithm.ECDAA else 2, "scheme details")
    if kind == Algorithm.RSA:
        cursor.take(2, "key size")
        return cursor.number(4, "exponent", big=True) or DEFAULT_EXPONENT, 0
    curve = cursor.number(2, "curve", big=True)
    if cursor.number(2, "key derivation", big=True) != Algorithm.NULL:
        cursor.take(2, "key derivation hash")
    return 0, curve


def _selections(cursor: Cursor) -> tuple[Selection, ...]:
    """TPML_PCR_SELECTION; each bank at most once."""
    count = cursor.number(4, "number of selections", big=True)
    if count > MAX_SELECTIONS:
        msg = f"TPMS_ATTEST: {count} selections are over the limit of {MAX_SELECTIONS}"
        raise FormatError(msg)
    found: list[Selection] = []
    for _ in range(count):
        bank, width = cursor.number(2, "bank", big=True), cursor.number(1, "width of the bit map", big=True)
        if width > MAX_SELECT or any(entry.bank == bank for entry in found):
            msg = f"TPMS_ATTEST: bank {bank:#06x} appears twice, or its bit map has {width} bytes"
            raise FormatError(msg)
        bits = int.from_bytes(cursor.take(width, "bit map"), "little")
        pcrs = tuple(pcr for pcr in range(8 * width) if bits >> pcr & 1)
        found.append(Selection(bank=bank, width=width, pcrs=pcrs))
    return tuple(found)


def _yes_no(cursor: Cursor) -> bool:
    value = cursor.number(1, "safe")
    if value not in (0, 1):
        msg = f"TPMS_ATTEST: safe is {value}, neither yes nor no"
        raise FormatError(msg)
    return bool(value)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
