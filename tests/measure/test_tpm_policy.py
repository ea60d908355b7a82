"""Policy digests, each compared with what a TPM computes in a session of its own."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.software_tpm import SoftwareTpm, selection
from warily.errors import FormatError, UsageError
from warily.formats.tpm import Algorithm, Selection, Signature, encode_selections
from warily.measure.tpm_policy import key_name, policy_authorize, policy_pcr, public_area

PATH = ("enter-initrd", "leave-initrd")


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_tpm_computes_the_same_policies() -> None:
    banks = ("sha256", "sha384")
    with SoftwareTpm() as tpm:
        for word in PATH:
            tpm.extend(11, {bank: hashlib.new(bank, word.encode()).digest() for bank in banks})
        values = {bank: {index: tpm.read(bank, index) for index in (0, 11)} for bank in banks}
        chosen = [Selection(bank=Algorithm[bank.upper()], width=3, pcrs=(0, 11)) for bank in banks]
        for algorithm in banks:
            session = tpm.policy_session(algorithm)
            tpm.policy_pcr(session, encode_selections(chosen))
            first = policy_pcr(values, algorithm=algorithm)
            assert tpm.policy_digest(session) == first
            tpm.policy_pcr(session, selection("sha256", [11]))
            assert tpm.policy_digest(session) == policy_pcr(
                {"sha256": {11: values["sha256"][11]}}, algorithm=algorithm, before=first
            )


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
def test_a_tpm_takes_the_signed_policy_and_comes_to_the_authorized_digest(kind: str) -> None:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    with SoftwareTpm() as tpm:
        approved = policy_pcr({"sha256": {11: tpm.read("sha256", 11)}})
        if kind == "rsa":
            key = rsa.generate_private_key(65537, 2048)
            numbers: tuple[bytes, ...] = (key.sign(approved, padding.PKCS1v15(), SHA256()),)
            scheme = Algorithm.RSASSA
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            numbers = tuple(
                part.to_bytes(32, "big") for part in decode_dss_signature(key.sign(approved, ec.ECDSA(SHA256())))
            )
            scheme = Algorithm.ECDSA
        handle, name = tpm.load(public_area(pem(key)).encode())
        assert name == key_name(pem(key))
        signature = Signature(scheme=scheme, hash=Algorithm.SHA256, numbers=numbers).encode()
        ticket = tpm.verify(handle, hashlib.sha256(approved).digest(), signature)
        session = tpm.policy_session()
        tpm.policy_pcr(session, selection("sha256", [11]))
        tpm.policy_authorize(session, approved, name, ticket)
        assert tpm.policy_digest(session) == policy_authorize(pem(key))


def test_the_order_of_banks_counts_and_that_of_registers_does_not() -> None:
    one, two = {3: bytes(32), 1: b"\1" * 32}, {0: bytes(20)}
    assert policy_pcr({"sha256": one, "sha1": two}) == policy_pcr({"sha256": dict(reversed(one.items())), "sha1": two})
    assert policy_pcr({"sha256": one, "sha1": two}) != policy_pcr({"sha1": two, "sha256": one})


@pytest.mark.parametrize("values", [{}, {"sha256": {}}, {"sha256": {24: bytes(32)}}, {"md5": {0: bytes(16)}}])
def test_what_no_tpm_would_take_is_refused(values: dict[str, dict[int, bytes]]) -> None:
    with pytest.raises(UsageError):
        policy_pcr(values)


@pytest.mark.parametrize("key", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"x" * 70000])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(FormatError):
        policy_authorize(key)
