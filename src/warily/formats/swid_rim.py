"""A signed reference integrity manifest (TCG RIM), a software identification tag (ISO 19770-2) in XML.

This is how NVIDIA publishes the golden measurements of drivers and firmware.
The signature (XML-DSig) covers the whole document except itself: one reference, `URI=""`, with the enveloped
transform and canonical XML. Anything else is not the signature of this document and is refused.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _xml
from warily.formats._json import JsonObject
from warily.formats._xml import Element

SWID: Final = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
SHA384_ATTRIBUTES: Final = "http://www.w3.org/2001/04/xmlenc#sha384"
ENVELOPED: Final = f"{SIGNATURE}enveloped-signature"
CANONICAL: Final = ("http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")
ECDSA_SHA384: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
SHA384: Final = "http://www.w3.org/2001/04/xmldsig-more#sha384"
MAX_RESOURCES: Final = 256
MAX_ALTERNATIVES: Final = 64
MAX_CERTIFICATES: Final = 8
_TEXT: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """What one measurement should be: its index (from 0), a name, and every acceptable value, 48 bytes each.

    Where `active` is false the manifest says nothing about this measurement.
    """

    index: int
    name: str
    active: bool
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwidRim:
    """A manifest. `version` is that of the software, `product` the chip, `edition` such as `GPU` or `SWITCH`.

    `signed_info` is what the signature covers, in canonical form, `digest` the SHA-384 that it names, and `content`
    the canonical document without the signature, over which that digest should be. `certificates` are in DER,
    signer first as a rule.
    """

    product: str
    version: str
    edition: str
    tag_id: str
    golden: tuple[Golden, ...]
    certificates: tuple[bytes, ...] = field(repr=False)
    signed_info: bytes = field(repr=False)
    content: bytes = field(repr=False)
    digest: bytes
    signature: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The manifest that `data` is (XML, at most 1 MiB). Raises `FormatError`."""
        root = _xml.parse(data, what="reference manifest")
        if (root.namespace, root.local) != (SWID, "SoftwareIdentity"):
            msg = f"reference manifest: the document is a {root.local[:40]}, not a SoftwareIdentity"
            raise FormatError(msg)
        sealed = root.only(SIGNATURE, "Signature")
        info = sealed.only(SIGNATURE, "SignedInfo")
        meta = root.only(SWID, "Meta")
        return cls(
            product=_said(root, "name"),
            version=_said(meta, "colloquialVersion"),
            edition=_said(meta, "edition"),
            tag_id=_said(root, "tagId"),
            golden=_golden(root.only(SWID, "Payload")),
            certificates=_certificates(sealed),
            signed_info=_xml.canonical(info),
            content=_xml.canonical(root, without=sealed),
            digest=_digest(info),
            signature=_base64(sealed.only(SIGNATURE, "SignatureValue")),
        )

    @property
    def active(self) -> dict[int, Golden]:
        """What the manifest speaks about, by index."""
        return {entry.index: entry for entry in self.golden if entry.active}


def looks_like(data: bytes) -> bool:
    """Whether it is XML that names the schema of such tags near its beginning."""
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and SWID.encode() in head and b"SoftwareIdentity" in head


def from_service(top: JsonObject) -> bytes:
    """The manifest inside an answer of NVIDIA's service: `{"id", "rim", …}`, in base64. Raises `FormatError`."""
    try:
        return base64.b64decode(top.text("rim", limit=2 * _xml.LIMIT), validate=True)
    except (binascii.Error, ValueError):
        msg = "reference manifest: rim is not base64"
        raise FormatError(msg) from None


def _said(element: Element, name: str) -> str:
    value = element.get(name)
    if value is None or not 1 <= len(value) <= _TEXT or not value.isprintable():
        msg = f"reference manifest: {element.local} says no {name}, or not in one line"
        raise FormatError(msg)
    return value


def _digest(info: Element) -> bytes:
    """The digest of the one reference; everything about how it is made must be as specified above."""
    reference = info.only(SIGNATURE, "Reference")
    listed = reference.only(SIGNATURE, "Transforms").elements(SIGNATURE, "Transform")
    transforms = [entry.get("Algorithm") for entry in listed]
    named = (
        info.only(SIGNATURE, "CanonicalizationMethod").get("Algorithm") in CANONICAL,
        info.only(SIGNATURE, "SignatureMethod").get("Algorithm") == ECDSA_SHA384,
        reference.only(SIGNATURE, "DigestMethod").get("Algorithm") == SHA384,
        reference.get("URI") == "",
        transforms[:1] == [ENVELOPED] and len(transforms) == 2 and transforms[1] in CANONICAL,
    )
    if not all(named):
        msg = "reference manifest: not an enveloped signature with canonical XML, SHA-384 and ECDSA"
        raise FormatError(msg)
    digest = _base64(reference.only(SIGNATURE, "DigestValue"))
    if len(digest) != 48:
        msg = f"reference manifest: a digest of {len(digest)} bytes"
        raise FormatError(msg)
    return digest


def _certificates(sealed: Element) -> tuple[bytes, ...]:
    data = sealed.only(SIGNATURE, "KeyInfo").only(SIGNATURE, "X509Data")
    found = tuple(_base64(entry) for entry in data.elements(SIGNATURE, "X509Certificate"))
    if not 1 <= len(found) <= MAX_CERTIFICATES:
        msg = f"reference manifest: no certificate, or over {MAX_CERTIFICATES}"
        raise FormatError(msg)
    return found


def _golden(payload: Element) -> tuple[Golden, ...]:
    found: dict[int, Golden] = {}
    for entry in payload.elements(SWID, "Resource"):
        if entry.get("type") != "Measurement":
            continue
        made = _measurement(entry)
        if made.index in found or len(found) == MAX_RESOURCES:
            msg = f"reference manifest: measurement {made.index} is there twice, or there are over {MAX_RESOURCES}"
            raise FormatError(msg)
        found[made.index] = made
    return tuple(found.values())


def _measurement(entry: Element) -> Golden:
    index, count, size = (_number(entry, name) for name in ("index", "alternatives", "size"))
    active = entry.get("active")
    if index >= MAX_RESOURCES or not 1 <= count <= MAX_ALTERNATIVES or active not in ("True", "False"):
        msg = f"reference manifest: measurement {index} with {count} alternatives, active {active}"
        raise FormatError(msg)
    values = tuple(_hexadecimal(entry.get(f"Hash{at}", SHA384_ATTRIBUTES), size) for at in range(count))
    return Golden(index=index, name=_said(entry, "name"), active=active == "True", values=values)


def _number(entry: Element, name: str) -> int:
    text = entry.get(name) or ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        msg = f"reference manifest: {name} is not a number"
        raise FormatError(msg)
    return int(text)


def _hexadecimal(text: str | None, size: int) -> bytes:
    try:
        value = bytes.fromhex(text or "")
    except ValueError:
        value = b""
    if not value or len(value) != size:
        msg = f"reference manifest: a value that is not {size} bytes in hexadecimal"
        raise FormatError(msg)
    return value


def _base64(element: Element) -> bytes:
    try:
        return base64.b64decode("".join(element.text().split()), validate=True)
    except (binascii.Error, ValueError):
        msg = f"reference manifest: {element.local} is not base64"
        raise FormatError(msg) from None
