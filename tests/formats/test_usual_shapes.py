"""What most files look like is read in one go, and everything else piece by piece: both must say the same."""

from pathlib import Path

import pytest
from cryptography import x509 as library
from hypothesis import given
from hypothesis import strategies as st

from tests.forge_tdx import sgx_extensions
from warily.errors import FormatError
from warily.formats import pem
from warily.formats.intel_collateral import Bundle
from warily.formats.pck import PckExtensions
from warily.formats.x509 import RevocationList

TEXT = "".join(
    pem.encode_block(pem.Block(label=label, der=bytes(range(size))))
    for label, size in (("CERTIFICATE", 70), ("X509 CRL", 48), ("CERTIFICATE", 1))
).encode()
FIRST, ENTRY = sgx_extensions(svn=3), 18  # a component of the TCB has 18 bytes, where it is below 128


def blocks(text: bytes) -> tuple[pem.Block, ...] | None:
    try:
        return pem.decode_blocks(text)
    except FormatError:
        return None


@given(st.integers(0, len(TEXT) - 1), st.sampled_from([*b"\n -=+A", 0x80]), st.sampled_from([0, 1]))
def test_ends_of_lines_make_no_difference_to_pem(at: int, byte: int, replaced: int) -> None:
    changed = TEXT[:at] + bytes([byte]) + TEXT[at + replaced :]
    assert blocks(TEXT) == blocks(TEXT.replace(b"\n", b"\r\n"))
    assert blocks(changed) == blocks(changed.replace(b"\n", b"\r\n"))


def test_the_order_of_components_makes_no_difference() -> None:
    at = FIRST.index(bytes.fromhex("3010060b2a864886f84d010d01020102"))
    one, two = FIRST[at : at + ENTRY], FIRST[at + ENTRY : at + 2 * ENTRY]
    swapped = FIRST[:at] + two + one + FIRST[at + 2 * ENTRY :]
    assert swapped != FIRST
    assert PckExtensions.decode(swapped) == PckExtensions.decode(FIRST)


@pytest.mark.parametrize("svn", [0, 127, 128, 255])
def test_components_are_read_up_to_255(svn: int) -> None:
    assert PckExtensions.decode(sgx_extensions(svn=svn)).components[0] == svn


@pytest.mark.parametrize(
    "name", ["v4_dcap-qvl/tdx_quote_collateral.json", "v5_go-tdx-guest/collateral_90c06f_2026-02.json"]
)
def test_a_list_names_the_serial_numbers_that_a_library_finds_in_it(vectors: Path, name: str) -> None:
    found = Bundle.decode((vectors / "evidence/tdx" / name).read_bytes()).pck_crl
    assert found is not None
    serials = {entry.serial_number for entry in library.load_der_x509_crl(found)}
    assert len(serials) > 1
    assert RevocationList.decode(found).serials == serials
    entry = found.index(b"\x30\x33\x02\x14")
    longer = found[:entry] + b"\x30\x35\x02\x14" + found[entry + 4 :]  # an entry that reaches into the next one
    with pytest.raises(FormatError):
        RevocationList.decode(longer)
