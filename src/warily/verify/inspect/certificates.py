"""Certificates and revocation lists as trees: a summary of each, in DER, PEM and SNP certificate tables."""

from typing import Final

from warily.errors import FormatError
from warily.formats import _der, pem, snp_certs
from warily.formats.x509 import Certificate, RevocationList, common_name
from warily.verify.inspect.node import Node, few, shown

_ALGORITHMS: Final = {
    "1.2.840.10045.2.1": "elliptic curve",
    "1.2.840.113549.1.1.1": "RSA",
    "1.3.101.112": "Ed25519",
    "1.2.840.113549.1.1.10": "RSA-PSS",
    "1.2.840.113549.1.1.11": "RSA with SHA-256",
    "1.2.840.113549.1.1.12": "RSA with SHA-384",
    "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
    "1.2.840.10045.4.3.3": "ECDSA with SHA-384",
}
_EXTENSIONS: Final = {
    "2.5.29.14": "subject key id",
    "2.5.29.15": "key usage",
    "2.5.29.17": "subject names",
    "2.5.29.19": "basic constraints",
    "2.5.29.31": "revocation lists",
    "2.5.29.35": "authority key id",
    "2.5.29.37": "extended key usage",
    "1.3.6.1.4.1.3704.1.1": "AMD structure version",
    "1.3.6.1.4.1.3704.1.2": "AMD product name",
    "1.3.6.1.4.1.3704.1.3.1": "AMD patch level, bootloader",
    "1.3.6.1.4.1.3704.1.3.2": "AMD patch level, TEE",
    "1.3.6.1.4.1.3704.1.3.3": "AMD patch level, SNP",
    "1.3.6.1.4.1.3704.1.3.8": "AMD patch level, microcode",
    "1.3.6.1.4.1.3704.1.3.9": "AMD patch level, FMC",
    "1.3.6.1.4.1.3704.1.4": "AMD hardware id",
    "1.3.6.1.4.1.3704.1.5": "AMD cloud provider id",
    "1.2.840.113741.1.13.1": "Intel SGX extensions",
}
_GUIDS: Final = {
    snp_certs.VCEK: "VCEK",
    snp_certs.VLEK: "VLEK",
    snp_certs.ASK: "ASK",
    snp_certs.ARK: "ARK",
    snp_certs.CRL: "revocation list",
    snp_certs.EXTRA_PLATFORM_INFO: "extra platform information",
}


def certificate_node(der: bytes, *, at: int | None, name: str = "certificate") -> Node:
    """A summary of a certificate. Raises `FormatError`."""
    certificate = Certificate.decode(der)
    listed = (
        Node(name=_EXTENSIONS.get(oid, oid), value=shown(entry.value), note="critical" if entry.critical else "")
        for oid, entry in certificate.extensions.items()
    )
    parts = (
        Node(name="subject", value=certificate.name),
        Node(name="issuer", value=common_name(certificate.issuer)),
        Node(name="serial number", value=f"{certificate.serial:#x}"),
        Node(name="valid from", value=certificate.not_before.isoformat()),
        Node(name="valid until", value=certificate.not_after.isoformat()),
        Node(name="public key", value=_algorithm(_der.only(certificate.public_key, _der.SEQUENCE, what="key"))),
        Node(name="signed with", value=_algorithm(_wrapped(certificate.algorithm))),
        Node(name="authority", value=shown(certificate.is_authority)),
        Node(name="extensions", parts=few(listed)),
    )
    return Node(name=name, offset=at, size=len(der), value=certificate.name, parts=parts)


def crl_node(der: bytes, *, at: int | None) -> Node:
    """A summary of a revocation list. Raises `FormatError`."""
    crl = RevocationList.decode(der)
    revoked = few((Node(name="serial number", value=f"{serial:#x}") for serial in sorted(crl.serials)), limit=32)
    parts = (
        Node(name="issuer", value=crl.name),
        Node(name="this update", value=crl.this_update.isoformat()),
        Node(name="next update", value=crl.next_update.isoformat() if crl.next_update else "not said"),
        Node(name="signed with", value=_algorithm(_wrapped(crl.algorithm))),
        Node(name="revoked", value=str(len(crl.serials)), parts=revoked),
    )
    return Node(name="revocation list", offset=at, size=len(der), value=crl.name, parts=parts)


def pem_node(text: bytes) -> Node:
    """The blocks of a PEM bundle. Raises `FormatError`."""
    return Node(name="PEM bundle", size=len(text), parts=few(_block(block) for block in pem.decode_blocks(text)))


def _block(block: pem.Block) -> Node:
    if "PRIVATE KEY" in block.label:
        return Node(name=block.label, note="not shown")
    try:
        if block.label == pem.CERTIFICATE:
            return certificate_node(block.der, at=None)
        if block.label == pem.CRL:
            return crl_node(block.der, at=None)
    except FormatError as error:
        return Node(name=block.label, note=f"malformed: {error}")
    return Node(name=block.label, value=shown(block.der))


def table_node(data: bytes, *, at: int) -> Node:
    """An SNP certificate table, `at` its offset in the file. Raises `FormatError`."""
    entries = []
    for index, (guid, blob) in enumerate(snp_certs.decode_table(data)):
        place = index * snp_certs.ENTRY + 16
        start = at + int.from_bytes(data[place : place + 4], "little")
        entries.append(_entry(_GUIDS.get(guid, guid), blob, start))
    return Node(name="certificate table", offset=at, size=len(data), note="AMD 56421", parts=few(entries))


def _entry(name: str, blob: bytes, at: int) -> Node:
    try:
        if blob.startswith(pem.MARK):
            return Node(name=name, offset=at, size=len(blob), parts=(pem_node(blob),))
        if name == _GUIDS[snp_certs.CRL]:
            return crl_node(blob, at=at)
        return certificate_node(blob, at=at, name=name)
    except FormatError as error:
        return Node(name=name, offset=at, size=len(blob), value=shown(blob), note=f"no certificate: {error}")


def _wrapped(algorithm: bytes) -> _der.DerReader:
    return _der.DerReader(algorithm, what="algorithm")


def _algorithm(source: _der.DerReader) -> str:
    oid = source.inside(_der.SEQUENCE, "algorithm").oid("identifier")
    return _ALGORITHMS.get(oid, oid)
