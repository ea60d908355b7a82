"""The report of Azure's paravisor (OpenHCL), which binds a vTPM's attestation key to SEV-SNP or TDX hardware.

It is read from the vTPM's NV index 0x01400001. The hardware's REPORT_DATA is the hash of the runtime data inside;
nothing else in the header is authenticated. Trailing bytes are the rest of the NV area and must be zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._json import JsonObject, from_b64url
from warily.formats._layout import Layout, layout, octets, u32

MAGIC: Final = b"HCLA"
LIMIT: Final = 64 << 10
HARDWARE_SIZE: Final = 1184
TDREPORT_SIZE: Final = 1024
ATTESTATION_KEY: Final = "HCLAkPub"


class ReportType(IntEnum):
    """IGVM_HV report types that say which hardware vouches."""

    SNP = 2
    TDX = 4


@layout(32, source="Microsoft OpenHCL, openhcl_attestation_protocol, IgvmAttestRequestHeader")
class Header(Layout):
    """The fixed beginning."""

    magic: Annotated[bytes, octets(0, 4)]
    version: Annotated[int, u32(4)]
    report_size: Annotated[int, u32(8)]
    request_type: Annotated[int, u32(12)]
    status: Annotated[int, u32(16)]
    reserved: Annotated[bytes, octets(20, 12)]


@layout(20, source="Microsoft OpenHCL, openhcl_attestation_protocol, IgvmAttestRequestData")
class RuntimeHeader(Layout):
    """What precedes the runtime data."""

    data_size: Annotated[int, u32(0)]
    version: Annotated[int, u32(4)]
    report_type: Annotated[int, u32(8)]
    hash_type: Annotated[int, u32(12)]
    variable_size: Annotated[int, u32(16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HclReport:
    """The paravisor's report. `runtime_data` is JSON exactly as it was hashed.

    `hash_type` 1, 2 and 3 mean SHA-256, SHA-384 and SHA-512.
    `hardware` is an SNP report, or a TDREPORT, whose MAC only its own machine can check.
    """

    header: Header
    hardware: bytes = field(repr=False)
    runtime: RuntimeHeader
    runtime_data: bytes = field(repr=False)
    padding: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The report that `data` (at most 64 KiB) is. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"HCL report: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        cursor = Cursor(data, what="HCL report")
        header = cursor.read(Header, "header")
        if header.magic != MAGIC:
            msg = "HCL report: it does not begin with HCLA"
            raise FormatError(msg)
        hardware = cursor.take(HARDWARE_SIZE, "hardware report")
        runtime = cursor.read(RuntimeHeader, "runtime header")
        if runtime.report_type not in tuple(ReportType):
            msg = f"HCL report: report type {runtime.report_type} is neither SNP nor TDX"
            raise FormatError(msg)
        runtime_data = cursor.take(runtime.variable_size, "runtime data")
        rest = cursor.take(cursor.remaining, "padding")
        if any(rest):
            msg = "HCL report: bytes after the runtime data are not zero"
            raise FormatError(msg)
        return cls(header=header, hardware=hardware, runtime=runtime, runtime_data=runtime_data, padding=len(rest))

    def encode(self) -> bytes:
        """The bytes of the report."""
        return self.header.pack() + self.hardware + self.runtime.pack() + self.runtime_data + bytes(self.padding)

    @property
    def report_type(self) -> ReportType:
        """Which hardware vouches."""
        return ReportType(self.runtime.report_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeData:
    """What runtime data says: the attestation key (RSA modulus and exponent, big-endian), and the VM's settings.

    Members that this version does not know are left out: the paravisor adds some from time to time.
    """

    modulus: bytes
    exponent: bytes
    user_data: bytes
    settings: Mapping[str, bool | str]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The runtime data that JSON holds. Raises `FormatError`."""
        top = JsonObject.parse(data.rstrip(b"\x00"), what="HCL runtime data", limit=LIMIT)
        keys = [key for key in top.objects("keys", limit=16) if key.text("kid") == ATTESTATION_KEY]
        if len(keys) != 1 or keys[0].text("kty") != "RSA":
            msg = f"HCL runtime data: not exactly one RSA key named {ATTESTATION_KEY}"
            raise FormatError(msg)
        settings = top.object("vm-configuration") if "vm-configuration" in top else None
        return cls(
            modulus=from_b64url(keys[0].text("n"), what="HCL runtime data: n"),
            exponent=from_b64url(keys[0].text("e"), what="HCL runtime data: e"),
            user_data=_hexadecimal(top.text("user-data")) if "user-data" in top else b"",
            settings=_settings(settings) if settings else {},
        )


def _settings(entry: JsonObject) -> dict[str, bool | str]:
    """The members that are true, false or a short text."""
    found: dict[str, bool | str] = {}
    for key in entry.keys():  # noqa: SIM118  # a JsonObject is no mapping
        try:
            found[key] = entry.flag(key)
        except FormatError:
            try:
                found[key] = entry.text(key, limit=256)
            except FormatError:
                continue
    return found


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        msg = "HCL runtime data: user-data is not hexadecimal"
        raise FormatError(msg) from None
