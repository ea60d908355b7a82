"""Static tables against memory: the hostile rows of the vectors, one forged table for each kind, and no false alarm."""

import csv
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acpi_tables import register, table
from warily.acpi.static import inspect_static, not_judged
from warily.core.ranges import Range
from warily.formats.acpi_table import AcpiTable, split

RAM = [Range(0, 0x80000000)]
IN = 0x1234000
OUT = 0xFEA00000


def ids(*tables: AcpiTable, known_map: bool = True) -> set[str]:
    return {each.id for each in inspect_static(tables, ram=RAM, known_map=known_map)}


def fadt(**places: bytes) -> bytes:
    body = bytearray(276 - 36)
    for name, data in places.items():
        at = int(name[1:]) - 36
        body[at : at + len(data)] = data
    return bytes(body)


def hest(address: int) -> bytes:
    source = (
        struct.pack("<HHHBBIII", 10, 0, 0xFFFF, 0, 1, 1, 1, 4096) + register(OUT) + bytes(28) + struct.pack("<I", 1)
    )
    return struct.pack("<I", 1) + source + register(address) + bytes(16)


def prmt(address: int) -> bytes:
    module = struct.pack("<HH16sHHHIQ", 0, 38 + 44, bytes(16), 1, 0, 1, 38, 0)
    handler = struct.pack("<HH16sQQQ", 0, 44, bytes(16), address, 0, 0)
    return bytes(16) + struct.pack("<II", 60, 1) + module + handler


def dbg2(address: int) -> bytes:
    device = struct.pack("<BHBHHHHHHHHH", 0, 22 + 16, 1, 0, 0, 0, 0, 0x8000, 0, 0, 22, 34)
    return struct.pack("<II", 44, 1) + device + register(address) + struct.pack("<I", 8)


def uefi(address: int) -> bytes:
    name = bytes.fromhex("e2d88ec6c69dbd4c9d94db65acc5c332")
    return name + struct.pack("<HIQ", 54, 0, address)


