"""Which entry of db vouches for a program: what firmware measures when Secure Boot lets the program start.

The first entry in the order of db that is in the signer's chain, or issued a certificate in it; else the program's own
digest in db. Who is named in dbx vouches for nothing.
Source: edk2 SecurityPkg/Library/DxeImageVerificationLib; TCG PC Client Platform Firmware Profile 1.06, section 3.3.4.8.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from warily.errors import FormatError
from warily.formats import signature_list
from warily.formats.signature_list import Signature, read_signatures
from warily.formats.signed_program import SignedProgram, read_signed
from warily.formats.tcg_log import EventType
from warily.formats.uefi_events import UefiVariable
from warily.formats.uefi_varstore import IMAGE_SECURITY, VariableStore
from warily.measure.authenticode import authenticode
from warily.measure.boot import BootEvent, FirmwareFacts, hashed, unknown

PCR: Final = 7
DATABASE: Final = "db"
FORBIDDEN: Final = "dbx"
HASHES: Final[dict[str, HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.1": SHA256(),
    "2.16.840.1.101.3.4.2.2": SHA384(),
    "2.16.840.1.101.3.4.2.3": SHA512(),
}
MAX_CHAIN: Final = 8
# What `cryptography` says of a certificate that is none, of a key that it does not know, and of a signature.
_REFUSED: Final = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion)


def authorities(
    facts: FirmwareFacts, store: VariableStore | None, programs: Sequence[bytes]
) -> tuple[tuple[BootEvent, ...], ...] | None:
    """The events before each program's own, None where Secure Boot is off or unknown. An entry counts once only."""
    if store is None or not facts.secure_boot or not store.secure_boot:
        return None
    found: list[tuple[BootEvent, ...]] = []
    seen: set[bytes] = set()
    for program in programs:
        event = _authority(store, program)
        found.append(() if event.hashed is not None and event.hashed in seen else (event,))
        seen.add(event.hashed or b"")
    return tuple(found)


def _authority(store: VariableStore, program: bytes) -> BootEvent:
    kind = EventType.EFI_VARIABLE_AUTHORITY
    try:
        entry = vouching(program, store.value(DATABASE, IMAGE_SECURITY), store.value(FORBIDDEN, IMAGE_SECURITY))
    except FormatError as error:
        return unknown(PCR, kind, "authority", ingredient="variables", because=str(error))
    if entry is None:
        because = "Secure Boot is on, and nothing in db vouches for the program: firmware would not start it"
        return unknown(PCR, kind, "authority", ingredient="variables", because=because)
    data = UefiVariable(guid=IMAGE_SECURITY, name=DATABASE, value=entry.data).encode()
    return hashed(PCR, kind, "authority", ingredient="variables", data=data)


def vouching(program: bytes, db: bytes, dbx: bytes) -> Signature | None:
    """The entry of `db` that vouches for the program; None where none does. Raises `FormatError`."""
    allowed, forbidden = read_signatures(db), read_signatures(dbx)
    digest = authenticode(program, "sha256")
    if any(each.kind == signature_list.SHA256 and each.value == digest for each in forbidden):
        return None
    for signed in read_signed(program):
        chain = _chain(program, signed)
        if any(map(lambda each: _forbids(each, chain), forbidden)):  # noqa: C417  # a plain any
            return None
        for entry in allowed:
            if entry.kind == signature_list.X509 and _is_in(chain, entry.value):
                return entry
    return next((each for each in allowed if (each.kind, each.value) == (signature_list.SHA256, digest)), None)


def _chain(program: bytes, signed: SignedProgram) -> list[x509.Certificate]:
    """The signer and who issued whom, as far as the message has them; empty where the signature is not valid."""
    algorithm, image_algorithm = HASHES.get(signed.signer_algorithm), HASHES.get(signed.digest_algorithm)
    if algorithm is None or image_algorithm is None:
        return []
    if authenticode(program, image_algorithm.name) != signed.digest:
        return []
    if hashlib.new(algorithm.name, signed.content).digest() != signed.message_digest:
        return []
    certificates = [*_read(signed.certificates)]
    chain = [each for each in certificates if _signed_by(signed, each, algorithm)][:1]
    while chain and len(chain) < MAX_CHAIN:
        above = next((each for each in certificates if each not in chain and _issued(each, chain[-1])), None)
        if above is None:
            break
        chain.append(above)
    return chain


def _read(certificates: Sequence[bytes]) -> Iterator[x509.Certificate]:
    for data in certificates:
        try:
            yield x509.load_der_x509_certificate(data)
        except _REFUSED:
            continue  # it vouches for nobody


def _signed_by(signed: SignedProgram, signer: x509.Certificate, algorithm: HashAlgorithm) -> bool:
    try:
        if (signer.issuer.public_bytes(), signer.serial_number) != (signed.issuer, signed.serial):
            return False
        key = signer.public_key()
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(signed.signature, signed.attributes, PKCS1v15(), algorithm)
    except _REFUSED:
        return False
    return True


def _issued(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except _REFUSED:
        return False
    return True


def _is_in(chain: Sequence[x509.Certificate], data: bytes) -> bool:
    """Whether the certificate is one of the chain, or issued one of it."""
    return any(each == entry or _issued(entry, each) for entry in _read([data]) for each in chain)


def _forbids(entry: Signature, chain: Sequence[x509.Certificate]) -> bool:
    """Whether the entry of dbx names one of the chain: whole, or by the digest of what is signed of it."""
    if entry.kind == signature_list.X509:
        return any(each.public_bytes(Encoding.DER) == entry.value for each in chain)
    if entry.kind == signature_list.X509_SHA256:
        return any(hashlib.sha256(each.tbs_certificate_bytes).digest() == entry.value[:32] for each in chain)
    return False
