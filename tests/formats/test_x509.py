"""Certificates, revocation lists and PEM: parsed as another library parses them, refused when hostile."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509 as reference
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tests.forge import NOW, ark, ask, crl, leaf
from warily.errors import FormatError
from warily.formats import pem
from warily.formats.x509 import Certificate, RevocationList, common_name


def assert_agrees(der: bytes) -> None:
    """Our parser and `cryptography` read the same certificate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # serial 0, which is why there is a parser here
        theirs = reference.load_der_x509_certificate(der)
        serial = theirs.serial_number
    ours = Certificate.decode(der)
    assert ours.raw == der
    assert ours.tbs == theirs.tbs_certificate_bytes
    assert ours.signature == theirs.signature
    assert ours.serial == serial
    assert ours.issuer == theirs.issuer.public_bytes()
    assert ours.subject == theirs.subject.public_bytes()
    assert (ours.not_before, ours.not_after) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
    spki = theirs.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert ours.public_key == spki
    assert list(ours.extensions) == [extension.oid.dotted_string for extension in theirs.extensions]
    assert ours.name == theirs.subject.get_attributes_for_oid(reference.NameOID.COMMON_NAME)[0].value


@pytest.mark.parametrize("make", [leaf, ask, ark])
def test_forged_certificates_are_read_alike(make: Callable[[], bytes]) -> None:
    assert_agrees(make())


def test_every_genuine_certificate_is_read_alike(vectors: Path) -> None:
    folder = vectors / "evidence" / "snp"
    ders = [path.read_bytes() for path in sorted(folder.glob("*/*.der"))]
    for path in sorted(folder.glob("*/*.pem")):
        ders += [block.der for block in pem.decode_blocks(path.read_bytes())]
    assert len(ders) > 15
    for der in ders:
        assert_agrees(der)


def test_revocation_lists_are_read_alike() -> None:
    der = crl(1, 0x10001, 1 << 127)
    theirs = reference.load_der_x509_crl(der)
    ours = RevocationList.decode(der)
    assert ours.serials == {1, 0x10001, 1 << 127}
    assert ours.tbs == theirs.tbs_certlist_bytes
    assert ours.signature == theirs.signature
    assert (ours.this_update, ours.next_update) == (theirs.last_update_utc, theirs.next_update_utc)
    assert ours.issuer == theirs.issuer.public_bytes()
    assert ours.name == "ARK-Milan"
    assert ours.this_update < NOW
    assert RevocationList.decode(crl()).serials == frozenset()


@pytest.mark.parametrize("decode", [Certificate.decode, RevocationList.decode, common_name, pem.decode_blocks])
@given(data=st.binary(max_size=256))
def test_arbitrary_bytes_raise_nothing_else(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except FormatError:
        return


@given(st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 255)), min_size=1, max_size=3), st.booleans())
def test_changed_certificates_raise_nothing_else(changes: list[tuple[int, int]], listed: bool) -> None:  # noqa: FBT001  # drawn
    genuine = CRL if listed else leaf()
    changed = bytearray(genuine)
    for at, value in changes:
        changed[at % len(changed)] = value
    try:
        found = (RevocationList if listed else Certificate).decode(bytes(changed))
    except FormatError:
        return
    assert found.raw == bytes(changed)


CRL = crl(1, 2, 3)


@pytest.mark.parametrize(
    "der",
    [
        leaf() + b"\x00",
        leaf()[:-1],
        b"\x30\x80" + leaf()[4:] + b"\x00\x00",
        b"\x30\x84\x00" + (len(leaf()) - 4).to_bytes(3, "big") + leaf()[4:],
        leaf().ljust((16 << 10) + 1, b"\x00"),
        b"\x30\x03\x30\x85\x01",
    ],
)
def test_trailing_truncated_indefinite_padded_and_huge_are_refused(der: bytes) -> None:
    with pytest.raises(FormatError):
        Certificate.decode(der)


def test_lengths_are_minimal_and_times_are_real() -> None:
    good = leaf()
    at = good.index(b"\x17\x0d")
    for text in (b"991332000000Z", b"26021401043+Z", b"2602140104330"):
        with pytest.raises(FormatError, match="time"):
            Certificate.decode(good[: at + 2] + text + good[at + 15 :])


def test_pem_round_trip_with_commentary() -> None:
    blocks = (pem.Block(label=pem.CERTIFICATE, der=leaf()), pem.Block(label=pem.CRL, der=CRL))
    text = "Subject: commentary\n" + "\nmore\n".join(pem.encode_block(block) for block in blocks)
    assert pem.decode_blocks(text.encode()) == blocks
    assert pem.decode_blocks(text.replace("\n", "\r\n").encode()) == blocks


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        b"-----BEGIN CERTIFICATE-----\nAA*A\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n",
        b"-----BEGIN \xff-----\nAAAA\n-----END \xff-----\n",
        b"-----BEGIN A-----\n-----END A-----\n" * 257,
        b"x" * (pem.LIMIT + 1),
    ],
)
def test_broken_pem_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        pem.decode_blocks(text)
