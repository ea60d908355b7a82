"""SPDM messages (DMTF DSP0274, versions 1.0 to 1.4): what a device says of itself, and how it is asked.

Only the messages that carry evidence are read: versions, capabilities, algorithms, digests, certificates and
measurements. Numbers are little-endian. Every message begins with version, code and two parameters of one byte.
"""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats import _der
from warily.formats._cursor import Cursor
from warily.formats._der import DerReader
from warily.formats._layout import Layout, layout, u32

VERSIONS: Final = (0x10, 0x11, 0x12, 0x13, 0x14)
NONCE_SIZE: Final = 32
CONTEXT_SIZE: Final = 8
DMTF: Final = 0x01  # the one measurement specification that is defined
MANIFEST_INDEX: Final = 0xFD
DEVICE_MODE_INDEX: Final = 0xFE
SIGNATURE_REQUESTED: Final = 0x01
ALL_MEASUREMENTS: Final = 0xFF
MAX_MESSAGE: Final = 1 << 20
MAX_CHAIN: Final = 1 << 18
MAX_CERTIFICATES: Final = 16
_RAW: Final = 0x80


class Code(IntEnum):
    """Request and response codes (DSP0274, tables of codes)."""

    DIGESTS = 0x01
    CERTIFICATE = 0x02
    CHALLENGE_AUTH = 0x03
    VERSION = 0x04
    MEASUREMENTS = 0x60
    CAPABILITIES = 0x61
    ALGORITHMS = 0x63
    VENDOR_DEFINED_RESPONSE = 0x7E
    ERROR = 0x7F
    GET_DIGESTS = 0x81
    GET_CERTIFICATE = 0x82
    CHALLENGE = 0x83
    GET_VERSION = 0x84
    GET_MEASUREMENTS = 0xE0
    GET_CAPABILITIES = 0xE1
    NEGOTIATE_ALGORITHMS = 0xE3
    VENDOR_DEFINED_REQUEST = 0xFE


class BaseAsym(IntFlag):
    """Signature algorithms (ALGORITHMS, BaseAsymSel)."""

    RSASSA_2048 = 1 << 0
    RSAPSS_2048 = 1 << 1
    RSASSA_3072 = 1 << 2
    RSAPSS_3072 = 1 << 3
    ECDSA_P256 = 1 << 4
    RSASSA_4096 = 1 << 5
    RSAPSS_4096 = 1 << 6
    ECDSA_P384 = 1 << 7
    ECDSA_P521 = 1 << 8
    SM2 = 1 << 9
    ED25519 = 1 << 10
    ED448 = 1 << 11


class BaseHash(IntFlag):
    """Hash algorithms (ALGORITHMS, BaseHashSel)."""

    SHA256 = 1 << 0
    SHA384 = 1 << 1
    SHA512 = 1 << 2
    SHA3_256 = 1 << 3
    SHA3_384 = 1 << 4
    SHA3_512 = 1 << 5
    SM3 = 1 << 6


SIGNATURE_SIZES: Final[dict[int, int]] = {
    BaseAsym.RSASSA_2048: 256, BaseAsym.RSAPSS_2048: 256, BaseAsym.RSASSA_3072: 384, BaseAsym.RSAPSS_3072: 384,
    BaseAsym.RSASSA_4096: 512, BaseAsym.RSAPSS_4096: 512, BaseAsym.ECDSA_P256: 64, BaseAsym.ECDSA_P384: 96,
    BaseAsym.ECDSA_P521: 132, BaseAsym.SM2: 64, BaseAsym.ED25519: 64, BaseAsym.ED448: 114,
}  # fmt: skip
HASH_SIZES: Final[dict[int, int]] = {
    BaseHash.SHA256: 32, BaseHash.SHA384: 48, BaseHash.SHA512: 64,
    BaseHash.SHA3_256: 32, BaseHash.SHA3_384: 48, BaseHash.SHA3_512: 64, BaseHash.SM3: 32,
}  # fmt: skip


