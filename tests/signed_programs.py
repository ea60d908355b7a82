"""Programs signed as Secure Boot wants them: the tests' own writer, apart from the reader."""

import hashlib
import struct
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from warily.formats.pe import PeImage
from warily.measure.authenticode import authenticode

Pair = tuple[x509.Certificate, RSAPrivateKey]
SHA256_ID = bytes.fromhex("300d06096086480165030402010500")
RSA_ID = bytes.fromhex("300d06092a864886f70d0101010500")
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
INDIRECT = bytes.fromhex("060a2b060104018237020104")
PE_DATA = bytes.fromhex("301706") + bytes.fromhex("0a2b06010401823702010f") + bytes.fromhex("3009030100a004a2028000")
P = int(
    "fa529ba3fe3bfada7cf20724d953ee261d87cec31f7296ab7961fd925d39d0a89a2ef80f58ee8571f4998d7c4093f6dea268aa872607679d60"
    "50914a9d33a01c353c631cdfd43f371200339d068739fa9d1de2a05d158a2ff2ee4e4519f9919c895fd7b326b94c7f9118bb16000f49c81a35"
    "8ca00d75985d99c94309570dc195",
    16,
)
Q = int(
    "c79dbc121f04a6ffc272f5a7aa17c57cc61c96dbd8d4250d89df5e79bf7b6c6c3c2496ebac9261f1e429c87c9ecc7b5f75ff199d6ab6114f22"
    "07c6c03bf449fd2c564d56726c2c95f8dca309b5b39023fd09e37c7f9c13216bca9b3f18af266c3555d6ae15866ffb9fe5e39943cfeadf1279"
    "688cfce205cd1aefca62e22b64a7",
    16,
)
CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")


def fixed_key() -> RSAPrivateKey:
    """Always the same key, which everybody knows."""
    public = RSAPublicNumbers(65537, P * Q)
    private = pow(65537, -1, (P - 1) * (Q - 1))
    numbers = RSAPrivateNumbers(P, Q, private, private % (P - 1), private % (Q - 1), pow(Q, -1, P), public)
    return numbers.private_key()


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def authority(name: str, issuer: Pair | None = None, key: RSAPrivateKey | None = None) -> Pair:
    """A certificate and its key: issued by another, or by itself."""
    key = key or generate_private_key(65537, 2048)
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    above, signer = (own, key) if issuer is None else (issuer[0].subject, issuer[1])
    made = x509.CertificateBuilder(own if issuer is None else above, own, key.public_key())
    made = made.serial_number(len(name)).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2060, 1, 1, tzinfo=UTC))
    return made.sign(signer, SHA256()), key


def message(digest: bytes, signer: Pair, *others: x509.Certificate) -> bytes:
    certificate, key = signer
    info = der(0x30, SHA256_ID + der(0x04, digest))
    content = PE_DATA + info
    attributes = der(0x30, CONTENT_TYPE + der(0x31, INDIRECT))
    attributes += der(0x30, MESSAGE_DIGEST + der(0x31, der(0x04, hashlib.sha256(content).digest())))
    signature = key.sign(der(0x31, attributes), PKCS1v15(), SHA256())
    serial = certificate.serial_number
    number = der(0x02, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
    issuer = der(0x30, certificate.issuer.public_bytes() + number)
    signed_by = der(0x30, b"\x02\x01\x01" + issuer + SHA256_ID + der(0xA0, attributes) + RSA_ID + der(0x04, signature))
    certificates = b"".join(each.public_bytes(Encoding.DER) for each in (certificate, *others))
    body = b"\x02\x01\x01" + der(0x31, SHA256_ID) + der(0x30, INDIRECT + der(0xA0, der(0x30, content)))
    body += der(0xA0, certificates) + der(0x31, signed_by)
    return der(0x30, SIGNED_DATA + der(0xA0, der(0x30, body)))


def sign(image: bytes, signer: Pair, *others: x509.Certificate, digest: bytes = b"") -> bytes:
    """The image with one signature more, `others` among its certificates. `digest` in place of the right one."""
    found = PeImage.parse(image)
    assert found.certificates_at is not None
    whole = image.ljust(len(image) + -len(image) % 8, b"\0")
    made = message(digest or authenticode(whole, "sha256"), signer, *others)
    entry = struct.pack("<IHH", len(made) + 8, 0x0200, 0x0002) + made
    entry = entry.ljust(len(entry) + -len(entry) % 8, b"\0")
    old = found.certificates
    at = old.offset or len(whole)
    out = bytearray(whole + entry)
    out[found.certificates_at : found.certificates_at + 8] = struct.pack("<II", at, old.size + len(entry))
    return bytes(out)


def signature_list(kind: bytes, *entries: bytes, owner: bytes = b"o" * 16) -> bytes:
    """An EFI_SIGNATURE_LIST of entries of one size."""
    size = 16 + len(entries[0])
    rows = b"".join(owner + entry for entry in entries)
    return kind + struct.pack("<III", 28 + len(rows), 0, size) + rows


def certificates(*listed: x509.Certificate) -> bytes:
    """A list for each certificate, as db usually has them."""
    kind = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
    return b"".join(signature_list(kind, each.public_bytes(Encoding.DER)) for each in listed)


def digests(*listed: bytes) -> bytes:
    """A list of SHA-256 digests."""
    return signature_list(bytes.fromhex("2616c4c14c509240aca941f936934328"), *listed)
