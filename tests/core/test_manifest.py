"""Manifests survive a round trip, and only an owner's signature over the very bytes makes one trusted."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OracleEnvelope
from securesystemslib.signer._key import SSlibKey

from warily.core.declaration import Platform
from warily.core.manifest import (
    Ingredient,
    Manifest,
    PortSpec,
    PredictedRegister,
    VerityRoot,
    VolumeSpec,
)
from warily.errors import FormatError
from warily.formats.dsse import Envelope
from warily.release.signing import ManifestRefused, key_id, sign_manifest, verify_manifest

OWNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = OWNER.public_key().public_bytes_raw()
TRUSTED = frozenset({PUBLIC})

MANIFEST = Manifest(
    name="ledger",
    suite="trixie",
    source_date_epoch=1757000000,
    ingredients=(Ingredient(role="kernel", name="vmlinuz", size=7, sha256=bytes(32)),),
    command_line="quiet",
    root=VerityRoot(algorithm="sha256", root_hash=bytes(32), salt=bytes(32), data_blocks=5, block_size=4096),
    cpus=2,
    memory=1 << 30,
    cpu="EPYC-v4",
    platforms=(Platform.REHEARSAL,),
    registers=(
        PredictedRegister(
            platform=Platform.REHEARSAL, register="launch_digest", when={"vcpus": "2"}, value=bytes(range(48))
        ),
    ),
    volumes=(VolumeSpec(name="data", size=1 << 26, mount="/data", cipher="xts+hmac-sha256"),),
    ports=(PortSpec(guest=8080, host=8080),),
    grantor=bytes(32),
)


def test_round_trip() -> None:
    assert Manifest.decode(MANIFEST.encode()) == MANIFEST


def test_values_are_looked_up_by_platform() -> None:
    assert MANIFEST.values(Platform.REHEARSAL, "launch_digest") == {bytes(range(48))}
    assert MANIFEST.values(Platform.SNP, "launch_digest") == frozenset()


def test_a_missing_role_is_named() -> None:
    with pytest.raises(FormatError, match="names no initrd"):
        MANIFEST.ingredient("initrd")


@pytest.mark.parametrize("key", sorted(json.loads(MANIFEST.encode())))
def test_every_member_is_required(key: str) -> None:
    members = json.loads(MANIFEST.encode())
    del members[key]
    with pytest.raises(FormatError, match=key):
        Manifest.decode(json.dumps(members).encode())


def test_unknown_members_are_refused() -> None:
    members = json.loads(MANIFEST.encode()) | {"extra": 1}
    with pytest.raises(FormatError, match="extra"):
        Manifest.decode(json.dumps(members).encode())


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused(noise: bytes) -> None:
    for decode in (Manifest.decode, Envelope.decode):
        with pytest.raises(FormatError):
            decode(noise)


def test_the_owner_is_believed() -> None:
    assert verify_manifest(sign_manifest(MANIFEST, OWNER), TRUSTED) == MANIFEST


def test_signing_is_deterministic() -> None:
    assert sign_manifest(MANIFEST, OWNER) == sign_manifest(MANIFEST, OWNER)


def test_an_independent_implementation_agrees() -> None:
    envelope = OracleEnvelope.from_dict(json.loads(sign_manifest(MANIFEST, OWNER)))
    name = key_id(PUBLIC)
    key = SSlibKey(name, "ed25519", "ed25519", {"public": PUBLIC.hex()})
    assert set(envelope.verify([key], 1)) == {name}


def test_an_unsigned_manifest_is_refused() -> None:
    envelope = replace(Envelope.decode(sign_manifest(MANIFEST, OWNER)), signatures=())
    with pytest.raises(ManifestRefused, match="nobody signed it") as refused:
        verify_manifest(envelope.encode(), TRUSTED)
    assert refused.value.check == "manifest.signed"
    assert refused.value.exit_status == 10


def test_a_stranger_is_refused() -> None:
    with pytest.raises(ManifestRefused, match="not by an owner you trust") as refused:
        verify_manifest(sign_manifest(MANIFEST, STRANGER), TRUSTED)
    assert refused.value.check == "manifest.signer"


def test_a_tampered_manifest_is_refused() -> None:
    envelope = Envelope.decode(sign_manifest(MANIFEST, OWNER))
    changed = replace(envelope, payload=envelope.payload.replace(b"quiet", b"loud!"))
    with pytest.raises(ManifestRefused) as refused:
        verify_manifest(changed.encode(), TRUSTED)
    assert refused.value.check == "manifest.signature"


def test_another_payload_type_is_refused() -> None:
    envelope = replace(Envelope.decode(sign_manifest(MANIFEST, OWNER)), payload_type="text/plain")
    with pytest.raises(ManifestRefused) as refused:
        verify_manifest(envelope.encode(), TRUSTED)
    assert refused.value.check == "manifest.type"


@given(st.data())
def test_no_changed_byte_is_believed(data: st.DataObject) -> None:
    envelope = bytearray(sign_manifest(MANIFEST, OWNER))
    at = data.draw(st.integers(0, len(envelope) - 1))
    envelope[at] ^= data.draw(st.integers(1, 255))
    try:
        believed = verify_manifest(bytes(envelope), TRUSTED)
    except (ManifestRefused, FormatError):
        return
    assert believed == MANIFEST
    assert Envelope.decode(bytes(envelope)).payload == Envelope.decode(sign_manifest(MANIFEST, OWNER)).payload
