"""Intel quotes: exact round trips, versions, types, lengths that lie."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forge_tdx import ENCLAVE, QE, TD, TD15, Forged
from warily.errors import FormatError
from warily.formats.sgx_report import SgxReport
from warily.formats.tdx_quote import LIMIT, Body, Quote, TdReport15Extended

EXTENDED = TdReport15Extended.unpack(TD15.pack() + bytes(range(237)))
QUOTES = {
    "v3 SGX": Forged(version=3, body=ENCLAVE),
    "v4 SGX": Forged(version=4, body=ENCLAVE),
    "v4 TD": Forged(version=4, body=TD),
    "v5 SGX": Forged(body=ENCLAVE),
    "v5 TD 1.0": Forged(body=TD),
    "v5 TD 1.5": Forged(trailing=b"\x00" * 70),
    "v5 TD 1.5 extended": Forged(body=EXTENDED),
}
RAW = {name: case.quote.encode() for name, case in QUOTES.items()}
FIFTH = RAW["v5 TD 1.5"]


@pytest.mark.parametrize("name", QUOTES)
def test_round_trip(name: str) -> None:
    quote = Quote.decode(RAW[name])
    assert quote == Quote.decode(quote.encode())
    assert quote.encode() == RAW[name]
    assert quote.body == QUOTES[name].body
    assert quote.report_data == b"\x55" * 64


@given(
    st.sampled_from(list(RAW)), st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), min_size=1, max_size=6)
)
@settings(deadline=None)
def test_changed_quotes_are_refused_or_round_trip(name: str, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(RAW[name])
    for at, value in changes:
        changed[at % len(changed)] = value
    try:
        quote = Quote.decode(bytes(changed))
    except FormatError:
        return
    assert quote.encode() == bytes(changed)


@given(st.binary(max_size=2048))
@settings(deadline=None)
def test_arbitrary_bytes_are_refused_or_round_trip(data: bytes) -> None:
    try:
        assert Quote.decode(data).encode() == data
    except FormatError:
        return


@given(st.sampled_from(list(RAW)), st.integers(0, 6000))
@settings(deadline=None)
def test_a_quote_cut_short_is_refused(name: str, length: int) -> None:
    whole = len(RAW[name]) - len(QUOTES[name].trailing)
    with pytest.raises(FormatError):
        Quote.decode(RAW[name][: length % whole])


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (0, b"\x02\x00", "version 2"),
        (0, b"\x06\x00", "version 6"),
        (0, b"\x03\x00", "TEE type 0x81 in version 3"),
        (2, b"\x03\x00", "attestation key type 3"),
        (4, b"\x82\x00\x00\x00", "TEE type 0x82"),
        (4, b"\x00\x00\x00\x00", "body of type 3"),
        (48, b"\x00\x00", "body of type 0"),
        (48, b"\x02\x00", "body of type 2"),
        (48, b"\x05\x00", "body of type 5"),
        (50, b"\x48\x02", "584 bytes"),
        (702, b"\xff\xff\xff\xff", "over the limit"),
        (706 + 128, b"\x05\x00", "outer certification data of type 5"),
        (706 + 134 + 448 + 34, b"\x06\x00", "certification data of type 6"),
        (706 + 134 + 448, b"\xff\xff", "QE authentication data"),
    ],
)
def test_what_is_wrong_is_said(at: int, value: bytes, says: str) -> None:
    changed = FIFTH[:at] + value + FIFTH[at + len(value) :]
    with pytest.raises(FormatError, match=says):
        Quote.decode(changed)


def test_what_follows_inside_the_signature_data_is_refused() -> None:
    quote = Quote.decode(RAW["v4 TD"])
    size = len(quote.encode()) - len(quote.signed) - 4
    longer = quote.signed + (size + 1).to_bytes(4, "little") + quote.encode()[len(quote.signed) + 4 :] + b"\x00"
    with pytest.raises(FormatError, match="unexpected"):
        Quote.decode(longer)


def test_size_is_capped_first() -> None:
    with pytest.raises(FormatError, match="over the limit"):
        Quote.decode(FIFTH.ljust(LIMIT + 1, b"\x00"))
    assert Quote.decode(FIFTH.ljust(LIMIT, b"\x00")).trailing == bytes(LIMIT - len(FIFTH) + 70)


@pytest.mark.parametrize(
    ("body", "td", "td15"), [(ENCLAVE, False, False), (TD, True, False), (TD15, True, True), (EXTENDED, True, True)]
)
def test_bodies_by_what_they_have(body: Body, td: bool, td15: bool) -> None:  # noqa: FBT001  # a table
    quote = Forged(body=body).quote
    assert ((quote.td is not None), (quote.td15 is not None)) == (td, td15)
    assert (quote.enclave is None) is td


def test_reports_of_enclaves() -> None:
    assert SgxReport.unpack(QE.pack()) == QE
    assert QE.attributes == bytes.fromhex("1500000000000000e700000000000000")
    with pytest.raises(FormatError, match="reserved"):
        SgxReport.unpack(bytes(20) + b"\x01" + bytes(363))
    assert replace(QE, configsvn=9).pack() != QE.pack()


def test_genuine_fields(vectors: object) -> None:
    from pathlib import Path

    assert isinstance(vectors, Path)
    raw = (vectors / "evidence/tdx/sgx_v3_dcap-qvl/sgx_quote").read_bytes()
    quote = Quote.decode(raw)
    assert quote.encode() == raw
    assert (quote.header.version, quote.header.qe_svn, quote.header.pce_svn) == (3, 10, 15)
    assert quote.enclave is not None
    assert quote.enclave.mrenclave.hex().startswith("33d8736db756ed49")
