"""The key hierarchy of a rehearsal: AMD's shape (ARK, ASK, VCEK), keys of our own, and names that say so.

A chain of these certificates is checked by the very code that checks AMD's. It is worth nothing until an
expectation names its root by fingerprint. Source of the shape: AMD 57230, section 3; extensions as in the
VCEK of a Genoa processor.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from warily.errors import HostError
from warily.formats.snp_report import Tcb

ORGANISATION: Final = "warily rehearsal, not AMD"
ARK: Final = "ARK-Rehearsal"
ASK: Final = "SEV-Rehearsal"
VCEK: Final = "SEV-VCEK"
PRODUCT: Final = "Genoa"
CPUID: Final = (0x19, 0x11, 0x01)  # family, model and stepping of that product
LEVELS: Final = Tcb(bootloader=10, tee=0, snp=23, microcode=84)
CHIP_ID_SIZE: Final = 64
RSA_BITS: Final = 4096
SALT: Final = 48

# A rehearsal has no calendar: its certificates are valid whenever somebody rehearses.
NOT_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER: Final = datetime(2049, 12, 31, tzinfo=UTC)

_ARC: Final = "1.3.6.1.4.1.3704.1"
_INTEGER: Final = 0x02
_IA5_STRING: Final = 0x16
_PEM_LIMIT: Final = 1 << 14
_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Certificates in DER, the chip's signing key and its 64-byte identity."""

    ark: bytes
    ask: bytes
    vcek: bytes
    chip_id: bytes
    signing_key: ec.EllipticCurvePrivateKey


def hierarchy(folder: Path) -> Hierarchy:
    """The hierarchy kept in `folder`, made on first use (some seconds), private keys readable by their owner alone.

    Raises `HostError` where the folder holds something else.
    """
    if not folder.exists() or not any(folder.iterdir()):
        _make(folder)
    if folder.stat().st_mode & _OTHERS:
        message = f"{folder} is open to others"
        raise HostError(message, hint=f"run `chmod 700 {folder}`")
    try:
        ark, ask, vcek, chip_id, pem = (
            (folder / name).read_bytes()[:_PEM_LIMIT] for name in ("ark.der", "ask.der", "vcek.der", "chip", "vcek.key")
        )
        key = _signing_key(pem)
    except (OSError, ValueError, TypeError):
        message = f"{folder} does not hold the keys of a rehearsal"
        raise HostError(message, hint="delete it; new keys, and hence a new root, are made on next use") from None
    return Hierarchy(ark=ark, ask=ask, vcek=vcek, chip_id=chip_id, signing_key=key)


def rehearsal_root(folder: Path) -> bytes:
    """The DER of the ARK in `folder`; an expectation that trusts the rehearsal names its SHA-256."""
    return hierarchy(folder).ark


def _make(folder: Path) -> None:
    """A whole hierarchy appears in `folder`, or nothing does; of two first uses, one wins."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, content in _files().items():
            _write(fresh / name, content)
        fresh.rename(folder)  # replaces an empty folder, refuses a full one
    except OSError:
        if not folder.is_dir() or not any(folder.iterdir()):
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _files() -> dict[str, bytes]:
    """The files of a new hierarchy."""
    ark_key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    ask_key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    vcek_key = ec.generate_private_key(ec.SECP384R1())
    chip_id = secrets.token_bytes(CHIP_ID_SIZE)
    ark = _authority(ARK, ark_key.public_key(), issuer=ARK, path_length=None)
    ask = _authority(ASK, ask_key.public_key(), issuer=ARK, path_length=0)
    vcek = _certificate(VCEK, vcek_key.public_key(), issuer=ASK)
    for arc, value in _extensions(chip_id).items():
        vcek = vcek.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_ARC}.{arc}"), value), critical=False
        )
    return {
        "ark.der": _signed(ark, ark_key),
        "ask.der": _signed(ask, ark_key),
        "vcek.der": _signed(vcek, ask_key),
        "chip": chip_id,
        "ark.key": _pem(ark_key),
        "ask.key": _pem(ask_key),
        "vcek.key": _pem(vcek_key),
    }


def _extensions(chip_id: bytes) -> Mapping[str, bytes]:
    """AMD's extensions, by what follows AMD's arc, in the order of a Genoa VCEK. The unnamed levels are zero."""
    levels = {"3.1": LEVELS.bootloader, "3.2": LEVELS.tee} | {f"3.{n}": 0 for n in (4, 5, 6, 7)}
    levels |= {"3.3": LEVELS.snp, "3.8": LEVELS.microcode}
    return {
        "1": _der(_INTEGER, b"\0"),  # structVersion 0: the TCB layout before Turin
        "2": _der(_IA5_STRING, PRODUCT.encode("ascii")),
        **{arc: _der(_INTEGER, bytes([level])) for arc, level in levels.items()},  # all below 0x80
        "4": chip_id,  # raw, as AMD writes it
    }


def _der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _certificate(
    subject: str, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, *, issuer: str
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )


def _authority(subject: str, key: rsa.RSAPublicKey, *, issuer: str, path_length: int | None) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=path_length is None,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _certificate(subject, key, issuer=issuer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: rsa.RSAPrivateKey) -> bytes:
    pss = padding.PSS(mgf=padding.MGF1(SHA384()), salt_length=SALT)
    return builder.sign(key, SHA384(), rsa_padding=pss).public_bytes(Encoding.DER)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _signing_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError
    return key


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
