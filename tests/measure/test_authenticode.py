"""The Authenticode digest: what counts in it, and what does not."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.uki_images import assemble, minimal_stub
from warily.errors import FormatError
from warily.measure.authenticode import authenticode

IMAGE = assemble(minimal_stub(), [(".text", b"code" * 200), (".data", b"data")])
OPTIONAL = 0x98
CHECKSUM = range(OPTIONAL + 64, OPTIONAL + 68)
CERTIFICATES = range(OPTIONAL + 112 + 32, OPTIONAL + 112 + 40)


def signed(image: bytes, certificate: bytes) -> bytes:
    at = CERTIFICATES.start
    entry = len(image).to_bytes(4, "little") + len(certificate).to_bytes(4, "little")
    return image[:at] + entry + image[at + 8 :] + certificate


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_all_bytes_count_but_checksum_and_certificates(algorithm: str) -> None:
    kept = bytes(byte for at, byte in enumerate(IMAGE) if at not in CHECKSUM and at not in CERTIFICATES)
    assert authenticode(IMAGE, algorithm) == hashlib.new(algorithm, kept).digest()


@given(st.binary(min_size=8, max_size=40), st.binary(min_size=4, max_size=4))
def test_signing_changes_nothing(certificate: bytes, checksum: bytes) -> None:
    image = IMAGE[: CHECKSUM.start] + checksum + IMAGE[CHECKSUM.stop :]
    assert authenticode(signed(image, certificate), "sha256") == authenticode(IMAGE, "sha256")


@given(st.integers(0, len(IMAGE) - 1), st.integers(1, 255))
def test_every_other_byte_counts(at: int, mask: int) -> None:
    if at in CHECKSUM or at in CERTIFICATES:
        return
    changed = IMAGE[:at] + bytes([IMAGE[at] ^ mask]) + IMAGE[at + 1 :]
    try:
        found = authenticode(changed, "sha256")
    except FormatError:
        return
    assert found != authenticode(IMAGE, "sha256")


def test_sections_count_in_the_order_of_their_bytes() -> None:
    table = OPTIONAL + 112 + 16 * 8
    swapped = IMAGE[:table] + IMAGE[table + 40 : table + 80] + IMAGE[table : table + 40] + IMAGE[table + 80 :]
    headers = (
        swapped[: CHECKSUM.start] + swapped[CHECKSUM.stop : CERTIFICATES.start] + swapped[CERTIFICATES.stop : 4096]
    )
    assert authenticode(swapped, "sha256") == hashlib.sha256(headers + IMAGE[4096:]).digest()


def test_what_follows_the_sections_counts() -> None:
    assert authenticode(IMAGE + b"tail", "sha256") != authenticode(IMAGE, "sha256")
