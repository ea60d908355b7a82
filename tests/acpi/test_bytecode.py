"""Bytecode against its expected findings: the vectors, tables written for this, QEMU's own, and arbitrary bytes."""

import csv
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.acpi_tables import table
from warily.acpi.bytecode import inspect_bytecode
from warily.acpi.bytecode.meanings import MEANINGS
from warily.acpi.finding import AcpiFinding
from warily.core.ranges import Range
from warily.formats.acpi_table import AcpiTable, split

MEMORY = (Range(0, 0x80000000), Range(0x100000000, 0x180000000))
VARIANTS = [Path(__file__).with_name(name) for name in ("variants.asl", "disguises.asl")]

POKE = r"OperationRegion(POKR,SystemMemory,\1,0x10) Field(POKR,DWordAcc,NoLock,Preserve){POKF,32} POKF=1"


def inspect(*tables: AcpiTable) -> list[AcpiFinding]:
    found = inspect_bytecode(tables, ram=MEMORY)
    assert {each.id for each in found} <= MEANINGS.keys()
    return found


def given_table(path: Path) -> AcpiTable:
    return AcpiTable.parse(path.read_bytes())


def test_every_hostile_vector_has_its_findings_and_harmless_ones_none(vectors: Path) -> None:
    folder = vectors / "acpi/badaml"
    for row in csv.DictReader((folder / "MANIFEST.tsv").read_text().splitlines(), delimiter="\t"):
        found = inspect(given_table(folder / row["file"]))
        wanted = [] if row["expected_finding"] == "(none)" else row["expected_finding"].split(",")
        assert set(wanted) <= {each.id for each in found}, row["file"]
        assert bool(wanted) == bool(found), row["file"]
        if wanted:
            assert any(row["runs"] in each.reach for each in found if each.id == wanted[0]), row["file"]


def test_malformed_code_is_named_for_what_is_wrong(vectors: Path) -> None:
    folder = vectors / "acpi/hostile-static"
    for name, identifier in (("mal-trunc", "TRUNCATED"), ("mal-bytes", "OPCODE"), ("mal-pkglen", "PKGLENGTH")):
        raw = (folder / f"{name}.aml").read_bytes()
        found = inspect(AcpiTable.parse(raw[: int.from_bytes(raw[4:8], "little")]))
        assert [each.id for each in found] == [f"MALFORMED_{identifier}"]
        assert found[0].is_malformed


def test_tables_of_qemu_have_no_finding(vectors: Path) -> None:
    files = sorted((vectors / "acpi/qemu-10.0.13/x86").glob("*/[DS]SDT*.aml"))
    assert len(files) > 40
    for file in files[::3]:
        if "SSDT.dimmpxm" not in file.name:
            assert inspect(given_table(file)) == [], file


def test_whole_sets_of_qemu_have_no_finding(vectors: Path) -> None:
    for blob in sorted((vectors / "acpi").glob("fwcfg-*/*/etc_acpi_tables.bin")):
        assert inspect(*split(blob.read_bytes())) == [], blob


def test_an_nvdimm_says_that_it_uses_memory(vectors: Path) -> None:
    found = inspect(given_table(vectors / "acpi/qemu-10.0.13/x86/q35/SSDT.dimmpxm.aml"))
    assert {each.id for each in found} >= {"MEM_RAM_READ", "MEM_RAM_WRITE"}


def test_a_table_of_data_has_no_finding(vectors: Path) -> None:
    assert inspect(given_table(vectors / "acpi/trusted-dsdt/confos-dsdt.aml")) == []


def _variants() -> dict[str, tuple[str, str, str, str]]:
    found = {}
    for part in [part for file in VARIANTS for part in re.split(r"^//= ", file.read_text(), flags=re.MULTILINE)[1:]]:
        head, body = part.split("\n", 1)
        name, identifier, reach, *signature = head.split()
        found[name] = identifier, reach, "".join(signature) or "SSDT", re.sub(r"POKE\{([^{}]*)\}", POKE, body)
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AcpiTable]:
    """Every variant, compiled by iasl."""
    if shutil.which("iasl") is None:
        pytest.skip("iasl is not installed")
    folder = tmp_path_factory.mktemp("variants")
    for name, (_, _, _, body) in _variants().items():
        block = f'DefinitionBlock ("", "SSDT", 2, "WARILY", "VARIANT", 1) {{\n{body}\n}}'
        (folder / f"{name}.asl").write_text(block)
    found = {}
    for name, (_, _, signature, _) in _variants().items():
        subprocess.run(["iasl", "-ve", "-f", "-oa", f"{name}.asl"], cwd=folder, check=True, capture_output=True)
        raw = (folder / f"{name}.aml").read_bytes()
        found[name] = AcpiTable.parse(signature.encode() + raw[4:])
    return found


