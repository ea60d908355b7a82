"""The signatures of a PE image: who signed which digest of it.

Source: Microsoft "Windows Authenticode Portable Executable Signature Format"; Microsoft PE Format, "The Attribute
Certificate Table"; RFC 5652 (SignedData).
"""

from collections.abc import Iterator
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._der import EXPLICIT, INTEGER, OCTET_STRING, SEQUENCE, SET, DerReader, only
from warily.formats._layout import Layout, layout, u16, u32
from warily.formats._record import record
from warily.formats.pe import PeImage

MAX_SIGNATURES: Final = 16
MAX_CERTIFICATES: Final = 16
MAX_SERIAL: Final = 64
LIMIT: Final = 1 << 20
PKCS: Final = 0x0002
REVISION: Final = 0x0200
SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
INDIRECT_DATA: Final = "1.3.6.1.4.1.311.2.1.4"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"


@layout(8, source="Microsoft PE Format, WIN_CERTIFICATE")
class Entry(Layout):
    """The head of an entry; `size` counts it."""

    size: Annotated[int, u32(0)]
    revision: Annotated[int, u16(4)]
    type: Annotated[int, u16(6)]


@record
class SignedProgram:
    """One signature. Algorithms are dotted OIDs; certificates and `issuer` are DER.

    `digest` is that of the image under `digest_algorithm`, `content` what the signer's `message_digest` is of (under
    `signer_algorithm`), and `attributes` what `signature` is over.
    """

    digest_algorithm: str
    digest: bytes
    content: bytes
    certificates: tuple[bytes, ...]
    issuer: bytes
    serial: int
    signer_algorithm: str
    attributes: bytes
    message_digest: bytes
    signature: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The signature that a PKCS #7 message holds. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"program signature: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        outer = only(data, SEQUENCE, what="program signature")
        _expect(outer.oid("content type"), SIGNED_DATA)
        signed = outer.inside(EXPLICIT, "content").inside(SEQUENCE, "SignedData")
        signed.integer("version")
        signed.take(SET, "digest algorithms")
        algorithm, digest, content = _indirect(signed.inside(SEQUENCE, "content"))
        certificates = tuple(_raw(signed.inside(EXPLICIT, "certificates"))) if signed.has(EXPLICIT) else ()
        signer = signed.inside(SET, "signers").inside(SEQUENCE, "signer")
        signer.integer("version")
        name = signer.inside(SEQUENCE, "issuer and serial number")
        issuer, serial = name.take(SEQUENCE, "issuer").raw, _serial(name)
        signer_algorithm = signer.inside(SEQUENCE, "digest algorithm").oid("digest algorithm")
        attributes = signer.take(EXPLICIT, "attributes")
        signer.take(SEQUENCE, "signature algorithm")
        return cls(
            digest_algorithm=algorithm,
            digest=digest,
            content=content,
            certificates=certificates,
            issuer=issuer,
            serial=serial,
            signer_algorithm=signer_algorithm,
            attributes=bytes([SET]) + attributes.raw[1:],
            message_digest=_message_digest(attributes.content),
            signature=signer.take(OCTET_STRING, "signature").content,
        )


def read_signed(data: bytes | memoryview) -> tuple[SignedProgram, ...]:
    """The signatures of the image `data`, in order. Raises `FormatError`; entries of other types are passed over."""
    table = PeImage.parse(data).certificates
    view = memoryview(data)[table.offset : table.offset + table.size]
    found: list[SignedProgram] = []
    at = 0
    while at + Entry.SIZE <= len(view):
        head = Entry.unpack(view[at : at + Entry.SIZE])
        if not Entry.SIZE <= head.size <= len(view) - at or len(found) >= MAX_SIGNATURES:
            msg = f"program signature: the entry at {at:#x} of {head.size} bytes does not fit"
            raise FormatError(msg)
        if (head.revision, head.type) == (REVISION, PKCS):
            found.append(SignedProgram.decode(_unpadded(bytes(view[at + Entry.SIZE : at + head.size]))))
        at += head.size + -head.size % 8
    return tuple(found)


def _unpadded(data: bytes) -> bytes:
    """The message without the zeros that fill its entry to eight bytes."""
    message = DerReader(data, what="program signature").take(SEQUENCE, "message").raw
    if len(data) - len(message) >= 8 or any(data[len(message) :]):
        msg = f"program signature: {len(data) - len(message)} unexpected bytes at the end"
        raise FormatError(msg)
    return message


def _indirect(source: DerReader) -> tuple[str, bytes, bytes]:
    """Algorithm and digest of the image, and the bytes that are signed for them."""
    _expect(source.oid("type"), INDIRECT_DATA)
    whole = source.inside(EXPLICIT, "indirect data").take(SEQUENCE, "SpcIndirectDataContent")
    inner = DerReader(whole.content, what="program signature: SpcIndirectDataContent")
    inner.take(SEQUENCE, "data")
    info = inner.inside(SEQUENCE, "digest info")
    algorithm = info.inside(SEQUENCE, "digest algorithm").oid("digest algorithm")
    return algorithm, info.take(OCTET_STRING, "digest").content, whole.content


def _raw(source: DerReader) -> Iterator[bytes]:
    for _ in range(MAX_CERTIFICATES):
        if source.empty:
            return
        yield source.take(SEQUENCE, "certificate").raw
    raise FormatError(f"program signature: over {MAX_CERTIFICATES} certificates")  # noqa: EM102  # one number


def _serial(source: DerReader) -> int:
    content = source.take(INTEGER, "serial number").content
    if not 0 < len(content) <= MAX_SERIAL:
        msg = f"program signature: a serial number of {len(content)} bytes"
        raise FormatError(msg)
    return int.from_bytes(content, "big", signed=True)


def _message_digest(attributes: bytes) -> bytes:
    source = DerReader(attributes, what="program signature: attributes")
    while not source.empty:
        attribute = source.inside(SEQUENCE, "attribute")
        if attribute.oid("type") == MESSAGE_DIGEST:
            return attribute.inside(SET, "values").take(OCTET_STRING, "message digest").content
    raise FormatError("program signature: no message digest among the attributes")


def _expect(found: str, wanted: str) -> None:
    if found != wanted:
        msg = f"program signature: content of type {found}"
        raise FormatError(msg)
