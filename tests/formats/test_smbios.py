"""SMBIOS structures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.smbios_tables import END, SYSTEM, structure
from warily.errors import FormatError
from warily.formats.smbios import LIMIT, SmbiosTables


def test_structures_with_and_without_strings() -> None:
    data = SYSTEM + structure(32, 0x2000, bytes(7)) + END
    found = SmbiosTables.decode(data)
    assert [(each.header.type, each.header.handle) for each in found.structures] == [(1, 0x100), (32, 0x2000)]
    assert found.structures[0].strings == (b"QEMU", b"PC", b"pc-q35-7.2", b"S123")
    assert found.structures[1].strings == ()
    assert (found.end.header.type, found.encode()) == (127, data)


_TEXTS = st.lists(st.binary(min_size=1, max_size=6).filter(lambda text: 0 not in text), max_size=3)
_STRUCTURES = st.builds(
    lambda kind, handle, fields, texts: structure(kind, handle, fields, *texts),
    st.integers(0, 126),
    st.integers(0, 0xFFFF),
    st.binary(max_size=8),
    _TEXTS,
)


@given(st.lists(_STRUCTURES, max_size=4), st.binary(max_size=12), st.integers(0, 60))
def test_arbitrary_tables(made: list[bytes], noise: bytes, cut: int) -> None:
    whole = b"".join(made) + END
    assert SmbiosTables.decode(whole).encode() == whole
    for data in (whole[:cut], whole[:cut] + noise, whole[:cut] + noise + whole[cut:], noise):
        try:
            assert SmbiosTables.decode(data).encode() == data
        except FormatError:
            continue


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no structure of type 127"),
        (SYSTEM, "no structure of type 127"),
        (SYSTEM[:-1], "does not fit"),
        (b"\x01\x03\0\0\0\0" + END, "does not fit"),
        (END + b"\0", "1 unexpected bytes"),
        (b"\x01\x04\0\0\0x\0\0" + END, "empty string"),
        (bytes(LIMIT + 1), "over the limit"),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        SmbiosTables.decode(data)