@pytest.mark.parametrize("name", list(_variants()))
def test_a_variant_has_its_finding(name: str, compiled: dict[str, AcpiTable]) -> None:
    identifier, reach, _, _ = _variants()[name]
    found = inspect(compiled[name])
    if identifier == "-":
        assert found == []
    else:
        assert any(each.id == identifier and reach in each.reach for each in found), found


def test_findings_are_the_same_every_time(compiled: dict[str, AcpiTable]) -> None:
    for each in compiled.values():
        assert inspect(each) == inspect(each)


def package(op: bytes, body: bytes) -> bytes:
    """A package of up to 4 KiB or so, its length in two bytes."""
    length = len(body) + 2
    assert length < 1 << 12
    return op + bytes([0x40 | length & 15, length >> 4]) + body


def method(name: bytes, body: bytes, arity: int = 0) -> bytes:
    return package(b"\x14", name + bytes([arity]) + body)


def memory_write(address: int) -> bytes:
    region = b"\x5b\x80RGN0\x00\x0c" + struct.pack("<I", address) + b"\x0a\x10"
    return region + package(b"\x5b\x81", b"RGN0\x03FLD0\x20")


def test_a_method_of_another_table_is_called_with_its_arity() -> None:
    first = table("DSDT", method(b"_INI", b"POKE\x01\x0a\x02"), revision=2)
    second = table("SSDT", memory_write(0x1000000) + method(b"POKE", b"\x70\x68FLD0\x70\x69FLD0", 2), revision=2)
    found = inspect(second, first)
    assert {each.id for each in found} == {"MEM_RAM_WRITE"}
    assert all(each.reach == "auto:_INI" for each in found)


def test_integers_of_a_first_revision_dsdt_have_32_bits() -> None:
    body = b"\x5b\x80RGN0\x00\x0e" + struct.pack("<Q", 0xFFFFFFFF_01000000) + b"\x0a\x10"
    body += package(b"\x5b\x81", b"RGN0\x03FLD0\x20") + method(b"_INI", b"\x70\x01FLD0")
    assert [each.id for each in inspect(table("DSDT", body, revision=1))] == ["MEM_RAM_WRITE"]
    assert inspect(table("DSDT", body, revision=2)) == []
    both = inspect(table("DSDT", b"", revision=2), table("DSDT", body, revision=1))
    assert [each.id for each in both] == ["MEM_RAM_WRITE"]


def test_a_table_in_a_buffer_that_is_loaded_is_judged_too() -> None:
    inner = table("SSDT", memory_write(0x1000000) + method(b"_INI", b"\x70\x01FLD0"), revision=2)
    size = b"\x0b" + struct.pack("<H", inner.length)
    body = b"\x08TBUF" + package(b"\x11", size + inner.raw) + method(b"_STA", b"\x5b\x20TBUF\x60")
    found = {each.id for each in inspect(table("SSDT", body, revision=2))}
    assert found == {"LOAD", "MEM_RAM_WRITE"}


def test_a_table_that_loadtable_picks_is_judged_too() -> None:
    hidden = table("OEM1", memory_write(0x1000000) + method(b"_INI", b"\x70\x01FLD0"), revision=2)
    texts = b"\x0dOEM1\0\x0dWARILY\0\x0dTESTTEST\0\x0d\\\0\x0d\0\x00"
    found = inspect(table("SSDT", method(b"_INI", b"\x5b\x1f" + texts), revision=2), hidden)
    assert {each.id for each in found} == {"LOADTABLE", "MEM_RAM_WRITE"}


def test_mutual_recursion_ends() -> None:
    body = method(b"AAAA", b"\xa4BBBB\x72\x68\x01\x00", 1) + method(b"BBBB", b"\xa4AAAA\x72\x68\x01\x00", 1)
    assert [each.id for each in inspect(table("SSDT", body, revision=2))] == ["RECURSION"]


