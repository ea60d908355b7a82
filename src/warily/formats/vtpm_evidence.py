"""TPM quotes as confidential-containers' tools write them: JSON with a quote, registers, and what vouches for the key.

Three dialects of one thing: bytes are lists of numbers, hexadecimal, or base64; members that are not needed are left
out. Source: confidential-containers/guest-components and trustee, `az-snp-vtpm`, `az-tdx-vtpm` and `tpm`, 2024 to 2026.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import pem
from warily.formats._json import JsonObject
from warily.formats.tpm import Algorithm, Signature

LIMIT: Final = 24 << 20
MAX_PCRS: Final = 32
BANKS: Final = {20: Algorithm.SHA1, 32: Algorithm.SHA256, 48: Algorithm.SHA384, 64: Algorithm.SHA512}
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class VtpmEvidence:
    """The parts, as bytes. `signature` is a TPMT_SIGNATURE, also where only the bare RSA signature was sent.

    `registers` are values in order, from PCR 0 on, all of one bank. What was not sent is empty.
    """

    message: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    registers: tuple[bytes, ...] = field(repr=False)
    hcl_report: bytes = field(repr=False)
    td_quote: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(repr=False)
    attestation_key: bytes = field(repr=False)
    event_log: bytes = field(repr=False)

    @property
    def bank(self) -> int:
        """The bank that values of this length are of, as TPM_ALG_ID."""
        return int(BANKS[len(self.registers[0])])

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The evidence that JSON of at most 24 MiB holds. Raises `FormatError`."""
        top = JsonObject.parse(text.removeprefix(_BOM), what="vTPM evidence", limit=LIMIT)
        quote = next((top.object(key) for key in ("tpm_quote", "quote") if key in top), top)
        values = tuple(_octets(value, "pcrs") for value in quote.array("pcrs", limit=MAX_PCRS))
        if not values or len({len(value) for value in values}) != 1 or len(values[0]) not in BANKS:
            msg = "vTPM evidence: pcrs are not values of one bank"
            raise FormatError(msg)
        return cls(
            message=_member(quote, "message"),
            signature=_signature(_member(quote, "signature")),
            registers=values,
            hcl_report=_member(top, "hcl_report") or _member(top, "report"),
            td_quote=_member(top, "td_quote"),
            certificates=_certificates(_member(top, "vcek")),
            attestation_key=_member(top, "ak_public"),
            event_log=_member(top, "event_log"),
        )


def looks_like(keys: tuple[str, ...]) -> bool:
    """Whether an object with these members is such evidence."""
    known = set(keys)
    return "tpm_quote" in known or {"message", "signature", "pcrs"} <= known or {"quote", "report", "vcek"} <= known


def _member(source: JsonObject, key: str) -> bytes:
    """The bytes of a member in any of the dialects; empty where there is no such member."""
    if key not in source:
        return b""
    try:
        return _octets(source.text(key, limit=LIMIT), key)
    except FormatError:
        return _octets(source.array(key, limit=LIMIT), key)


def _octets(value: object, what: str) -> bytes:
    if isinstance(value, list) and all(type(entry) is int and 0 <= entry <= 255 for entry in value):
        return bytes(value)
    if isinstance(value, str) and value.startswith(pem.MARK.decode()):
        return value.encode()
    if isinstance(value, str):
        try:
            if len(value) % 2 == 0 and set(value) <= set("0123456789abcdefABCDEF"):
                return bytes.fromhex(value)
            plain = value.rstrip("=").replace("-", "+").replace("_", "/")
            return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (ValueError, binascii.Error):
            pass
    msg = f"vTPM evidence: {what} is not bytes in a list, in hexadecimal or in base64"
    raise FormatError(msg)


def _signature(data: bytes) -> bytes:
    """A TPMT_SIGNATURE; a bare RSA signature is what the paravisor's key makes: RSASSA over SHA-256."""
    try:
        return Signature.decode(data).encode()
    except FormatError:
        if len(data) < 256:
            raise
        return Signature(scheme=Algorithm.RSASSA, hash=Algorithm.SHA256, numbers=(data,)).encode()


def _certificates(data: bytes) -> tuple[bytes, ...]:
    if data.startswith(pem.MARK):
        return tuple(block.der for block in pem.decode_blocks(data) if block.label == pem.CERTIFICATE)
    return (data,) if data else ()
