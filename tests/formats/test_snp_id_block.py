"""ID blocks: layouts round-trip, and equal what AMD's and others' tools write."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure import id_block as oracle  # type: ignore[import-untyped]  # an oracle without types

from warily.errors import FormatError
from warily.formats._layout import Layout
from warily.formats.snp_id_block import (
    COMPONENT_SIZE,
    ID_BLOCK_VERSION,
    Curve,
    EcdsaPublicKey,
    EcdsaSignature,
    IdAuth,
    IdBlock,
    KeyAlgorithm,
)


@pytest.mark.parametrize("kind", [IdBlock, EcdsaSignature, EcdsaPublicKey, IdAuth])
@given(data=st.data())
def test_bytes_round_trip_or_are_refused(kind: type[Layout], data: st.DataObject) -> None:
    blob = bytearray(kind.SIZE)
    for _ in range(data.draw(st.integers(0, 8))):
        blob[data.draw(st.integers(0, kind.SIZE - 1))] = data.draw(st.integers(0, 2))
    try:
        made = kind.unpack(bytes(blob))
    except FormatError:
        assert kind is not IdBlock
        return
    assert made.pack() == blob


@given(st.binary(max_size=0x70))
def test_an_id_block_of_another_size_is_refused(blob: bytes) -> None:
    if len(blob) == IdBlock.SIZE:
        assert IdBlock.unpack(blob).pack() == blob
        return
    with pytest.raises(FormatError):
        IdBlock.unpack(blob)


def test_published_id_block(vectors: Path) -> None:
    entries = json.loads((vectors / "measure/snp/published.json").read_text())
    case = next(entry for entry in entries if entry["id"] == "snppub-idblock")
    block = IdBlock.unpack(base64.b64decode(case["id_block_b64"]))
    assert block.launch_digest == base64.b64decode(case["measurement_b64"])
    assert (block.version, block.guest_svn, block.policy) == (ID_BLOCK_VERSION, 0, case["policy"])


def component(number: int) -> bytes:
    return number.to_bytes(COMPONENT_SIZE, "little")


def test_what_another_tool_signs_is_read_field_by_field(tmp_path: Path) -> None:
    """sev-snp-measure writes block and authentication with keys of ours; every field is where we say."""
    keys = {name: ec.generate_private_key(ec.SECP384R1()) for name in ("id", "author")}
    for name, key in keys.items():
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / name).write_bytes(pem)
    said: str = oracle.snp_calc_id_block(bytes(range(48)), str(tmp_path / "id"), str(tmp_path / "author"))
    block_text, auth_text = said.splitlines()[0].removeprefix("id-block=").split(",id-auth=")
    block, auth = IdBlock.unpack(base64.b64decode(block_text)), IdAuth.unpack(base64.b64decode(auth_text))

    assert (block.launch_digest, block.policy) == (bytes(range(48)), 0x30000)
    assert auth.id_key_algorithm is auth.author_key_algorithm is KeyAlgorithm.ECDSA_P384_SHA384
    for name, packed in (("id", auth.id_key), ("author", auth.author_key)):
        point = keys[name].public_key().public_numbers()
        assert packed == EcdsaPublicKey(curve=Curve.P384, x=component(point.x), y=component(point.y))
    for name, signature, message in (
        ("id", auth.id_block_signature, block.pack()),
        ("author", auth.id_key_signature, auth.id_key.pack()),
    ):
        halves = (int.from_bytes(half, "little") for half in (signature.r, signature.s))
        keys[name].public_key().verify(encode_dss_signature(*halves), message, ec.ECDSA(SHA384()))