class ValueType(IntEnum):
    """What a measurement is of (DMTFSpecMeasurementValueType, bits 6 to 0)."""

    IMMUTABLE_ROM = 0
    MUTABLE_FIRMWARE = 1
    HARDWARE_CONFIGURATION = 2
    FIRMWARE_CONFIGURATION = 3
    MEASUREMENT_MANIFEST = 4
    DEVICE_MODE = 5
    FIRMWARE_VERSION = 6
    SECURITY_VERSION = 7
    HASH_EXTENDED = 8
    INFORMATIONAL = 9
    STRUCTURED_MANIFEST = 10


class OperationalMode(IntFlag):
    """How a device operates (DeviceMode, operational modes)."""

    MANUFACTURING = 1 << 0
    VALIDATION = 1 << 1
    NORMAL = 1 << 2
    RECOVERY = 1 << 3
    RMA = 1 << 4
    DECOMMISSIONED = 1 << 5


class DebugMode(IntFlag):
    """Debugging that is active in a device, or has been since reset (DeviceMode, device modes)."""

    NON_INVASIVE_ACTIVE = 1 << 0
    INVASIVE_ACTIVE = 1 << 1
    NON_INVASIVE_HAS_BEEN_ACTIVE = 1 << 2
    INVASIVE_HAS_BEEN_ACTIVE = 1 << 3
    INVASIVE_AFTER_MANUFACTURING = 1 << 4


@layout(16, source="DSP0274, device mode measurement")
class DeviceMode(Layout):
    """The value of a device mode measurement: which modes there are, and which hold now."""

    operational_capabilities: Annotated[int, u32(0)]
    operational_state: Annotated[int, u32(4)]
    debug_capabilities: Annotated[int, u32(8)]
    debug_state: Annotated[int, u32(12)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementBlock:
    """One measurement: its index (1 to 254), and for the DMTF specification its type and value."""

    index: int
    type: int
    raw: bool
    value: bytes

    @property
    def is_device_mode(self) -> bool:
        """Whether it says in which mode the device is."""
        return self.type == ValueType.DEVICE_MODE

    @property
    def device_mode(self) -> DeviceMode:
        """The value as a device mode; devices in use send its second half alone. Raises `FormatError`."""
        return DeviceMode.unpack(self.value.rjust(DeviceMode.SIZE, b"\x00") if len(self.value) == 8 else self.value)

    def encode(self) -> bytes:
        """The block as it is sent."""
        head = bytes([self.type | (_RAW if self.raw else 0)]) + len(self.value).to_bytes(2, "little")
        size = (len(head) + len(self.value)).to_bytes(2, "little")
        return bytes([self.index, DMTF]) + size + head + self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRequest:
    """GET_MEASUREMENTS with a signature asked for: nonce and slot; a context from version 1.3 on."""

    version: int
    attributes: int
    operation: int
    nonce: bytes = b""
    slot: int = 0
    context: bytes = b""

    @property
    def signed(self) -> bool:
        """Whether the answer shall be signed."""
        return bool(self.attributes & SIGNATURE_REQUESTED)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The request that `data` is. Raises `FormatError`."""
        reader = Cursor(data, what="GET_MEASUREMENTS")
        version, attributes, operation = _head(reader, Code.GET_MEASUREMENTS)
        nonce, slot = b"", 0
        if attributes & SIGNATURE_REQUESTED:
            nonce = reader.take(NONCE_SIZE, "nonce")
            slot = reader.number(1, "slot") if version > 0x10 else 0
        context = reader.take(CONTEXT_SIZE, "context") if version >= 0x13 else b""
        reader.finish()
        return cls(version=version, attributes=attributes, operation=operation, nonce=nonce, slot=slot, context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """MEASUREMENTS: the blocks in the order of the message, the responder's nonce, opaque data, a signature."""

    version: int
    total: int
    slot: int
    blocks: tuple[MeasurementBlock, ...]
    nonce: bytes
    opaque: bytes
    context: bytes
    signature: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes, *, signature_size: int) -> Self:
        """The response that `data` is, its last `signature_size` bytes a signature. Raises `FormatError`."""
        if len(data) > MAX_MESSAGE:
            msg = f"MEASUREMENTS: {len(data)} bytes are over the limit of {MAX_MESSAGE}"
            raise FormatError(msg)
        reader = Cursor(data, what="MEASUREMENTS")
        version, total, slot = _head(reader, Code.MEASUREMENTS)
        count = reader.number(1, "number of blocks")
        blocks = decode_record(reader.counted(3, "measurement record", limit=MAX_MESSAGE), count)
        nonce = reader.take(NONCE_SIZE, "nonce")
        opaque = reader.counted(2, "opaque data", limit=MAX_MESSAGE)
        context = reader.take(CONTEXT_SIZE, "context") if version >= 0x13 else b""
        signature = reader.take(signature_size, "signature")
        reader.finish()
        return cls(
            version=version, total=total, slot=slot & 0x0F, blocks=blocks, nonce=nonce, opaque=opaque,
            context=context, signature=signature,
        )  # fmt: skip

    def encode(self) -> bytes:
        """The message; bits of the slot byte other than the slot are zero."""
        record = b"".join(block.encode() for block in self.blocks)
        head = bytes([self.version, Code.MEASUREMENTS, self.total, self.slot, len(self.blocks)])
        opaque = len(self.opaque).to_bytes(2, "little") + self.opaque
        return head + len(record).to_bytes(3, "little") + record + self.nonce + opaque + self.context + self.signature