def test_a_method_that_copyobject_replaces_runs_as_what_it_became() -> None:
    body = memory_write(0x1000000) + method(b"EVIL", b"\x70\x01FLD0") + method(b"SAFE", b"\xa4\x01")
    body += method(b"_INI", b"\x5b\x12EVIL\x60\x9d\x83\x60SAFESAFE")
    found = {each.id for each in inspect(table("SSDT", body, revision=2))}
    assert {"SELF_MODIFY", "MEM_RAM_WRITE"} <= found


def _nested(count: int) -> bytes:
    body = b""
    for _ in range(150):
        body = package(b"\xa0", b"\x01" + body)
    return body * (count // 40)


def _large(op: bytes, body: bytes) -> bytes:
    """A package of any length, which stands in four bytes."""
    length = len(body) + 4
    return op + bytes([0xC0 | length & 15]) + (length >> 4).to_bytes(3, "little") + body


def _start(body: bytes) -> bytes:
    return _large(b"\x14", b"_INI\x00" + body)


def _adversarial(count: int) -> dict[str, bytes]:
    whole = b"\x08PACK\x13" + bytes([0xC0 | (count * 2 + 9) & 15]) + ((count * 2 + 9) >> 4).to_bytes(3, "little")
    return {
        "packages within one another": _nested(count),
        "long names": (b"\x08\\\x2f\xff" + b"".join(b"N%03X" % each for each in range(255)) + b"\x00") * (count // 60),
        "a huge package": whole + b"\x0c" + struct.pack("<I", count) + b"\x0a\x07" * count,
        "names that change one another": b"".join(b"\x08N%03X\x00" % each for each in range(count // 2))
        + b"".join(
            method(b"M%03X" % each, b"\x70\x72N%03X\x01\x00N%03X" % (each, each + 1)) for each in range(count // 2)
        ),
        "one name many times": method(b"MMMM", b"") * count + method(b"_INI", b"MMMM" * 900),
        "loads of one buffer": b"\x08TBUF"
        + package(b"\x11", b"\x0a\x24" + bytes(36))
        + _start(b"[\x20TBUF\x60" * count),
        "aliases of aliases": b"\x08N000\x00"
        + b"".join(b"\x06N%03XN%03X" % (each, each + 1) for each in range(count))
        + _start(b"".join(b"\x70N%03X\x60" % each for each in range(count))),
        "locks": b"".join(b"[\x01N%03X\x00" % each for each in range(count))
        + _start(b"".join(b"[\x23N%03X\xff\xff" % each for each in range(count))),
        "signals and waits": b"[\x02EVNT"
        + b"".join(method(b"M%03X" % each, b"[\x24EVNT[\x25EVNT\x0b\xff\xff") for each in range(count)),
        "blocks of no opcodes": package(b"\xa0", b"\x01\xfe\xfe") * count,
        "ways out of a loop": _start(_large(b"\xa2", b"\x01" + package(b"\xa0", b"\x60\xa5") * count + b"\x75\x60")),
        "loops that call": method(b"MMMM", b"") + _start(package(b"\xa2", b"\x60MMMM") * count),
        "chains of calls": b"".join(method(b"M%03X" % each, b"M%03X" % (each + 1)) for each in range(count)),
    }


@pytest.mark.parametrize("name", list(_adversarial(60)))
def test_time_grows_with_the_input_and_no_faster(name: str) -> None:
    taken = []
    for count in (500, 2000):
        made = table("SSDT", _adversarial(count)[name], revision=2)
        began = time.process_time()
        inspect(made)
        taken.append(time.process_time() - began)
    assert taken[1] < max(taken[0], 0.02) * 8


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_give_findings_and_no_error(body: bytes) -> None:
    inspect(table("SSDT", body, revision=2))


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from([bytes([each]) for each in range(256)] + [b"[\x80", b"[\x81", b"ABCD", b"\\"]), max_size=80
    )
)
def test_arbitrary_opcodes_give_findings_and_no_error(parts: list[bytes]) -> None:
    inspect(table("DSDT", method(b"_INI", b"".join(parts)), revision=2))
