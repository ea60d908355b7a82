"""What is known of Intel beforehand, and what is remembered of a platform, makes no check weaker."""

from pathlib import Path

from cryptography import x509 as library

from tests.verify.test_tdx_vectors import BASES, blob, judge
from warily.core.finding import Outcome
from warily.formats import pem
from warily.formats.tdx_quote import Quote
from warily.verify.tdx import p256
from warily.verify.tdx.roots import certificate_of, intel_root, known


def test_the_root_signed_every_known_certificate() -> None:
    root = library.load_der_x509_certificate(intel_root().raw)
    for der, found in known().items():
        library.load_der_x509_certificate(der).verify_directly_issued_by(root)
        assert p256.is_signed_by(found, intel_root())
        assert certificate_of(der) is found


def test_only_what_names_no_platform_is_known() -> None:
    assert sorted(found.name for found in known().values()) == [
        "Intel SGX PCK Platform CA",
        "Intel SGX PCK Processor CA",
        "Intel SGX Root CA",
        "Intel SGX TCB Signing",
        "Intel SGX TCB Signing",
    ]


def test_a_known_certificate_signs_for_nobody_else() -> None:
    by_name = {found.name: found for found in known().values()}
    platform, processor = by_name["Intel SGX PCK Platform CA"], by_name["Intel SGX PCK Processor CA"]
    assert not p256.is_signed_by(platform, processor)
    assert not p256.is_signed_by(intel_root(), platform)


def test_a_changed_report_of_the_quoting_enclave_is_refused_after_the_genuine_one(vectors: Path) -> None:
    name, bundle, at = BASES["v4"]
    genuine = blob(vectors, name)
    assert judge(vectors, name, bundle, at).outcome_of("tdx.qe.signature") is Outcome.PASS
    quote = Quote.decode(genuine)
    key = certificate_of_pck(quote)
    assert p256.report_verified(key, quote.qe_report_signature, quote.qe_report_raw)
    for at_byte in (0, 200, 383):
        report = bytearray(quote.qe_report_raw)
        report[at_byte] ^= 1
        assert not p256.report_verified(key, quote.qe_report_signature, bytes(report))
    assert not p256.report_verified(intel_root().public_key, quote.qe_report_signature, quote.qe_report_raw)


def certificate_of_pck(quote: Quote) -> bytes:
    """The public key in the quote's PCK certificate."""
    return certificate_of(pem.decode_blocks(quote.certification.rstrip(b"\x00"))[0].der).public_key
