"""Reference values as others publish them, recognised by content: CoRIM, statements, Keylime, pcrlock, and so on.

A signature is verified where a key is given. What nobody verified is said to be so, and is still only somebody's word.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from warily.core.reference_value import ReferenceValue
from warily.errors import FormatError, WarilyError
from warily.formats import contrast_manifest, dstack_measurements, keylime_policy, pcrlock
from warily.formats._json import JsonObject
from warily.formats.cbor import Tag
from warily.formats.comid import Comid, Digest, Environment, Measurement, decode_digests
from warily.formats.corim import COMID, Corim, is_signed, signature_of
from warily.formats.cose_sign1 import EDDSA, ES256, ES384, CoseSign1
from warily.formats.dsse import Envelope
from warily.publish import sigstore

LIMIT: Final = 256 << 20
# draft-cds-rats-intel-corim-profile: keys of measurement values, and the tag of "is a member of".
_INTEL: Final = {-83: "mrtee", -84: "mrsigner"}
_MEMBER: Final = 60020
_LENGTHS: Final = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
_HASHES: Final = {ES256: hashes.SHA256(), ES384: hashes.SHA384()}


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What a file publishes. `signature` is `verified`, `not verified` (no key was given) or `none`."""

    format: str
    signature: str
    values: tuple[ReferenceValue, ...]
    not_before: int | None = None
    not_after: int | None = None


class SignatureRefused(WarilyError):  # noqa: N818  # a decision, named as one
    """A key was given, and the signature is not by it."""

    exit_status: ClassVar[int] = 10
    code: ClassVar[str] = "signature"


def read(data: bytes, *, keys: Sequence[bytes] = ()) -> References:
    """The reference values in `data`. With `keys` (PEM) a signature must be by one of them.

    Raises `FormatError` for a format that is not known, `SignatureRefused` where the signature is missing or not good.
    """
    if data[:1] in (b"\xd2", b"\xd9", b"\xa2", b"\xa3", b"\xa4", b"\xa5"):
        return _cbor(data, keys)
    top = JsonObject.parse(data, what="reference values", limit=LIMIT)
    if "payloadType" in top or "mediaType" in top:
        return _statement(Envelope.decode(sigstore.envelope_in(data)), keys, bundled="mediaType" in top)
    if keys:
        raise SignatureRefused("a key was given, and this format is not signed")
    if keylime_policy.looks_like(top):
        return _plain("Keylime runtime policy", _keylime(data))
    if "records" in top:
        return _plain("systemd pcrlock", _pcrlock(data))
    if "ReferenceValues" in top:
        return _plain("Contrast manifest", _contrast(data))
    if dstack_measurements.looks_like(top):
        return _plain("dstack measurements", _dstack(data))
    raise FormatError(
        "reference values of no known format",
        hint="known: CoRIM, in-toto statements (DSSE, Sigstore bundles), Keylime runtime policies, "
        "systemd pcrlock files, Contrast manifests, dstack measurements",
    )


def _plain(name: str, values: Iterator[ReferenceValue]) -> References:
    return References(format=name, signature="none", values=tuple(values))


def _statement(envelope: Envelope, keys: Sequence[bytes], *, bundled: bool) -> References:
    if keys and not any(sigstore.is_signed_by(envelope, pem) for pem in keys):
        raise SignatureRefused("the statement is not signed by a key that was given")
    signature = "verified" if keys else "not verified" if envelope.signatures else "none"
    name = "Sigstore bundle" if bundled else "DSSE envelope"
    return References(format=name, signature=signature, values=tuple(sigstore.published(envelope)))


def _cbor(data: bytes, keys: Sequence[bytes]) -> References:
    if not is_signed(data):
        if keys:
            raise SignatureRefused("a key was given, and this CoRIM is not signed")
        if data[:1] != b"\xd9" or data[:3] == b"\xd9\x01\xfa":
            return _plain("CoMID", _comid(Comid.decode(data)))
        return _corim(Corim.decode(data), "none")
    message = signature_of(data)
    corim = Corim.decode(message.payload)
    if not keys:
        return _corim(corim, "not verified")
    if not any(_is_good(message, pem) for pem in keys):
        raise SignatureRefused("the CoRIM is not signed by a key that was given")
    return _corim(corim, "verified")