GAS, POINTER, WINDOW = "STATIC_GAS_RAM_WRITE", "STATIC_POINTER_RAM", "STATIC_MMIO_OVER_RAM"
# signature, what is found with the address in memory, and the body around an address
FORGED: list[tuple[str, set[str], Callable[[int], bytes]]] = [
    ("FACP", {GAS}, lambda at: fadt(_116=register(at))),
    ("FACP", {GAS}, lambda at: fadt(_148=register(at))),
    ("FACP", {GAS}, lambda at: fadt(_220=register(at, width=0), _92=b"\x10")),
    ("FACP", {GAS}, lambda at: fadt(_244=register(at))),
    ("FACP", {GAS}, lambda at: fadt(_256=register(at))),
    ("APIC", {WINDOW, "STATIC_INCONSISTENT"}, lambda at: struct.pack("<II", at, 1)),
    ("APIC", {WINDOW}, lambda at: bytes(8) + struct.pack("<BBBBII", 1, 12, 0, 0, at, 0)),
    ("APIC", {WINDOW, "STATIC_INCONSISTENT"}, lambda at: bytes(8) + struct.pack("<BBHQ", 5, 12, 0, at)),
    ("APIC", {POINTER}, lambda at: bytes(8) + struct.pack("<BBHIQ", 16, 16, 0, 0, at)),
    ("APIC", {POINTER}, lambda at: bytes(8) + struct.pack("<BBHIQQ", 16, 24, 1, 0, OUT, at)),
    ("APIC", {WINDOW}, lambda at: bytes(8) + struct.pack("<BBHIQII", 12, 24, 0, 0, at, 0, 0)),
    ("MCFG", {WINDOW}, lambda at: bytes(8) + struct.pack("<QHBBI", at & ~0xFFFFF, 0, 0, 0, 0)),
    ("HPET", {GAS, WINDOW}, lambda at: bytes(4) + register(at) + bytes(4)),
    ("TPM2", {POINTER, WINDOW}, lambda at: struct.pack("<IQI", 0, at, 7)),
    ("TPM2", {POINTER}, lambda at: struct.pack("<IQI", 0, at, 2)),
    ("TPM2", {POINTER}, lambda at: struct.pack("<IQI12sIQ", 0, 0xFED40040, 7, bytes(12), 65536, at)),
    ("TCPA", {POINTER}, lambda at: struct.pack("<HIQ", 0, 65536, at)),
    ("TCPA", {GAS}, lambda at: struct.pack("<HHQQ12s", 1, 0, 0, 0, bytes(12)) + register(at) + bytes(20)),
    ("CCEL", {POINTER}, lambda at: struct.pack("<BBHQQ", 2, 0, 0, 0, at)),
    ("TDEL", {POINTER}, lambda at: struct.pack("<IQQ", 0, 65536, at)),
    ("SVKL", {POINTER}, lambda at: struct.pack("<IHHIQ", 1, 0, 0, 32, at)),
    ("SPCR", {GAS, WINDOW}, lambda at: bytes(4) + register(at) + bytes(28)),
    ("DBGP", {GAS, WINDOW}, lambda at: bytes(4) + register(at)),
    ("DBG2", {GAS, WINDOW}, dbg2),
    ("HEST", {GAS}, hest),
    ("BERT", {POINTER}, lambda at: struct.pack("<IQ", 4096, at)),
    ("ERST", {GAS}, lambda at: struct.pack("<IIIBBBB", 12, 0, 1, 0, 3, 0, 0) + register(at) + bytes(16)),
    ("EINJ", {GAS}, lambda at: struct.pack("<IIIBBBB", 12, 0, 1, 0, 3, 0, 0) + register(at) + bytes(16)),
    ("PCCT", {POINTER}, lambda at: bytes(12) + struct.pack("<BB6sQQ", 0, 62, bytes(6), at, 4096) + bytes(38)),
    (
        "PCCT",
        {GAS},
        lambda at: bytes(12) + struct.pack("<BB6sQQ", 0, 62, bytes(6), OUT, 1) + register(at) + bytes(26),
    ),
    (
        "PCCT",
        {GAS},
        lambda at: bytes(12) + struct.pack("<BB6sQI", 3, 164, bytes(6), OUT, 1) + bytes(124) + register(at) + bytes(8),
    ),
    ("BGRT", {POINTER}, lambda at: struct.pack("<HBBQII", 1, 1, 0, at, 0, 0)),
    ("FPDT", {POINTER}, lambda at: struct.pack("<HBBIQ", 0, 16, 1, 0, at)),
    ("UEFI", {POINTER}, uefi),
    ("WPBT", {POINTER}, lambda at: struct.pack("<IQBBH", 4096, at, 1, 1, 0)),
    ("PRMT", {POINTER}, prmt),
    ("VIOT", {WINDOW}, lambda at: struct.pack("<HHQ", 1, 48, 0) + struct.pack("<BBHIQ", 4, 0, 16, 0, at)),
    ("DMAR", {WINDOW}, lambda at: bytes(12) + struct.pack("<HHBBHQ", 0, 16, 1, 0, 0, at)),
    ("DMAR", {POINTER}, lambda at: bytes(12) + struct.pack("<HHHHQQ", 1, 24, 0, 0, at, at + 0xFFF)),
    ("IVRS", {WINDOW}, lambda at: bytes(12) + struct.pack("<BBHHHQHHI", 0x10, 0, 24, 0, 0, at, 0, 0, 0)),
    ("IVRS", {POINTER}, lambda at: bytes(12) + struct.pack("<BBHHHQQQ", 0x20, 8, 32, 0, 0, 0, at, 4096)),
    ("NFIT", {WINDOW}, lambda at: bytes(4) + struct.pack("<HHHHII16sQQQ", 0, 56, 1, 0, 0, 0, bytes(16), at, 4096, 0)),
    ("NFIT", {WINDOW}, lambda at: bytes(4) + struct.pack("<HHIH6sQ", 6, 24, 1, 1, bytes(6), at)),
    ("CEDT", {WINDOW}, lambda at: struct.pack("<BBHIIIQQ", 0, 0, 32, 0, 1, 0, at, 0x10000)),
    ("CEDT", {WINDOW}, lambda at: struct.pack("<BBHIQQ12s", 1, 0, 36, 0, at, 1 << 28, bytes(12))),
    ("WDAT", {GAS}, lambda at: bytes(28) + struct.pack("<IBBH", 1, 1, 2, 0) + register(at) + bytes(8)),
    ("WDRT", {GAS}, lambda at: register(at) + register(OUT) + bytes(11)),
    ("ECDT", {GAS}, lambda at: register(0x62, space=1) + register(at) + bytes(6)),
    ("SPMI", {GAS}, lambda at: bytes(12) + register(at)),
    ("LPIT", {GAS}, lambda at: struct.pack("<IIHHI", 0, 56, 0, 0, 0) + register(at) + bytes(28)),
    ("APMT", {WINDOW}, lambda at: struct.pack("<HBBIQIQQ", 60, 0, 0, 0, 0, 0, at, 0) + bytes(24)),
    ("IORT", {WINDOW}, lambda at: struct.pack("<III", 1, 48, 0) + struct.pack("<BHB12sQQ", 4, 32, 0, bytes(12), at, 0)),
    ("GTDT", {WINDOW}, lambda at: struct.pack("<QI", at, 0) + bytes(56)),
    ("BDAT", {GAS}, register),
    ("DRTM", {POINTER}, lambda at: struct.pack("<QQIQQQI", 0, 0, 0, 0, 0, at, 4096) + bytes(8)),
]


