"""The text of acpidump, and QEMU's memory map."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import acpidump, e820


def dumped(name: str, data: bytes) -> bytes:
    rows = (
        f"    {at:04X}: {' '.join(f'{byte:02X}' for byte in data[at : at + 16])}  {'.' * len(data[at : at + 16])}"
        for at in range(0, len(data), 16)
    )
    return "\n".join([f"{name} @ 0x0000000000000000", *rows, "", ""]).encode()


@given(st.binary(min_size=1, max_size=70), st.binary(min_size=1, max_size=40))
def test_tables_come_back(one: bytes, two: bytes) -> None:
    text = dumped("DSDT", one) + dumped("SSDT", two)
    assert acpidump.is_acpidump(text)
    assert list(acpidump.tables(text)) == [("DSDT", one), ("SSDT", two)]


@pytest.mark.parametrize("text", [b"    0000: 00 01\n", b"DSDT @ 0x0\nnonsense\n"])
def test_text_without_order_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError, match="line"):
        list(acpidump.tables(text))


@given(st.binary(max_size=100))
def test_arbitrary_maps_are_refused_or_kept(data: bytes) -> None:
    try:
        read = e820.entries(data)
    except FormatError:
        return
    assert b"".join(each.pack() for each in read) == data
