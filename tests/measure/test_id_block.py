"""ID blocks that we sign: verified by the curve, and laid out as another tool lays out its own."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sevsnpmeasure import id_block as oracle  # type: ignore[import-untyped]  # an oracle without types

from warily.errors import UsageError
from warily.formats.snp_id_block import ID_BLOCK_VERSION, NO_KEY, NO_SIGNATURE, EcdsaSignature, IdAuth, IdBlock
from warily.measure.id_block import USUAL_POLICY, digest_of, signed

ID_KEY = ec.derive_private_key(2**200 + 7, ec.SECP384R1())
AUTHOR_KEY = ec.derive_private_key(2**201 + 9, ec.SECP384R1())
BLOCK = IdBlock(
    launch_digest=bytes(range(48)),
    family_id=bytes(16),
    image_id=bytes(16),
    version=ID_BLOCK_VERSION,
    guest_svn=0,
    policy=USUAL_POLICY,
)


def verified(signature: EcdsaSignature, message: bytes, key: ec.EllipticCurvePrivateKey) -> bool:
    halves = (int.from_bytes(half, "little") for half in (signature.r, signature.s))
    key.public_key().verify(encode_dss_signature(*halves), message, ec.ECDSA(SHA384()))
    return True


def test_both_signatures_verify() -> None:
    auth = signed(BLOCK, ID_KEY, AUTHOR_KEY)
    assert verified(auth.id_block_signature, BLOCK.pack(), ID_KEY)
    assert verified(auth.id_key_signature, auth.id_key.pack(), AUTHOR_KEY)
    assert signed(BLOCK, ID_KEY, AUTHOR_KEY) == auth


def test_the_oracle_writes_the_same_but_for_its_random_signatures(tmp_path: Path) -> None:
    for name, key in (("id", ID_KEY), ("author", AUTHOR_KEY)):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / name).write_bytes(pem)
    said: str = oracle.snp_calc_id_block(BLOCK.launch_digest, str(tmp_path / "id"), str(tmp_path / "author"))
    lines = dict(part.split("=", 1) for part in said.replace("\n", ",").split(",") if "=" in part)
    auth = signed(BLOCK, ID_KEY, AUTHOR_KEY)
    assert base64.b64decode(lines["id-block"]) == BLOCK.pack()
    theirs = IdAuth.unpack(base64.b64decode(lines["id-auth"]))
    assert (theirs.id_key, theirs.author_key) == (auth.id_key, auth.author_key)
    assert (theirs.id_key_algorithm, theirs.author_key_algorithm) == (auth.id_key_algorithm, auth.author_key_algorithm)
    digests = {base64.b64decode(value) for name, value in lines.items() if "hash" in name or "digest" in name}
    assert not digests or {digest_of(auth.id_key), digest_of(auth.author_key)} == digests


def test_an_author_is_not_needed() -> None:
    auth = signed(BLOCK, ID_KEY)
    assert (auth.author_key_algorithm, auth.id_key_signature, auth.author_key) == (0, NO_SIGNATURE, NO_KEY)


def test_other_curves_are_refused() -> None:
    with pytest.raises(UsageError, match="secp256r1: ID and author keys are on P-384"):
        signed(BLOCK, ec.generate_private_key(ec.SECP256R1()))