def _corim(corim: Corim, signature: str) -> References:
    values = [value for number, body in corim.tags if number == COMID for value in _comid(Comid.decode(body))]
    return References(
        format="CoRIM",
        signature=signature,
        values=tuple(values),
        not_before=corim.not_before,
        not_after=corim.not_after,
    )


def _comid(comid: Comid) -> Iterator[ReferenceValue]:
    for triple in comid.references:
        place = _place(triple.environment)
        for measured in triple.measurements:
            when = {"name": measured.name} if measured.name else {}
            named = [
                *((_key(measured), digest) for digest in measured.digests),
                *((_said(key), digest) for key, digests in measured.registers.items() for digest in digests),
                *_intel(measured),
            ]
            for name, digest in named:
                yield ReferenceValue(
                    environment=place, name=name, algorithm=digest.algorithm, value=digest.value, when=when
                )


def _intel(measured: Measurement) -> Iterator[tuple[str, Digest]]:
    """MRTEE and MRSIGNER of Intel's profile: digests, or an expression that lists the digests that will do."""
    for key, name in _INTEL.items():
        value = measured.others.get(key)
        if isinstance(value, Tag) and value.number == _MEMBER and isinstance(value.value, list):
            value = value.value[-1]
        if isinstance(value, list):
            for digest in decode_digests(value):
                yield name, digest


def _place(place: Environment) -> str:
    named = [text for text in (place.vendor, place.model) if text]
    for label, value in (("class", place.class_id), ("instance", place.instance), ("group", place.group)):
        if value is not None:
            named.append(f"{label} {_said(value)}")
    for label, number in (("layer", place.layer), ("index", place.index)):
        if number is not None:
            named.append(f"{label} {number}")
    return " ".join(named) or "unnamed"


def _key(measured: Measurement) -> str:
    return "digest" if measured.key is None else _said(measured.key)


def _said(value: object) -> str:
    if isinstance(value, Tag):
        value = value.value
    return value.hex() if isinstance(value, bytes) else str(value)


def _keylime(data: bytes) -> Iterator[ReferenceValue]:
    policy = keylime_policy.KeylimePolicy.decode(data)
    for kind, table in (("file", policy.digests), ("keyring", policy.keyrings)):
        for path, digests in table.items():
            for digest in digests:
                yield ReferenceValue(environment=kind, name=path, algorithm=_LENGTHS.get(len(digest), ""), value=digest)


def _pcrlock(data: bytes) -> Iterator[ReferenceValue]:
    for at, record in enumerate(pcrlock.decode(data)):
        for algorithm, digest in record.digests.items():
            yield ReferenceValue(
                environment=f"PCR {record.pcr}", name=f"record {at}", algorithm=algorithm, value=digest
            )


def _contrast(data: bytes) -> Iterator[ReferenceValue]:
    for each in contrast_manifest.decode(data):
        place = f"{each.platform} {each.product}".strip()
        yield ReferenceValue(environment=place, name=each.name, algorithm="sha384", value=each.value)


def _dstack(data: bytes) -> Iterator[ReferenceValue]:
    for name, value in dstack_measurements.decode(data).items():
        yield ReferenceValue(environment="tdx", name=name, algorithm="sha384", value=value)


def _is_good(message: CoseSign1, pem: bytes) -> bool:
    """The signature is by the key, with the algorithm that the protected header names."""
    try:
        key = load_pem_public_key(pem)
        if isinstance(key, Ed25519PublicKey) and message.algorithm == EDDSA:
            key.verify(message.signature, message.signed_bytes())
            return True
        if isinstance(key, EllipticCurvePublicKey) and message.algorithm in _HASHES:
            half = len(message.signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (message.signature[:half], message.signature[half:]))
            key.verify(encode_dss_signature(r, s), message.signed_bytes(), ECDSA(_HASHES[message.algorithm]))
            return True
    except (InvalidSignature, ValueError):
        return False
    return False
