"""Event logs of measured boot: TCG logs of a TPM (crypto-agile and SHA-1 only) and CCEL logs of TDX.

A log is a claim by whoever sent it. It means something only once its digests, extended one after the other,
give the register values of signed evidence; even then the types and most of the data are not measured.
Everything here is bounded by the length of the log and takes time linear in it.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor

LIMIT: Final = 16 << 20
MAX_EVENTS: Final = 1 << 17
MAX_ALGORITHMS: Final = 16
MAX_DIGEST: Final = 64
SIGNATURE_AGILE: Final = b"Spec ID Event03\x00"
SIGNATURES_LEGACY: Final = (b"Spec ID Event00\x00", b"Spec ID Event02\x00")
STARTUP_LOCALITY: Final = b"StartupLocality\x00"
PCRS: Final = 24
SHA1: Final = 0x0004
SHA1_SIZE: Final = 20

# Sizes that no header has to declare (TCG Algorithm Registry, revision 1.32).
DIGEST_SIZES: Final = {0x0004: 20, 0x000B: 32, 0x000C: 48, 0x000D: 64, 0x0012: 32, 0x0027: 32, 0x0028: 48, 0x0029: 64}


class EventType(IntEnum):
    """TCG PC Client Platform Firmware Profile 1.06, section 10.4.1, and what Linux and SPDM add."""

    PREBOOT_CERT = 0x00
    POST_CODE = 0x01
    NO_ACTION = 0x03
    SEPARATOR = 0x04
    ACTION = 0x05
    EVENT_TAG = 0x06
    S_CRTM_CONTENTS = 0x07
    S_CRTM_VERSION = 0x08
    CPU_MICROCODE = 0x09
    PLATFORM_CONFIG_FLAGS = 0x0A
    TABLE_OF_DEVICES = 0x0B
    COMPACT_HASH = 0x0C
    IPL = 0x0D
    IPL_PARTITION_DATA = 0x0E
    NONHOST_CODE = 0x0F
    NONHOST_CONFIG = 0x10
    NONHOST_INFO = 0x11
    OMIT_BOOT_DEVICE_EVENTS = 0x12
    POST_CODE2 = 0x13
    EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
    EFI_VARIABLE_BOOT = 0x80000002
    EFI_BOOT_SERVICES_APPLICATION = 0x80000003
    EFI_BOOT_SERVICES_DRIVER = 0x80000004
    EFI_RUNTIME_SERVICES_DRIVER = 0x80000005
    EFI_GPT_EVENT = 0x80000006
    EFI_ACTION = 0x80000007
    EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008
    EFI_HANDOFF_TABLES = 0x80000009
    EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000A
    EFI_HANDOFF_TABLES2 = 0x8000000B
    EFI_VARIABLE_BOOT2 = 0x8000000C
    EFI_GPT_EVENT2 = 0x8000000D
    EFI_HCRTM_EVENT = 0x80000010
    EFI_VARIABLE_AUTHORITY = 0x800000E0
    EFI_SPDM_FIRMWARE_BLOB = 0x800000E1
    EFI_SPDM_FIRMWARE_CONFIG = 0x800000E2
    EFI_SPDM_DEVICE_POLICY = 0x800000E3
    EFI_SPDM_DEVICE_AUTHORITY = 0x800000E4


def type_name(number: int) -> str:
    """The name of an event type as the specification spells it, or its number."""
    try:
        return f"EV_{EventType(number).name}"
    except ValueError:
        return f"type {number:#010x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry. `register` is a PCR, or in a CCEL log the measurement register index (0 MRTD, 1 RTMR0 …).

    `digests` are (algorithm, digest) as the log gives them; `offset` is where the entry begins in the log.
    """

    offset: int
    register: int
    type: int
    digests: tuple[tuple[int, bytes], ...]
    data: bytes = field(repr=False)

    def digest(self, algorithm: int) -> bytes | None:
        """The digest that extends the bank of `algorithm`; None where the entry has none for it."""
        return next((digest for number, digest in self.digests if number == algorithm), None)

    @property
    def extends(self) -> bool:
        """Whether a register was extended: not by EV_NO_ACTION, which only tells something."""
        return self.type != EventType.NO_ACTION


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """A log: its Spec ID entry, which names the digest algorithms and their sizes, and all others in order.

    `header` is None in SHA-1 logs of firmware older than the Spec ID entry. `agile` says whether entries have the
    layout TCG_PCR_EVENT2. `padding` is what fills the rest of the area: bytes all zero or all 0xFF.
    """

    agile: bool
    algorithms: tuple[tuple[int, int], ...]
    header: Event | None
    events: tuple[Event, ...] = field(repr=False)
    padding: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The log that `data` (at most 16 MiB) holds. Raises `FormatError`; an entry cut short is malformed too."""
        if len(data) > LIMIT:
            msg = f"event log: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        cursor = Cursor(data, what="event log")
        first = _legacy_event(cursor)
        agile = False
        algorithms: tuple[tuple[int, int], ...] = ((SHA1, SHA1_SIZE),)
        header = first if first.type == EventType.NO_ACTION else None
        events: list[Event] = []
        if header is None:
            _plausible(first)
            events.append(first)
        else:
            agile, algorithms = _spec_id(header)
        sizes = dict(algorithms)
        while cursor.remaining and not _is_padding(data, cursor.offset):
            if len(events) == MAX_EVENTS:
                msg = f"event log: over {MAX_EVENTS} entries"
                raise FormatError(msg)
            events.append(_agile_event(cursor, sizes) if agile else _legacy_event(cursor))
        return cls(
            agile=agile,
            algorithms=algorithms,
            header=header,
            events=tuple(events),
            padding=data[cursor.offset :],
        )

    def encode(self) -> bytes:
        """The bytes of the log, its padding included."""
        body = b"".join(_encode(event, agile=self.agile) for event in self.events)
        head = b"" if self.header is None else _encode(self.header, agile=False)
        return head + body + self.padding

    @property
    def startup_locality(self) -> int:
        """The locality that PCR 0 starts at (PFP 1.06, section 10.4.5.3): 0 where the log does not say."""
        for event in self.events:
            if event.type == EventType.NO_ACTION and event.data.startswith(STARTUP_LOCALITY):
                tail = event.data[len(STARTUP_LOCALITY) :]
                return tail[0] if tail else 0
        return 0


def is_log(data: bytes) -> bool:
    """Whether the bytes begin as a log does: with a Spec ID entry, or with an entry of a SHA-1 log without one."""
    if len(data) <= 32:
        return False
    if data[32:48] in (SIGNATURE_AGILE, *SIGNATURES_LEGACY):
        return int.from_bytes(data[4:8], "little") == EventType.NO_ACTION
    try:
        _plausible(_legacy_event(Cursor(data, what="event log")))
    except FormatError:
        return False
    return True


def _legacy_event(cursor: Cursor) -> Event:
    """TCG_PCR_EVENT: one SHA-1 digest."""
    offset = cursor.offset
    register, kind = cursor.number(4, "register"), cursor.number(4, "type")
    digest = cursor.take(SHA1_SIZE, "digest")
    data = cursor.counted(4, "event", limit=LIMIT)
    return Event(offset=offset, register=register, type=kind, digests=((SHA1, digest),), data=data)


def _agile_event(cursor: Cursor, sizes: dict[int, int]) -> Event:
    """TCG_PCR_EVENT2: a digest for each algorithm, of those that the header declares, none twice."""
    offset = cursor.offset
    register, kind = cursor.number(4, "register"), cursor.number(4, "type")
    count = cursor.number(4, "digest count")
    if not 1 <= count <= len(sizes):
        msg = f"event log: {count} digests at offset {offset:#x}, where the header declares {len(sizes)} algorithms"
        raise FormatError(msg)
    digests: dict[int, bytes] = {}
    for _ in range(count):
        algorithm = cursor.number(2, "digest algorithm")
        if algorithm not in sizes or algorithm in digests:
            msg = (
                f"event log: digest algorithm {algorithm:#06x} at offset {offset:#x} is not declared, or appears twice"
            )
            raise FormatError(msg)
        digests[algorithm] = cursor.take(sizes[algorithm], "digest")
    data = cursor.counted(4, "event", limit=LIMIT)
    return Event(offset=offset, register=register, type=kind, digests=tuple(digests.items()), data=data)


def _plausible(first: Event) -> None:
    """A log without a Spec ID has a first entry of a PCR and a type that exist, with a digest and some data."""
    if first.register >= PCRS or first.type not in tuple(EventType) or not first.data or not any(first.digests[0][1]):
        msg = "event log: the first entry is neither a Spec ID event nor an entry of a SHA-1 log"
        raise FormatError(msg)


def _spec_id(header: Event) -> tuple[bool, tuple[tuple[int, int], ...]]:
    """What the first entry says of the rest (PFP 1.06, section 10.4.5.1): layout, algorithms and digest sizes."""
    cursor = Cursor(header.data, what="Spec ID event")
    signature = cursor.take(16, "signature")
    if signature in SIGNATURES_LEGACY:
        return False, ((SHA1, SHA1_SIZE),)
    if signature != SIGNATURE_AGILE:
        msg = "event log: the first entry is no Spec ID event"
        raise FormatError(msg)
    cursor.take(8, "platform class, version, errata, size of UINTN")
    count = cursor.number(4, "number of algorithms")
    if not 1 <= count <= MAX_ALGORITHMS:
        msg = f"Spec ID event: {count} algorithms"
        raise FormatError(msg)
    found = [(cursor.number(2, "algorithm"), cursor.number(2, "digest size")) for _ in range(count)]
    for algorithm, size in found:
        if not 1 <= size <= MAX_DIGEST or DIGEST_SIZES.get(algorithm, size) != size:
            msg = f"Spec ID event: digests of {size} bytes for algorithm {algorithm:#06x}"
            raise FormatError(msg)
    if len(dict(found)) != count:
        msg = "Spec ID event: an algorithm appears twice"
        raise FormatError(msg)
    cursor.counted(1, "vendor information", limit=255)
    cursor.finish()
    return True, tuple(found)


def _is_padding(data: bytes, offset: int) -> bool:
    """Whether nothing but padding follows. Looked at whole only where an entry cannot begin, so once."""
    head = data[offset : offset + 12]
    if head.count(head[0]) != len(head) or head[0] not in (0x00, 0xFF):
        return False
    if data.count(head[0], offset) != len(data) - offset:
        msg = f"event log: padding at offset {offset:#x} is followed by something else"
        raise FormatError(msg)
    return True


def _encode(event: Event, *, agile: bool) -> bytes:
    digests = [digest for _, digest in event.digests]
    if agile:
        parts = (number.to_bytes(2, "little") + digest for number, digest in event.digests)
        digests = [len(event.digests).to_bytes(4, "little"), *parts]
    head = event.register.to_bytes(4, "little") + event.type.to_bytes(4, "little")
    return head + b"".join(digests) + len(event.data).to_bytes(4, "little") + event.data
