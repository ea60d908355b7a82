"""AML decoded: names and methods as iasl sees them, bounds, and bytes that are no AML."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.acpi_tables import table
from tests.aml_names import disassembled, named
from warily.formats.acpi_table import AcpiTable
from warily.formats.aml import Operand, Term, decode

SAMPLE = (
    "qemu-10.0.13/x86/q35/DSDT.aml",
    "qemu-10.0.13/x86/pc/DSDT.dimmpxm.aml",
    "qemu-10.0.13/x86/pc/SSDT.dimmpxm.aml",
    "dumps/Server_Supermicro_H8_H8DGU_57ED146F2C3C_bin/DSDT.aml",
    "dumps/Notebook_ASUSTek_Computer_G752_G752VL_FC552E246162_bin/SSDT6.aml",
)


def _is_as_iasl_says(file: Path, folder: Path) -> None:
    wanted = disassembled(file, folder)
    decoded = decode([AcpiTable.parse(file.read_bytes())]).tables[0]
    assert decoded.error is None
    assert Counter(named(decoded.terms)) == Counter(wanted), file


@pytest.mark.parametrize("name", SAMPLE)
def test_names_and_methods_are_those_of_iasl(name: str, vectors: Path, tmp_path: Path) -> None:
    _is_as_iasl_says(vectors / "acpi" / name, tmp_path)


@pytest.mark.vm
def test_names_and_methods_of_every_table_are_those_of_iasl(vectors: Path, tmp_path: Path) -> None:
    folder = vectors / "acpi"
    for file in sorted([*folder.glob("qemu*/x86/*/[DS]SDT*.aml"), *folder.glob("dumps/*/[DS]SDT*.aml")]):
        _is_as_iasl_says(file, tmp_path)


def _count(terms: tuple[Operand, ...]) -> Counter[str]:
    found: Counter[str] = Counter()
    waiting = list(terms)
    while waiting:
        each = waiting.pop()
        if isinstance(each, Term):
            found[each.op.name] += 1
            waiting += [*each.args, *each.body]
    return found


def test_every_table_of_the_vectors_decodes_with_the_counts_of_its_row(vectors: Path) -> None:
    rows = [line.split("\t") for line in (vectors / "acpi/MANIFEST.tsv").read_text().splitlines()[1:]]
    checked = 0
    for row in rows[::6]:
        if '"iasl_ok":true' not in row[-1]:
            continue
        facts, _ = json.JSONDecoder().raw_decode(row[-1])
        decoded = decode([AcpiTable.parse((vectors / "acpi" / row[0]).read_bytes())]).tables[0]
        assert decoded.error is None, row[0]
        count = _count(decoded.terms)
        assert (count["Method"], count["Device"]) == (facts["methods"], facts["devices"]), row[0]
        checked += 1
    assert checked > 25


def test_a_method_defined_later_takes_its_operands() -> None:
    # Method (_INI) { LATE (1, 2) }  Method (LATE, 2) {}
    body = b"\x14\x0d_INI\x00LATE\x01\x0a\x02" + b"\x14\x06LATE\x02"
    call = decode([table("SSDT", body)]).tables[0].terms[0]
    assert isinstance(call, Term)
    (inner,) = call.body
    assert isinstance(inner, Term)
    assert inner.op.name == "Call"
    assert inner.args[1:] == (1, 2)
    assert inner.offset == 36 + 7


def test_a_branch_that_could_land_within_a_term_is_an_error() -> None:
    # If (One) with room for two bytes, and in it a Buffer of five.
    decoded = decode([table("SSDT", b"\xa0\x03\x01\x11\x05\x0a\x02\x01\x02")]).tables[0]
    assert decoded.error is not None
    assert decoded.error.fault == "PKGLENGTH"


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_decode_or_say_why_not(body: bytes) -> None:
    decoded = decode([table("DSDT", body)]).tables[0]
    assert decoded.error is None or 36 <= decoded.error.offset <= 36 + len(body)
