"""Files of tables, read as far as they can be: what is there, and what is wrong with its frame."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from warily.acpi.finding import AcpiFinding
from warily.errors import FormatError
from warily.formats.acpi.roots import SIGNATURE, Rsdp
from warily.formats.acpi_table import (
    HEADER_SIZE,
    LENGTH_OFFSET,
    MAX_SIZE,
    MAX_TABLES,
    AcpiTable,
    TableHeader,
    is_signature,
    next_byte,
)
from warily.formats.acpidump import is_acpidump
from warily.formats.acpidump import tables as dumped

_RSDP_PLACE: Final = "RSDP"


@dataclass(frozen=True, slots=True)
class Reading:
    """The tables of one file, and findings about lengths and checksums."""

    tables: list[AcpiTable] = field(default_factory=list)
    findings: list[AcpiFinding] = field(default_factory=list)


def read_tables(data: bytes) -> Reading:
    """What a file holds: one table, several one after the other, an RSDP, or the text of `acpidump`.

    A length that does not fit is a finding, and the table is judged with the bytes that are there. Checksums are
    asked for unless no table of several has one yet: so QEMU hands them to firmware. A file without any table is a
    finding too. Raises `FormatError` for one that is too large, or text of acpidump that breaks off.
    """
    if len(data) > MAX_SIZE * 4:
        msg = f"ACPI tables: {len(data)} bytes are over the limit of {MAX_SIZE * 4}"
        raise FormatError(msg)
    if is_acpidump(data):
        return _several(data)
    if data.startswith(SIGNATURE):
        return Reading(findings=list(_rsdp(data)))
    found = _cut(data)
    unset = len(found.tables) > 1 and all(_is_unset(each) for each in found.tables)
    if not unset:
        whole = (each for each in found.tables if each.header.length == each.length)
        found.findings.extend(_checksum(each) for each in whole if not each.checksum_holds)
    return found


def _several(data: bytes) -> Reading:
    """The tables of acpidump's text, each read by itself."""
    found = Reading()
    for _, content in dumped(data):
        one = read_tables(content)
        found.tables.extend(one.tables)
        found.findings.extend(one.findings)
        if len(found.tables) > MAX_TABLES:
            msg = f"ACPI tables: over {MAX_TABLES}"
            raise FormatError(msg)
    return found


def _cut(data: bytes) -> Reading:
    """Tables one after the other, zero bytes between them passed over."""
    found = Reading()
    at = next_byte(data, 0)
    if at == len(data):
        found.findings.append(_length("there is no table"))
    while at < len(data):
        if len(data) - at < HEADER_SIZE or not is_signature(data[at : at + 4]):
            found.findings.append(_length(f"{len(data) - at} bytes at {at:#x} are no table"))
            if found.tables:  # they may be its end, and its length a lie
                last = found.tables.pop()
                found.tables.append(_table(data, last.offset, len(data) - last.offset))
            break
        length = int.from_bytes(data[at + LENGTH_OFFSET : at + LENGTH_OFFSET + 4], "little")
        if length < HEADER_SIZE or at + length > len(data):
            left = len(data) - at
            name = data[at : at + 4].decode("ascii")
            found.findings.append(_length(f"{name} at {at:#x} says {length} bytes, {left} are there", name))
            length = left
        found.tables.append(_table(data, at, length))
        if len(found.tables) > MAX_TABLES:
            msg = f"ACPI tables: over {MAX_TABLES}"
            raise FormatError(msg)
        at = next_byte(data, at + length)
    return found


def _table(data: bytes, at: int, length: int) -> AcpiTable:
    raw = data[at : at + length]
    return replace(AcpiTable(header=TableHeader.unpack(raw[:HEADER_SIZE]), raw=raw), offset=at)


def _is_unset(table: AcpiTable) -> bool:
    return not table.has_checksum or (table.header.checksum == 0 and not table.checksum_holds)


def _length(evidence: str, where: str = "file") -> AcpiFinding:
    return AcpiFinding(id="MALFORMED_LENGTH", where=where, reach="parse", evidence=evidence)


def _checksum(table: AcpiTable) -> AcpiFinding:
    evidence = f"the bytes add up to {sum(table.raw) % 256:#04x}, not to zero"
    return AcpiFinding(id="MALFORMED_CHECKSUM", where=table.signature, reach="parse", evidence=evidence)


def _rsdp(data: bytes) -> Iterator[AcpiFinding]:
    try:
        root = Rsdp.parse(data)
    except FormatError as error:
        yield AcpiFinding(id="MALFORMED_LENGTH", where=_RSDP_PLACE, reach="parse", evidence=str(error))
        return
    if not root.checksums_hold and (root.head.checksum or (root.tail and root.tail.extended_checksum)):
        evidence = "a checksum does not hold"
        yield AcpiFinding(id="MALFORMED_CHECKSUM", where=_RSDP_PLACE, reach="parse", evidence=evidence)
