"""Pins: written and read back; what differs is named by table and offsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acpi_tables import table
from warily.errors import FormatError
from warily.formats.acpi_pin import CHECKSUM, AcpiPin, PinnedBlob, PinnedTable, zero


def pinned(signature: str, body: bytes, *zeroed: tuple[int, int]) -> PinnedTable:
    places = (CHECKSUM, *zeroed)
    return PinnedTable(
        signature=signature,
        zeroed=places,
        content=zero(table(signature, body).raw, places),
        sha256="0" * 64,
        sha384="0" * 96,
    )


PIN = AcpiPin(
    qemu="7.2.22",
    arguments=("-machine", "q35"),
    blobs=(PinnedBlob(name="etc/acpi/rsdp", size=20, sha256="1" * 64, sha384="2" * 96),),
    tables=(pinned("DSDT", b"code"), pinned("SSDT", b"one"), pinned("SSDT", b"two", (36, 38))),
)


def said(*tables: tuple[str, bytes]) -> list[str]:
    return [str(each) for each in PIN.differences([table(*each) for each in tables])]


def test_the_same_tables_in_any_order() -> None:
    assert not said(("SSDT", b"xxo"), ("SSDT", b"one"), ("XSDT", b""), ("DSDT", b"code"))


@pytest.mark.parametrize(
    ("tables", "found"),
    [
        ([("DSDT", b"cOdE"), ("SSDT", b"one"), ("SSDT", b"two")], ["DSDT differs at 0x25-0x26, 0x27-0x28"]),
        ([("DSDT", b"code"), ("SSDT", b"two")], ["SSDT is in the pin and not there"]),
        (
            [("DSDT", b"code"), ("SSDT", b"one"), ("SSDT", b"two"), ("PSDT", b"")],
            ["PSDT TESTTEST is not in the pin"],
        ),
        ([("DSDT", b"code!"), ("SSDT", b"one"), ("SSDT", b"two")], ["DSDT differs at 0x4-0x5, 0x28-0x29"]),
        ([], ["DSDT is in the pin and not there", *["SSDT is in the pin and not there"] * 2]),
    ],
)
def test_what_differs_is_named(tables: list[tuple[str, bytes]], found: list[str]) -> None:
    assert said(*tables) == found


def test_written_and_read_back() -> None:
    assert AcpiPin.parse(PIN.encode()) == PIN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"warily-acpi-pin/1", b"warily-acpi-pin/2"),
        (b'"qemu"', b'"quemu"'),
        (b'"zeroed": [', b'"zeroed": [[9, 9],'),
        (b'"zeroed": [', b'"zeroed": [["a", 9],'),
        (b'"zeroed": [', b'"zeroed": [[0, 4],'),
        (b'"content": "', b'"content": "!'),
        (b'"signature": "DSDT"', b'"signature": "DSDTX"'),
    ],
)
def test_malformed_pins_are_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(FormatError):
        AcpiPin.parse(PIN.encode().replace(old, new, 1))


@given(st.binary(max_size=64), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=4))
def test_zeroing_keeps_the_length_and_everything_else(raw: bytes, ranges: list[tuple[int, int]]) -> None:
    done = zero(raw, ranges)
    assert len(done) == len(raw)
    for at, byte in enumerate(done):
        covered = any(start <= at < end for start, end in ranges)
        assert byte == (0 if covered else raw[at])
