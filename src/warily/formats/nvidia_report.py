"""The attestation report of an NVIDIA GPU or switch: a GET_MEASUREMENTS request and the response, SPDM 1.1.

The last 96 bytes are an ECDSA P-384 signature, R and S, over everything before. The response's opaque data is a list
of fields {u16 type, u16 size, value}; names and sizes as in NVIDIA's attestation SDK (gpu and switch opaque data).
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import spdm
from warily.formats._cursor import Cursor
from warily.formats.spdm import MeasurementRequest, Measurements

LIMIT: Final = 1 << 16
REQUEST_SIZE: Final = 37
SIGNATURE_SIZE: Final = 96
VERSION: Final = 0x11
MAX_FIELDS: Final = 64
NVDEC_DISABLED: Final = 0x55
_REQUEST: Final = b"\x11\xe0"
_RESPONSE: Final = b"\x11\x60"
_TEXT: Final = 40


class Field(IntEnum):
    """Types of opaque fields. From 22 on, GPUs and switches give different meanings to the same number."""

    DRIVER_VERSION = 3
    GPU_INFO = 4
    VBIOS_VERSION = 6
    NVDEC0_STATUS = 11
    MEASUREMENT_COUNTS = 12
    CPR_INFO = 13
    BOARD_ID = 14
    CHIP_SKU = 15
    CHIP_SKU_MOD = 16
    PROJECT = 17
    PROJECT_SKU = 18
    PROJECT_SKU_MOD = 19
    FWID = 20
    PROTECTED_PCIE = 21
    PDI = 22  # of a GPU: the switches it is linked to; of a switch: its own
    DISABLED_PORTS = 23
    POSITION = 24
    LOCK = 25
    GPU_PDIS = 26
    GPU_LINKS = 32
    SYSTEM_ENABLE = 33
    OPAQUE_VERSION = 34
    CHIP_INFO = 35
    FEATURE_FLAG = 36


class Mode(StrEnum):
    """How a GPU guards its traffic: alone, with encrypted links, or with links in the clear inside the board."""

    SINGLE = "single-gpu"
    ENCRYPTED_LINKS = "multi-gpu"
    PROTECTED_PCIE = "protected-pcie"
    UNNAMED = "unnamed"


_MODES: Final = {0: Mode.SINGLE, 1: Mode.ENCRYPTED_LINKS, 2: Mode.PROTECTED_PCIE}
_PROTECTED: Final = {0x55: Mode.SINGLE, 0xAA: Mode.PROTECTED_PCIE}


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaReport:
    """A report. `signed` is what its signature covers, as received; `fields` holds the opaque fields by type."""

    request: MeasurementRequest
    response: Measurements
    fields: dict[int, bytes]
    signed: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The report that `data` is. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"NVIDIA report: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        if data.startswith(_RESPONSE):
            msg = "NVIDIA report: the response without its request, so that nothing says which nonce it answers"
            raise FormatError(msg, hint="keep the 37 bytes of the request before the response")
        reader = Cursor(data, what="NVIDIA report")
        request = MeasurementRequest.decode(reader.take(REQUEST_SIZE, "request"))
        answer = reader.take(reader.remaining, "response")
        if not answer.startswith(_RESPONSE):
            msg = "NVIDIA report: what follows the request is no MEASUREMENTS of SPDM 1.1"
            raise FormatError(msg)
        response = Measurements.decode(answer, signature_size=SIGNATURE_SIZE)
        return cls(
            request=request,
            response=response,
            fields=decode_fields(response.opaque),
            signed=data[: len(data) - SIGNATURE_SIZE],
        )

    @property
    def is_switch(self) -> bool:
        """Whether an NVSwitch made the report: those have no driver, and name the GPUs that are linked to them."""
        return Field.DRIVER_VERSION not in self.fields

    @property
    def measurements(self) -> dict[int, bytes]:
        """The measured values as reference manifests count them: from 0, one less than the index of the block."""
        return {block.index - 1: block.value for block in self.response.blocks}

    @property
    def driver_version(self) -> str | None:
        """Such as `550.90.07`; None for a switch."""
        return self._text(Field.DRIVER_VERSION)

    @property
    def vbios_version(self) -> str | None:
        """Such as `96.00.9F.00.01`: text in a switch's report, numbers in a GPU's."""
        value = self.fields.get(Field.VBIOS_VERSION)
        if value is None or self.is_switch:
            return self._text(Field.VBIOS_VERSION)
        if len(value) != 8:
            msg = f"NVIDIA report: a VBIOS version of {len(value)} bytes"
            raise FormatError(msg)
        return ".".join(f"{value[at]:02X}" for at in (3, 2, 1, 0, 4))

    @property
    def mode(self) -> Mode:
        """What the feature flag says, or where a report has none, the status of protected PCIe."""
        flag = self.fields.get(Field.FEATURE_FLAG)
        if flag is not None:
            return _MODES.get(int.from_bytes(flag, "little"), Mode.UNNAMED)
        status = self.fields.get(Field.PROTECTED_PCIE)
        return Mode.UNNAMED if status is None else _PROTECTED.get(int.from_bytes(status, "little"), Mode.UNNAMED)

    @property
    def decoder_is_off(self) -> bool:
        """Whether the first video decoder is off; the measurement of its firmware then means nothing."""
        return self.fields.get(Field.NVDEC0_STATUS) == bytes([NVDEC_DISABLED])

    @property
    def vbios_manifest(self) -> str | None:
        """The name under which NVIDIA publishes the manifest of this VBIOS; None where fields are missing."""
        version = (self.vbios_version or "").replace(".", "")
        if self.is_switch:
            return f"NV_SWITCH_BIOS_5612_0002_890_{version}" if version else None
        parts = [self._text(part) for part in (Field.PROJECT, Field.PROJECT_SKU, Field.CHIP_SKU)]
        known = [part for part in parts if part]
        return f"NV_GPU_VBIOS_{'_'.join(known)}_{version}" if len(known) == len(parts) and version else None

    def _text(self, kind: Field) -> str | None:
        value = self.fields.get(kind)
        if value is None:
            return None
        text = value.rstrip(b"\x00").decode("ascii", "replace")
        if not text.isascii() or not text.isprintable() or not 1 <= len(text) <= _TEXT:
            msg = f"NVIDIA report: {kind.name} is not a short text"
            raise FormatError(msg)
        return text


def looks_like(data: bytes) -> bool:
    """Whether the bytes begin as a report does: a request of SPDM 1.1, then its response, or a response alone."""
    whole = data.startswith(_REQUEST) and data[REQUEST_SIZE : REQUEST_SIZE + 2] == _RESPONSE
    return len(data) <= LIMIT and (whole or (data.startswith(_RESPONSE) and len(data) > SIGNATURE_SIZE))


def decode_fields(opaque: bytes) -> dict[int, bytes]:
    """The opaque fields by type, each at most once. Raises `FormatError`."""
    reader = Cursor(opaque, what="NVIDIA opaque data")
    found: dict[int, bytes] = {}
    while reader.remaining:
        kind = reader.number(2, "type")
        value = reader.counted(2, f"field {kind}", limit=LIMIT)
        if kind in found or len(found) == MAX_FIELDS:
            msg = f"NVIDIA opaque data: field {kind} is there twice, or there are over {MAX_FIELDS}"
            raise FormatError(msg)
        found[kind] = value
    return found


def encode_fields(fields: dict[int, bytes]) -> bytes:
    """The opaque data of these fields, in their order."""
    parts = (kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for kind, value in fields.items())
    return b"".join(parts)


def request_bytes(nonce: bytes) -> bytes:
    """The request for all measurements, signed, that NVIDIA's driver sends."""
    head = bytes([VERSION, spdm.Code.GET_MEASUREMENTS, spdm.SIGNATURE_REQUESTED, spdm.ALL_MEASUREMENTS])
    return head + nonce + b"\x00"