@pytest.mark.parametrize(
    ("signature", "expected", "body"), FORGED, ids=[f"{row[0]}{n}" for n, row in enumerate(FORGED)]
)
def test_an_address_in_memory_is_found_and_one_elsewhere_is_not(
    signature: str, expected: set[str], body: Callable[[int], bytes]
) -> None:
    assert ids(table(signature, body(IN))) == expected
    assert not ids(table(signature, body(OUT))) & {GAS, POINTER, WINDOW}


@pytest.mark.parametrize("signature", ["FACP", "TPM2", "TCPA", "BGRT", "FPDT", "HEST", "ERST", "PRMT", "CCEL"])
def test_zero_is_no_address(signature: str) -> None:
    for kind, _, body in FORGED:
        if kind == signature:
            assert not ids(table(signature, body(0))) & {GAS, POINTER, WINDOW}


@pytest.mark.parametrize("signature", ["PCCT", "BERT", "SVKL", "IVRS"])
def test_zero_is_an_address_of_memory_that_is_shared(signature: str) -> None:
    found = [
        ids(table(signature, body(0))) for kind, expected, body in FORGED if kind == signature and expected == {POINTER}
    ]
    assert found == [{POINTER}]


def test_the_rows_of_the_vectors(vectors: Path) -> None:
    folder = vectors / "acpi/hostile-static"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if not row["file"].startswith("mal-")]
    assert len(rows) == 4
    for row in rows:
        wanted = set() if row["expected_finding"] == "(none)" else {row["expected_finding"]}
        for known in (True, False):
            assert ids(AcpiTable.parse((folder / row["file"]).read_bytes()), known_map=known) == wanted, row


@pytest.mark.parametrize("name", ["q35-2c-2g", "pc-2c-1g", "microvm-acpi", "q35-vmgenid-tpm", "q35-default-4c-4g"])
def test_tables_of_qemu_have_no_finding(vectors: Path, name: str) -> None:
    assert not ids(*split((vectors / "acpi/fwcfg-qemu7.2" / name / "etc_acpi_tables.bin").read_bytes()))


def test_tables_of_real_machines_contradict_nothing(vectors: Path) -> None:
    """With memory that ends below what their firmware keeps, no address of theirs is in it."""
    for folder in sorted((vectors / "acpi/dumps").iterdir()):
        tables = [AcpiTable.parse(path.read_bytes()) for path in sorted(folder.glob("*.aml"))]
        assert not inspect_static(tables, ram=[Range(0x100000, 0x30000000)], known_map=False), folder.name


@pytest.mark.parametrize(
    ("address", "width", "expected"),
    [
        (0xCF9, 8, set()),
        (0xCF8, 32, {"IO_PCI_MECH1"}),
        (0xCFC, 8, {"IO_PCI_MECH1"}),
        (0x514, 32, {"IO_FWCFG_DMA"}),
        (0x50F, 16, {"IO_FWCFG_DMA"}),
        (0x10000, 8, {"STATIC_INCONSISTENT"}),
        (0x600, 16, set()),
    ],
)
def test_ports_that_reach_further_are_found(address: int, width: int, expected: set[str]) -> None:
    where = struct.pack("<BBBBQ", 1, width, 0, 1, address)
    assert ids(table("FACP", fadt(_116=where))) == expected


