"""The SGX extensions of a PCK certificate: which platform it is, and at which TCB its key was derived.

Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification 1.5, section 1.3.5.
"""

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _der
from warily.formats._der import DerReader, Element

ARC: Final = "1.2.840.113741.1.13.1"
_ARC: Final = bytes.fromhex("2a864886f84d010d01")  # the same as DER writes it
COMPONENTS: Final = 16
_ENUMERATED: Final = 0x0A
_MAX: Final = 32


class PlatformFlag(IntFlag):
    """The configuration of a multi-package platform (extension 7), as bits in this order."""

    DYNAMIC_PLATFORM = 1 << 0
    CACHED_KEYS = 1 << 1
    SMT_ENABLED = 1 << 2


_FLAGS: Final = tuple(map(int, PlatformFlag))  # plain numbers: an enumeration takes microseconds to add up


@dataclass(frozen=True, slots=True, kw_only=True)
class PckExtensions:
    """What the certificate says. `instance_id` and `configuration` are None for single-package platforms.

    `components` are the 16 SGX TCB component SVNs, `cpusvn` the raw CPUSVN. `sgx_type` is 0 for SGX with integrity
    tree, 1 for scalable SGX, 2 for scalable SGX with memory integrity.
    """

    ppid: bytes
    components: tuple[int, ...]
    pcesvn: int
    cpusvn: bytes
    pceid: bytes
    fmspc: bytes
    sgx_type: int
    instance_id: bytes | None
    configuration: PlatformFlag | None

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """The content of the extension. Raises `FormatError`; members without a meaning here are passed over."""
        members = _members(_der.only(value, _der.SEQUENCE, what="SGX extensions"), _ARC)
        tcb = _within(members, 2, "TCB")
        instance = _octets(members[6], 16, "platform instance ID") if 6 in members else None
        ppid = _octets(_one(members, 1, "PPID"), 16, "PPID")
        components, pcesvn, cpusvn = _tcb(tcb)
        return cls(
            ppid=ppid,
            components=components,
            pcesvn=pcesvn,
            cpusvn=cpusvn,
            pceid=_octets(_one(members, 3, "PCEID"), 2, "PCEID"),
            fmspc=_octets(_one(members, 4, "FMSPC"), 6, "FMSPC"),
            sgx_type=_sgx_type(_one(members, 5, "SGX type")),
            instance_id=instance,
            configuration=_configuration(_within(members, 7, "configuration")) if 7 in members else None,
        )


# The TCB as it stands in most certificates: in order, and each number below 128. Every value after its head.
_USUAL: Final = Struct(f">{'17sB' * (COMPONENTS + 1)}17s16s")
_HEADS: Final = (
    *(b"\x30\x10\x06\x0b" + _ARC + bytes((2, at)) + b"\x02\x01" for at in range(1, COMPONENTS + 2)),
    b"\x30\x1f\x06\x0b" + _ARC + bytes((2, COMPONENTS + 2)) + b"\x04\x10",
)


def _tcb(listed: DerReader) -> tuple[tuple[int, ...], int, bytes]:
    """The component SVNs, PCESVN and CPUSVN."""
    if len(listed.rest) == _USUAL.size:
        parts = _USUAL.unpack(listed.rest)
        *numbers, cpusvn = parts[1::2]
        if parts[::2] == _HEADS and max(numbers) < 0x80:
            return tuple(numbers[:COMPONENTS]), numbers[COMPONENTS], cpusvn
    levels = _members(listed, _ARC + b"\x02")
    return (
        tuple(_number(levels, at, "TCB component", high=255) for at in range(1, COMPONENTS + 1)),
        _number(levels, 17, "PCESVN", high=0xFFFF),
        _octets(_one(levels, 18, "CPUSVN"), 16, "CPUSVN"),
    )


def _members(listed: DerReader, arc: bytes) -> dict[int, Element]:
    """The values of a list of (object identifier, value), by the last number of the identifier below `arc`."""
    found: dict[int, Element] = {}
    for entry in listed.each(_der.SEQUENCE, "entry"):
        name = entry.content(_der.OID, "identifier")
        value = entry.any("value")
        last = name[-1] if name[:-1] == arc else 0x80
        if last >= 0x80:  # another arc, or a number of several bytes
            continue
        if last in found or len(found) == _MAX:
            msg = f"SGX extensions: number {last} appears twice, or there are over {_MAX}"
            raise FormatError(msg)
        found[last] = value
    return found


def _one(members: dict[int, Element], number: int, what: str) -> Element:
    if number not in members:
        msg = f"SGX extensions: {what} is missing"
        raise FormatError(msg)
    return members[number]


def _within(members: dict[int, Element], number: int, what: str) -> DerReader:
    element = _one(members, number, what)
    if element.tag != _der.SEQUENCE:
        msg = f"SGX extensions: {what} is no list"
        raise FormatError(msg)
    return DerReader(element.content, what=f"SGX extensions: {what}")


def _octets(element: Element, width: int, what: str) -> bytes:
    if element.tag != _der.OCTET_STRING or len(element.content) != width:
        msg = f"SGX extensions: {what} is not {width} bytes"
        raise FormatError(msg)
    return element.content


def _number(members: dict[int, Element], number: int, what: str, *, high: int) -> int:
    element = _one(members, number, what)
    value = _der.unsigned(element.content, what=f"SGX extensions: {what}", limit=3)
    if element.tag != _der.INTEGER or value > high:
        msg = f"SGX extensions: {what} is not an integer up to {high}"
        raise FormatError(msg)
    return value


def _sgx_type(element: Element) -> int:
    if element.tag != _ENUMERATED or len(element.content) != 1:
        msg = "SGX extensions: SGX type is not one byte"
        raise FormatError(msg)
    return element.content[0]


def _configuration(listed: DerReader) -> PlatformFlag:
    flags = 0
    members = _members(listed, _ARC + b"\x07")
    for at in range(len(_FLAGS)):
        element = members.get(at + 1)
        if element is None:
            continue
        if element.tag != _der.BOOLEAN or element.content not in (b"\x00", b"\xff"):
            msg = "SGX extensions: a flag of the configuration is neither true nor false"
            raise FormatError(msg)
        if element.content == b"\xff":
            flags |= _FLAGS[at]
    return PlatformFlag(flags)