def decode_record(record: bytes, count: int) -> tuple[MeasurementBlock, ...]:
    """The `count` blocks of a measurement record, each index at most once. Raises `FormatError`."""
    reader = Cursor(record, what="measurement record")
    blocks: list[MeasurementBlock] = []
    seen: set[int] = set()
    for _ in range(count):
        index, specification = reader.number(1, "index"), reader.number(1, "specification")
        inner = Cursor(reader.counted(2, "measurement", limit=1 << 16), what=f"measurement {index}")
        if specification != DMTF or index in seen or index in (0, 0xFF):
            msg = f"measurement {index}: twice there, out of range, or of specification {specification:#x}"
            raise FormatError(msg)
        seen.add(index)
        kind = inner.number(1, "value type")
        value = inner.counted(2, "value", limit=1 << 16)
        inner.finish()
        blocks.append(MeasurementBlock(index=index, type=kind & ~_RAW, raw=bool(kind & _RAW), value=value))
    reader.finish()
    return tuple(blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithms:
    """ALGORITHMS: what was agreed on. `asym`, `hash` and `measurement_hash` have at most one bit each."""

    version: int
    asym: int
    hash: int
    measurement_hash: int
    pqc_asym: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The response that `data` is. Raises `FormatError`."""
        reader = Cursor(data, what="ALGORITHMS")
        version, _, _ = _head(reader, Code.ALGORITHMS)
        if reader.number(2, "length") != len(data):
            msg = "ALGORITHMS: the length it names is not its own"
            raise FormatError(msg)
        reader.take(2, "specification and other parameters")
        measurement_hash, asym, hash_ = (reader.number(4, name) for name in ("measurement hash", "asym", "hash"))
        pqc = reader.number(4, "post-quantum asym")
        reader.take(8 + 4, "reserved bytes and extended counts")
        for value in (asym, hash_, measurement_hash):
            if value & (value - 1):
                msg = f"ALGORITHMS: more than one algorithm was selected: {value:#x}"
                raise FormatError(msg)
        return cls(
            version=version,
            asym=asym,
            hash=hash_,
            measurement_hash=measurement_hash,
            pqc_asym=pqc if version >= 0x14 else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePortion:
    """CERTIFICATE: one piece of a slot's chain, and how much is still to come."""

    version: int
    slot: int
    portion: bytes
    remainder: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The response that `data` is. Raises `FormatError`; chains of over 64 KiB (version 1.4) are not read."""
        reader = Cursor(data, what="CERTIFICATE")
        version, slot, _ = _head(reader, Code.CERTIFICATE)
        if slot & 0x80:
            msg = "CERTIFICATE: large chains are not supported"
            raise FormatError(msg)
        size, remainder = reader.number(2, "portion length"), reader.number(2, "remainder length")
        portion = reader.take(size, "portion")
        reader.finish()
        return cls(version=version, slot=slot & 0x0F, portion=portion, remainder=remainder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """DIGESTS: the hash of the chain of every slot that has one, by slot."""

    version: int
    slots: dict[int, bytes]

    @classmethod
    def decode(cls, data: bytes, *, hash_size: int) -> Self:
        """The response that `data` is; what version 1.3 appends for multiple keys is left unread."""
        reader = Cursor(data, what="DIGESTS")
        version, _, mask = _head(reader, Code.DIGESTS)
        slots = {slot: reader.take(hash_size, f"digest of slot {slot}") for slot in range(8) if mask >> slot & 1}
        if version < 0x13:
            reader.finish()
        return cls(version=version, slots=slots)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChain:
    """A slot's chain (DSP0274, certificate chain format): the hash of the root, then certificates, root first."""

    root_hash: bytes
    certificates: tuple[bytes, ...]

    @classmethod
    def decode(cls, data: bytes, *, hash_size: int) -> Self:
        """The chain that `data` is. Raises `FormatError`."""
        reader = Cursor(data, what="certificate chain")
        if reader.number(2, "length") != len(data) or reader.number(2, "reserved"):
            msg = "certificate chain: the length it names is not its own, or reserved bytes are not zero"
            raise FormatError(msg)
        root_hash = reader.take(hash_size, "root hash")
        return cls(root_hash=root_hash, certificates=split_certificates(reader.take(reader.remaining, "certificates")))

    def encode(self) -> bytes:
        """The chain as it is sent."""
        body = self.root_hash + b"".join(self.certificates)
        return (len(body) + 4).to_bytes(2, "little") + bytes(2) + body


def split_certificates(data: bytes) -> tuple[bytes, ...]:
    """The DER elements that stand one after the other, at least one. Raises `FormatError`."""
    if len(data) > MAX_CHAIN:
        msg = f"certificates: {len(data)} bytes are over the limit of {MAX_CHAIN}"
        raise FormatError(msg)
    reader = DerReader(data, what="certificates")
    found: list[bytes] = []
    while not reader.empty:
        found.append(reader.take(_der.SEQUENCE, f"certificate {len(found)}").raw)
    if not 1 <= len(found) <= MAX_CERTIFICATES:
        msg = f"certificates: none, or over {MAX_CERTIFICATES}"
        raise FormatError(msg)
    return tuple(found)


def decode_versions(data: bytes) -> tuple[int, ...]:
    """The versions that a VERSION response offers, such as 0x12; update and alpha numbers are left out."""
    reader = Cursor(data, what="VERSION")
    _head(reader, Code.VERSION)
    reader.take(1, "reserved")
    found = tuple(reader.number(2, "version") >> 8 for _ in range(reader.number(1, "number of versions")))
    reader.finish()
    return found


def capability_flags(data: bytes) -> int:
    """The flags of a CAPABILITIES response. Raises `FormatError`."""
    reader = Cursor(data, what="CAPABILITIES")
    _head(reader, Code.CAPABILITIES)
    reader.take(4, "reserved bytes and exponent")
    return reader.number(4, "flags")


def _head(reader: Cursor, code: Code) -> tuple[int, int, int]:
    """Version and both parameters of a message that must have this code."""
    version, found = reader.number(1, "version"), reader.number(1, "code")
    if version not in VERSIONS or found != code:
        msg = f"{code.name}: version {version:#x}, code {found:#x}"
        raise FormatError(msg)
    return version, reader.number(1, "first parameter"), reader.number(1, "second parameter")
