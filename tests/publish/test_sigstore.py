"""Sigstore bundles of signed manifests: made, read back, and those of others."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.core.test_manifest import MANIFEST
from warily.errors import FormatError
from warily.formats.dsse import Envelope, Signature, pae
from warily.formats.sigstore_bundle import MEDIA_TYPE, SigstoreBundle
from warily.publish import references
from warily.publish.sigstore import STATEMENT, bundle, envelope_in
from warily.release.signing import sign_manifest, verify_manifest

OWNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = OWNER.public_key().public_bytes_raw()
SPKI = OWNER.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PEM = OWNER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SIGNED = sign_manifest(MANIFEST, OWNER)


def changed(**values: object) -> bytes:
    top = json.loads(bundle(SIGNED, PUBLIC))
    return json.dumps(top | values).encode()


def test_a_bundle_has_the_members_that_version_0_3_names() -> None:
    top = json.loads(bundle(SIGNED, PUBLIC))
    assert top.keys() == {"mediaType", "verificationMaterial", "dsseEnvelope"}
    assert top["mediaType"] == MEDIA_TYPE == "application/vnd.dev.sigstore.bundle.v0.3+json"
    hint = base64.b64encode(hashlib.sha256(SPKI).digest()).decode()
    assert top["verificationMaterial"] == {"publicKey": {"hint": hint}, "tlogEntries": []}
    (signature,) = top["dsseEnvelope"]["signatures"]
    message = pae(top["dsseEnvelope"]["payloadType"], base64.b64decode(top["dsseEnvelope"]["payload"]))
    OWNER.public_key().verify(base64.b64decode(signature["sig"]), message)


def test_the_envelope_comes_out_as_it_went_in() -> None:
    assert envelope_in(bundle(SIGNED, PUBLIC)) == SIGNED
    assert envelope_in(SIGNED) == SIGNED
    assert verify_manifest(envelope_in(bundle(SIGNED, PUBLIC)), frozenset({PUBLIC})) == MANIFEST


def test_the_manifest_of_a_bundle_publishes_its_registers() -> None:
    found = references.read(bundle(SIGNED, PUBLIC), keys=[PEM])
    assert (found.format, found.signature) == ("Sigstore bundle", "verified")
    assert [(value.name, value.value) for value in found.values] == [
        (entry.register, entry.value) for entry in MANIFEST.registers
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"mediaType": "application/vnd.dev.sigstore.bundle.v0.9+json"},
        {"verificationMaterial": {}},
        {"verificationMaterial": {"publicKey": {"hint": "a"}, "certificate": {"rawBytes": ""}}},
        {"messageSignature": {}},
        {"dsseEnvelope": {}},
        {"strange": 1},
    ],
)
def test_what_is_no_bundle_with_a_statement_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        SigstoreBundle.decode(changed(**values))


def test_a_bundle_with_a_certificate_a_log_entry_and_no_key_id_is_read() -> None:
    material = {
        "certificate": {"rawBytes": "MAA="},
        "tlogEntries": [{"logIndex": "7"}],
        "timestampVerificationData": {},
    }
    envelope = json.loads(SIGNED)
    del envelope["signatures"][0]["keyid"]
    found = SigstoreBundle.decode(changed(verificationMaterial=material, dsseEnvelope=envelope))
    assert found.hint == ""
    assert verify_manifest(found.envelope.encode(), frozenset({PUBLIC})) == MANIFEST


def test_two_signatures_make_no_bundle() -> None:
    twice = Envelope.decode(SIGNED)
    two = Envelope(payload_type=twice.payload_type, payload=twice.payload, signatures=twice.signatures * 2)
    with pytest.raises(FormatError, match="exactly one"):
        bundle(two.encode(), PUBLIC)


def test_a_statement_of_others_publishes_its_subjects() -> None:
    key = generate_private_key(SECP256R1())
    digest = hashlib.sha256(b"image").hexdigest()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "disk.img", "digest": {"sha256": digest}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    }
    payload = json.dumps(statement).encode()
    envelope = Envelope(
        payload_type=STATEMENT,
        payload=payload,
        signatures=(Signature(keyid="", sig=key.sign(pae(STATEMENT, payload), ECDSA(SHA256()))),),
    ).encode()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    found = references.read(envelope, keys=[pem])
    assert found.signature == "verified"
    assert [(value.name, value.algorithm, value.value.hex()) for value in found.values] == [
        ("disk.img", "sha256", digest)
    ]
    with pytest.raises(references.SignatureRefused):
        references.read(envelope, keys=[PEM])
