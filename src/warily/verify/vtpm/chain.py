"""From the certificate of an attestation key up to an authority that is trusted. Nothing is trusted here yet."""

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Final

from warily.errors import FormatError
from warily.formats import _der, pem
from warily.formats._der import DerReader
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.vtpm import keys

MAX_DEPTH: Final = 4
BASIC_CONSTRAINTS: Final = "2.5.29.19"
KEY_USAGE: Final = "2.5.29.15"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
ENDORSEMENT: Final = bytes.fromhex("06056781050801")  # tcg-kp-EKCertificate, 2.23.133.8.1, as it stands in DER
UNDERSTOOD: Final = frozenset({BASIC_CONSTRAINTS, KEY_USAGE, "2.5.29.17", "2.5.29.37"})
GCE_INSTANCE: Final = "1.3.6.1.4.1.11129.2.1.21"
DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, KEY_AGREEMENT, KEY_CERT_SIGN, CRL_SIGN = 0, 2, 4, 5, 6
_UTF8_STRING: Final = 0x0C


@lru_cache(maxsize=1)
def pinned() -> tuple[Certificate, ...]:
    """The built-in authorities over attestation keys: Google Compute Engine's."""
    text = resources.files("warily.verify").joinpath("roots", "google_ak.pem").read_bytes()
    return tuple(x509.decoded(block.der) for block in pem.decode_blocks(text))


def is_pinned_anchor(certificate: Certificate) -> bool:
    """Whether the certificate is built in and stands above all that are: what it signs needs no further voucher."""
    issuers = {entry.subject for entry in pinned() if entry is not certificate}
    return any(entry.raw == certificate.raw for entry in pinned()) and (
        certificate.issuer == certificate.subject or certificate.issuer not in issuers
    )


def is_anchor(certificate: Certificate, authorities: frozenset[bytes]) -> bool:
    """Whether trust may rest on the certificate: built in, or named by the expectation."""
    return is_pinned_anchor(certificate) or x509.fingerprint(certificate) in authorities


def climb(leaf: Certificate, offered: Sequence[Certificate], authorities: frozenset[bytes]) -> tuple[Certificate, ...]:
    """The leaf, and above each certificate the one that signed it, or else one that has its issuer's name.

    Ends at an anchor, where nobody is found, or after four steps.
    """
    chain = [leaf]
    candidates = (*offered, *pinned())
    while len(chain) <= MAX_DEPTH and not (len(chain) > 1 and is_anchor(chain[-1], authorities)):
        named = [entry for entry in candidates if entry.subject == chain[-1].issuer and entry not in chain]
        found = next((entry for entry in named if signs(entry, chain[-1])), named[0] if named else None)
        if found is None:
            break
        chain.append(found)
    return tuple(chain)


def signs(issuer: Certificate, child: Certificate | RevocationList) -> bool:
    """Whether `issuer` has the name that `child` gives as its issuer's, and its key signed `child`."""
    return issuer.subject == child.issuer and keys.signed_certificate(
        issuer.public_key, child.algorithm, child.signature, child.tbs
    )


def may_certify(issuer: Certificate, below: int) -> bool:
    """Whether an authority may have `below` further authorities under it (RFC 5280, sections 4.2.1.3 and 4.2.1.9)."""
    constraints = issuer.extensions.get(BASIC_CONSTRAINTS)
    if constraints is None or not issuer.is_authority or not may(issuer, KEY_CERT_SIGN):
        return False
    inner = _der.only(constraints.value, _der.SEQUENCE, what="basic constraints")
    inner.any("authority")
    return not inner.has(_der.INTEGER) or inner.integer("path length", limit=2) >= below


def may(certificate: Certificate, use: int) -> bool:
    """Whether the key usage allows a use, by the number of its bit; a certificate without key usage allows all."""
    usage = certificate.extensions.get(KEY_USAGE)
    if usage is None:
        return True
    reader = DerReader(usage.value, what="key usage")
    bits = reader.take(_der.BIT_STRING, "bits").content
    return len(bits) > 1 and bool(bits[1] >> (7 - use) & 1)


def is_endorsement(certificate: Certificate) -> bool:
    """Whether the certificate says of itself that it is of a TPM's endorsement key."""
    usage = certificate.extensions.get(EXTENDED_KEY_USAGE)
    return usage is not None and not certificate.is_authority and ENDORSEMENT in usage.value


def unknown_critical(certificate: Certificate) -> list[str]:
    """Critical extensions that nothing here understands."""
    return [oid for oid, entry in certificate.extensions.items() if entry.critical and oid not in UNDERSTOOD]


def gce_instance(certificate: Certificate) -> str | None:
    """`project/zone/name/number` of the machine that Google's certificate of an attestation key is for; else None."""
    extension = certificate.extensions.get(GCE_INSTANCE)
    if extension is None:
        return None
    try:
        reader = _der.only(extension.value, _der.SEQUENCE, what="GCE instance")
        zone = reader.take(_UTF8_STRING, "zone").content.decode()
        reader.integer("project number", limit=8)
        project = reader.take(_UTF8_STRING, "project").content.decode()
        number = reader.integer("instance", limit=9)
        name = reader.take(_UTF8_STRING, "name").content.decode()
    except UnicodeDecodeError:
        msg = "GCE instance: not UTF-8"
        raise FormatError(msg) from None
    said = f"{project}/{zone}/{name}/{number}"
    return said if said.isprintable() and len(said) <= 256 else None  # noqa: PLR2004  # far over any name
