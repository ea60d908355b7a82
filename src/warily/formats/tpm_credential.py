"""A credential for a TPM: what only the TPM with a certain endorsement key opens, and only for a certain other key.

The file that goes to the TPM is the one that tpm2-tools exchange (`tpm2_makecredential`, `tpm2_activatecredential`): a
magic number, a version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET; all big-endian. The record stays with whoever made it:

    {"tpm_credential": 1, "endorsement_key", "name", "secret"}

SHA-256 of the endorsement key's SubjectPublicKeyInfo, the name of the other key, SHA-256 of the secret; hexadecimal.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._json import JsonObject, canonical

MAGIC: Final = 0xBADCC0DE
VERSION: Final = 1
LIMIT: Final = 4096
MAX_NAME: Final = 66
_MARK: Final = "tpm_credential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What the TPM gets: TPMS_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, each without its size."""

    id_object: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The credential that a file is. Raises `FormatError`."""
        cursor = Cursor(data[: LIMIT + 1], what="TPM credential")
        magic, version = cursor.number(4, "magic", big=True), cursor.number(4, "version", big=True)
        if (magic, version) != (MAGIC, VERSION):
            msg = f"TPM credential: magic {magic:#010x} and version {version} are not known"
            raise FormatError(msg)
        made = cls(
            id_object=cursor.counted(2, "ID object", limit=LIMIT, big=True),
            secret=cursor.counted(2, "encrypted secret", limit=LIMIT, big=True),
        )
        cursor.finish()
        return made

    def encode(self) -> bytes:
        """The bytes of the file."""
        parts = (len(part).to_bytes(2, "big") + part for part in (self.id_object, self.secret))
        return MAGIC.to_bytes(4, "big") + VERSION.to_bytes(4, "big") + b"".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRecord:
    """What a credential was made for. Nothing in it is secret, and who can change it decides what passes."""

    endorsement_key: bytes
    name: bytes
    secret: bytes

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The record that JSON of at most 4 KiB is. Raises `FormatError`."""
        top = JsonObject.parse(text, what="record of a TPM credential", limit=LIMIT)
        if top.number(_MARK) != VERSION:
            msg = f"record of a TPM credential: its version is not {VERSION}"
            raise FormatError(msg)
        made = cls(
            endorsement_key=top.hexadecimal("endorsement_key", width=32),
            name=top.hexadecimal("name"),
            secret=top.hexadecimal("secret", width=32),
        )
        top.finish()
        if not 2 < len(made.name) <= MAX_NAME:  # the number of its hash, and a digest
            msg = f"record of a TPM credential: a name of {len(made.name)} bytes"
            raise FormatError(msg)
        return made

    def encode(self) -> bytes:
        """The record as canonical JSON."""
        members = {"endorsement_key": self.endorsement_key, "name": self.name, "secret": self.secret}
        return canonical({_MARK: VERSION} | {key: value.hex() for key, value in members.items()})