def port(number: int) -> bytes:
    return struct.pack("<I", number)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({"_64": port(0xCF8), "_89": b"\x04"}, {"IO_PCI_MECH1"}),
        ({"_48": port(0x518)}, {"IO_FWCFG_DMA"}),
        ({"_80": port(0x4F8), "_92": b"\x40"}, {"IO_FWCFG_DMA"}),
        ({"_220": struct.pack("<BBBBQ", 1, 8, 0, 1, 0xCF0), "_92": b"\x20"}, {"IO_PCI_MECH1"}),
        ({"_56": port(0x12345678)}, {"STATIC_INCONSISTENT"}),
        ({"_116": register(0x1F00000044, space=2)}, {"PCI_CONFIG_WRITE"}),
        ({"_140": struct.pack("<Q", 0xFED00000)}, {"STATIC_INCONSISTENT"}),
        ({"_56": port(0x600), "_64": port(0x604), "_76": port(0x608), "_80": port(0x620), "_92": b"\x10"}, set()),
    ],
)
def test_what_a_fadt_says_of_ports_and_tables(places: dict[str, bytes], expected: set[str]) -> None:
    assert ids(table("FACP", fadt(**places))) == expected


def node(parent: int, *resources: int) -> bytes:
    body = struct.pack("<BBHIIII", 0, 20 + 4 * len(resources), 0, 0, parent, 0, len(resources))
    return body + b"".join(struct.pack("<I", each) for each in resources)


CACHE = struct.pack("<BBHIII8s", 1, 24, 0, 0, 0, 0, bytes(8))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (node(0) + node(36), set()),
        (CACHE + node(0, 36) + node(60), set()),
        (node(36), {"STATIC_INCONSISTENT"}),
        (node(56) + node(36), {"STATIC_INCONSISTENT"}),
        (node(0, 0x4000), {"STATIC_INCONSISTENT"}),
        (node(0)[:-4], {"MALFORMED_TRUNCATED"}),
    ],
)
def test_references_between_processors(body: bytes, expected: set[str]) -> None:
    assert ids(table("PPTT", body)) == expected


def test_a_global_lock_that_is_held() -> None:
    def facs(lock: int) -> AcpiTable:
        raw = struct.pack("<4sIIIIIQB31s", b"FACS", 64, 0, 0, lock, 0, 0, 2, bytes(31))
        return AcpiTable.parse(raw)

    assert ids(facs(0)) == set()
    assert ids(facs(2)) == {"STATIC_INCONSISTENT"}


def test_reserved_memory_that_ends_before_it_begins() -> None:
    body = bytes(12) + struct.pack("<HHHHQQ", 1, 24, 0, 0, OUT + 0x1000, OUT)
    assert ids(table("DMAR", body)) == {"STATIC_INCONSISTENT"}


def test_a_space_that_does_not_exist() -> None:
    assert ids(table("FACP", fadt(_116=register(OUT, space=0x55)))) == {"STATIC_INCONSISTENT"}


def test_a_register_in_the_interrupt_controller() -> None:
    body = struct.pack("<IIIBBBB", 12, 0, 1, 0, 3, 0, 0) + register(0xFEE00300) + bytes(16)
    assert ids(table("ERST", body)) == {"STATIC_INCONSISTENT"}


def test_an_area_at_the_end_of_the_address_space() -> None:
    assert ids(table("BERT", struct.pack("<IQ", 4096, (1 << 64) - 8))) == {"STATIC_INCONSISTENT"}


@pytest.mark.parametrize(
    ("signature", "body", "expected"),
    [
        ("APIC", bytes(4), "MALFORMED_TRUNCATED"),
        ("APIC", bytes(8) + b"\0\0", "MALFORMED_LENGTH"),
        ("APIC", bytes(8) + b"\0\x20" + bytes(6), "MALFORMED_TRUNCATED"),
        ("APIC", bytes(8) + b"\0\x04\0\0", "MALFORMED_TRUNCATED"),
        ("SLIT", struct.pack("<Q", 1 << 40), "MALFORMED_LENGTH"),
        ("HEST", struct.pack("<I", 1) + b"\x77\0", "MALFORMED_LENGTH"),
        ("ERST", struct.pack("<III", 12, 0, 1 << 30), "MALFORMED_TRUNCATED"),
        ("DBG2", struct.pack("<II", 44, 1 << 31), "MALFORMED_LENGTH"),
    ],
)
def test_tables_that_break_off(signature: str, body: bytes, expected: str) -> None:
    assert ids(table(signature, body)) == {expected}


def test_what_is_before_the_break_is_judged() -> None:
    body = bytes(8) + struct.pack("<BBHIQ", 16, 16, 0, 0, IN) + b"\0\0"
    assert ids(table("APIC", body)) == {POINTER, "MALFORMED_LENGTH"}


def test_what_is_not_known_is_named() -> None:
    madt = table("APIC", bytes(8) + b"\x66\x04\0\0")
    assert not_judged([table("OEM1", b"x"), madt, table("DSDT", b"")]) == ["OEM1", "APIC+0x2c type 0x66"]
