"""COSE_Sign1: others' messages are read, ours are read by others, and what is signed is exact."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cwt import COSE, COSEKey
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import cbor
from warily.formats.cose_sign1 import ALGORITHM, ES384, CoseSign1

MESSAGE = CoseSign1(
    protected=cbor.encode({ALGORITHM: ES384}), unprotected={4: b"id"}, payload=b"payload", signature=bytes(96)
)


@pytest.mark.parametrize("tagged", [True, False])
def test_a_message_goes_round(*, tagged: bool) -> None:
    data = MESSAGE.encode(tagged=tagged)
    assert CoseSign1.decode(data, what="test") == MESSAGE
    assert (data[0] == 0xD2) is tagged


def test_the_algorithm_counts_only_where_it_is_protected() -> None:
    assert MESSAGE.algorithm == ES384
    bare = CoseSign1(protected=b"", unprotected={1: ES384}, payload=b"", signature=b"")
    assert bare.algorithm is None
    text = CoseSign1(protected=cbor.encode({1: "ES384"}), unprotected={}, payload=b"", signature=b"")
    assert text.algorithm is None


def test_a_message_of_another_library_is_over_the_same_bytes() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    private = COSEKey.from_pem(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), kid="1")
    data = COSE.new(alg_auto_inclusion=True, kid_auto_inclusion=True).encode(b"hello", key=private)
    message = CoseSign1.decode(data, what="test")
    assert (message.algorithm, message.payload) == (ES384, b"hello")
    public = COSEKey.from_pem(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), kid="1")
    public.verify(message.signed_bytes(), message.signature)


@pytest.mark.parametrize(
    "value",
    [
        [b"", {}, b""],
        [b"", {}, b"", b"", b""],
        ["", {}, b"", b""],
        [b"", [], b"", b""],
        [b"", {}, None, b""],
        [b"\x01", {}, b"", b""],
        [b"\xff", {}, b"", b""],
        cbor.Tag(17, [b"", {}, b"", b""]),
        {},
        1,
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(FormatError):
        CoseSign1.decode(cbor.encode(value), what="test")


@given(st.binary(max_size=128))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        message = CoseSign1.decode(data, what="test")
    except FormatError:
        return
    assert CoseSign1.decode(message.encode(tagged=False), what="test") == message
