"""The certificate table: what is encoded comes back, and hostile offsets do not get far."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import snp_certs
from warily.formats.snp_certs import decode_table, encode_table

ENTRIES = [(snp_certs.VCEK, b"leaf"), (snp_certs.ASK, b"authority"), (snp_certs.ARK, b"r")]


@given(st.dictionaries(st.uuids().filter(lambda guid: guid.int), st.binary(min_size=1, max_size=64), max_size=8))
def test_what_is_encoded_comes_back(content: dict[object, bytes]) -> None:
    entries = [(str(guid), blob) for guid, blob in content.items()]
    assert decode_table(encode_table(entries)) == entries


@given(st.lists(st.tuples(st.integers(0, 109), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_tables_are_refused_or_stay_inside(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(encode_table(ENTRIES))
    for at, value in changes:
        changed[at % len(changed)] = value
    try:
        entries = decode_table(bytes(changed))
    except FormatError:
        return
    assert sum(len(blob) for _, blob in entries) <= len(changed)


@given(st.binary(max_size=512))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        decode_table(data)
    except FormatError:
        return


def test_the_guid_is_stored_as_it_is_printed() -> None:
    assert encode_table(ENTRIES)[:16].hex() == snp_certs.VCEK.replace("-", "")


def test_nothing_is_an_empty_table_and_so_are_zero_pages() -> None:
    assert encode_table([]) == b""
    assert decode_table(b"") == decode_table(bytes(4096)) == []


def test_padding_is_allowed_and_anything_else_is_not() -> None:
    table = encode_table(ENTRIES)
    assert decode_table(table.ljust(4096, b"\x00")) == ENTRIES
    with pytest.raises(FormatError, match="unexpected"):
        decode_table(table + b"\x01")


def entry(guid: bytes, offset: int, length: int) -> bytes:
    return guid + offset.to_bytes(4, "little") + length.to_bytes(4, "little")


A, B, END = b"\x0a" * 16, b"\x0b" * 16, bytes(24)


@pytest.mark.parametrize(
    "table",
    [
        entry(A, 0, 4) + END + b"abcd",
        entry(A, 48, 5) + END + b"abcd",
        entry(A, 0xFFFFFFFF, 4) + END + b"abcd",
        entry(A, 48, 0xFFFFFFFF) + END + b"abcd",
        entry(A, 48, 0) + END + b"abcd",
        entry(A, 49, 3) + END + b"abcd",
        entry(A, 72, 3) + entry(B, 74, 2) + END + b"abcd",
        entry(A, 72, 2) + entry(A, 74, 2) + END + b"abcd",
        entry(A, 24, 4),
        entry(A, 24, 4)[:20],
        b"".join(entry(bytes([n]) * 16, 0, 0) for n in range(1, 40)),
        bytes(snp_certs.LIMIT + 1),
    ],
)
def test_hostile_tables_are_refused(table: bytes) -> None:
    with pytest.raises(FormatError):
        decode_table(table)


def test_blobs_may_lie_in_another_order_than_the_list() -> None:
    table = entry(A, 74, 2) + entry(B, 72, 2) + END + b"abcd"
    assert [blob for _, blob in decode_table(table)] == [b"cd", b"ab"]


@pytest.mark.parametrize("entries", [[("no guid", b"x")], [(snp_certs.ARK, b"")], [ENTRIES[0], ENTRIES[0]]])
def test_what_cannot_be_decoded_is_not_encoded(entries: list[tuple[str, bytes]]) -> None:
    with pytest.raises(FormatError):
        encode_table(entries)
