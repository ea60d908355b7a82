"""A manifest as a CoRIM, for verifiers that read those (draft-ietf-rats-corim-11), and the signature on it.

SEV-SNP follows draft-deeglaze-amd-sev-snp-corim-profile: class by chip, measurement key 0, digest in SHA-384. TDX
registers are integrity registers by name. The shape a value is for stands in the measurement's name.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PredictedRegister
from warily.formats import cbor
from warily.formats.cbor import Tag
from warily.formats.comid import Comid, Digest, Environment, Measurement, ReferenceTriple
from warily.formats.corim import COMID, CONTENT_TYPE, UUID, Corim, Entity
from warily.formats.cose_sign1 import ALGORITHM, EDDSA, KEY_ID, CoseSign1

PROFILE: Final = "urn:warily:corim:1"
# The class of what an SNP report signed by a chip's own key measures.
BY_CHIP: Final = Tag(UUID, uuid.UUID("d05e6d1b-9f46-4ae2-a610-ce3e6ee7e153").bytes)
_NAMESPACE: Final = uuid.UUID("2b1f3c86-7f0e-5c0a-9a64-3b8f6a1d2c55")
_CREATOR: Final = 1
_META: Final = 8
_CONTENT: Final = 3
_ALGORITHMS: Final = {32: "sha256", 48: "sha384", 64: "sha512"}


def export(manifest: Manifest) -> bytes:
    """The unsigned CoRIM: a CoMID for each platform of the manifest, and one for the image's files."""
    comids = [_files(manifest), *(_platform(manifest, platform) for platform in manifest.platforms)]
    return Corim(
        identifier=_name(manifest, "corim"),
        tags=tuple((COMID, comid.encode()) for comid in comids),
        profile=PROFILE,
        not_before=None,
        not_after=None,
        entities=(Entity(name=manifest.name, uri="", roles=(_CREATOR,)),),
    ).encode()


def sign(corim: bytes, key: Ed25519PrivateKey, *, signer: str) -> bytes:
    """The CoRIM in a COSE_Sign1 by `key`; `signer` is the name in its metadata."""
    protected = cbor.encode(
        {
            ALGORITHM: EDDSA,
            _CONTENT: CONTENT_TYPE,
            KEY_ID: hashlib.sha256(key.public_key().public_bytes_raw()).digest(),
            _META: cbor.encode({0: {0: signer}}),
        }
    )
    unsigned = CoseSign1(protected=protected, unprotected={}, payload=corim, signature=b"")
    signature = key.sign(unsigned.signed_bytes())
    return CoseSign1(protected=protected, unprotected={}, payload=corim, signature=signature).encode(tagged=True)


def _files(manifest: Manifest) -> Comid:
    """The image's files by digest, and its dm-verity root."""
    measured = [
        Measurement(key=part.role, digests=(Digest.of("sha256", part.sha256),), registers={}, name=part.name)
        for part in manifest.ingredients
    ]
    root = Digest.of(manifest.root.algorithm, manifest.root.root_hash)
    measured.append(Measurement(key="root-hash", digests=(root,), registers={}, name="dm-verity"))
    place = Environment(vendor="warily", model=manifest.name)
    return _comid(manifest, "files", [ReferenceTriple(environment=place, measurements=tuple(measured))])


def _platform(manifest: Manifest, platform: Platform) -> Comid:
    entries = [entry for entry in manifest.registers if entry.platform is platform]
    return _comid(manifest, platform.value, list(_triples(manifest, platform, entries)))


def _triples(manifest: Manifest, platform: Platform, entries: Iterable[PredictedRegister]) -> Iterator[ReferenceTriple]:
    for entry in entries:
        digest = Digest.of(_ALGORITHMS.get(len(entry.value), "unknown"), entry.value)
        shape = ", ".join(f"{name} {value}" for name, value in sorted(entry.when.items()))
        if platform is Platform.SNP:
            place = Environment(class_id=BY_CHIP)
            measured = Measurement(key=0, digests=(digest,), registers={}, name=shape)
        else:
            place = Environment(vendor="warily", model=f"{manifest.name} on {platform.value}")
            measured = Measurement(key=None, digests=(), registers={entry.register: (digest,)}, name=shape)
        yield ReferenceTriple(environment=place, measurements=(measured,))


def _comid(manifest: Manifest, part: str, references: list[ReferenceTriple]) -> Comid:
    return Comid(identifier=_name(manifest, part), version=None, entities=(), references=tuple(references))


def _name(manifest: Manifest, part: str) -> bytes:
    """A UUID that the same manifest always gets, and no other."""
    return uuid.uuid5(_NAMESPACE, f"{part}:{manifest.root.root_hash.hex()}:{manifest.command_line}").bytes
