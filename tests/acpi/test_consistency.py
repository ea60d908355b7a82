"""What tables say about the machine: contradictions are found, one at a time."""

import struct

import pytest

from tests.acpi_tables import table
from warily.acpi.static import inspect_static
from warily.core.ranges import Range
from warily.formats.acpi_table import AcpiTable

RAM = [Range(0, 0xA0000), Range(0x100000, 0x7FF00000), Range(1 << 32, 5 << 30)]


def said(*tables: AcpiTable) -> list[str]:
    return [each.evidence for each in inspect_static(tables, ram=RAM) if each.id == "STATIC_INCONSISTENT"]


def memory(domain: int, base: int, size: int, flags: int = 1) -> bytes:
    return struct.pack("<BBIHQQIIQ", 1, 40, domain, 0, base, size, 0, flags, 0)


def srat(*entries: bytes) -> AcpiTable:
    return table("SRAT", struct.pack("<IQ", 1, 0) + b"".join(entries))


def madt(*entries: bytes) -> AcpiTable:
    return table("APIC", struct.pack("<II", 0xFEE00000, 1) + b"".join(entries))


def cpu(uid: int, apic: int, flags: int = 1) -> bytes:
    return struct.pack("<BBBBI", 0, 8, uid, apic, flags)


def slit(count: int, distances: bytes) -> AcpiTable:
    return table("SLIT", struct.pack("<Q", count) + distances)


def fadt(**places: int) -> AcpiTable:
    body = bytearray(276 - 36)
    for name, number in places.items():
        at = int(name[1:]) - 36
        body[at : at + 4] = number.to_bytes(4, "little")
    return table("FACP", bytes(body))


HONEST = [
    srat(memory(0, 0, 0xA0000), memory(0, 0x100000, 0x7FF00000), memory(1, 1 << 32, 1 << 30)),
    srat(memory(0, 0x100000, 0x40000000), memory(1, 1 << 40, 1 << 40, flags=3)),  # may be plugged in
    srat(memory(0, 1 << 50, 1 << 40, flags=0)),
    madt(cpu(0, 0), cpu(1, 1), cpu(255, 255, flags=0), cpu(255, 255, flags=0)),
    slit(2, bytes([10, 20, 20, 10])),
    fadt(_40=0x1000, _140=0x1000, _56=0x600),
    table("MCFG", bytes(8) + struct.pack("<QHBBI", 0xB0000000, 0, 0, 255, 0)),
]
HOSTILE = [
    (srat(memory(0, 0x100000, 0x80000000 * 4)), "are not there"),
    (srat(memory(0, 5 << 30, 1 << 30)), "0x40000000 bytes of it are not there"),
    (srat(memory(0, 0xFEC00000, 0x1000)), "is devices and firmware"),
    (srat(memory(0, 0x100000, 0x2000), memory(1, 0x101000, 0x2000)), "is claimed by memory affinity"),
    (srat(memory(0, (1 << 64) - 4096, 8192)), "leave the address space"),
    (madt(cpu(0, 0), cpu(1, 0)), "APIC id 0x0 is already in APIC+0x2c"),
    (madt(cpu(0, 0), cpu(0, 1)), "processor UID 0x0 is already"),
    (madt(cpu(0, 0), struct.pack("<BBHIII", 9, 16, 0, 0, 1, 7)), "APIC id 0x0 is already"),
    (madt(*[struct.pack("<BBBBII", 1, 12, n, 0, 0xFEC00000, 24 * n) for n in range(2)]), "I/O APIC address"),
    (table("APIC", struct.pack("<II", 0xFEB00000, 1)), "the local APIC is said to be at 0xfeb00000"),
    (slit(2, bytes([11, 20, 20, 10])), "not at distance 10 from itself"),
    (slit(2, bytes([10, 9, 20, 10])), "a distance below 10"),
    (fadt(_40=0x1000, _140=0x2000), "the DSDT is at 0x1000 and at 0x2000"),
    (fadt(_36=0x1000, _132=0x2000), "the FACS is at 0x1000 and at 0x2000"),
    (fadt(_56=0x600, _152=0x700), "port 0x600, and SystemMemory 0x700"),
    (table("MCFG", bytes(8) + struct.pack("<QHBBI", 0xB0000000, 0, 9, 3, 0)), "buses 9 to 3"),
    (table("MCFG", bytes(8) + struct.pack("<QHBBI", 0xB0000123, 0, 0, 3, 0)), "is not aligned"),
    (table("MCFG", bytes(8) + 2 * struct.pack("<QHBBI", 0xB0000000, 0, 0, 3, 0)), "overlaps window 0"),
    (table("MCFG", bytes(8) + struct.pack("<QHBBI", 0xFEE00000, 0, 0, 0, 0)), "overlaps the local APIC"),
    (table("CCEL", struct.pack("<BBHQQ", 9, 0, 0, 4096, 0xFEA00000)), "of type 9"),
    (table("XSDT", struct.pack("<QQ", 0x1000, 0x1000)), "0x1000 is listed 2 times"),
]


@pytest.mark.parametrize("honest", HONEST, ids=range(len(HONEST)))
def test_honest_tables_contradict_nothing(honest: AcpiTable) -> None:
    assert not said(honest)


@pytest.mark.parametrize(("hostile", "evidence"), HOSTILE, ids=range(len(HOSTILE)))
def test_contradictions_are_found(hostile: AcpiTable, evidence: str) -> None:
    assert any(evidence in each for each in said(hostile)), said(hostile)


def test_tables_that_a_machine_has_once() -> None:
    assert said(madt(), madt()) == ["2 tables where a machine has one"]
    assert not said(table("SSDT", b""), table("SSDT", b"x"))


def test_tables_contradict_each_other() -> None:
    domains = srat(memory(0, 0x100000, 0x10000000), memory(3, 0x10100000, 0x10000000))
    assert said(domains, slit(2, bytes([10, 20, 20, 10]))) == ["2 localities, and the SRAT has domain 3"]
    cache = struct.pack("<HHIIIQIHH", 2, 0, 32, 9, 0, 0, 0, 0, 0)
    assert said(domains, table("HMAT", bytes(4) + cache)) == ["memory domain 9 is in no SRAT entry"]
