"""An attestation key is bound to an endorsement key by a credential: made here, opened by a real TPM in software."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.forge import NOW
from tests.forge_tpm import ROOT, key
from tests.software_tpm import PASSWORD, SESSIONS, SoftwareTpm, selection, sized, unsized
from warily.cli.main import run_command_line
from warily.formats.tpm import Public
from warily.formats.tpm_credential import Credential
from warily.verify.vtpm import keys

ENDORSEMENT, OWNER = 0x4000000B, 0x40000001
POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
TEMPLATES = {  # L-1 and L-2 of the TCG EK Credential Profile
    "RSA": bytes.fromhex("0001 000b 000300b2")
    + sized(POLICY)
    + bytes.fromhex("0006 0080 0043 0010 0800 00000000")
    + sized(bytes(256)),
    "ECC": bytes.fromhex("0023 000b 000300b2")
    + sized(POLICY)
    + bytes.fromhex("0006 0080 0043 0010 0003 0010")
    + sized(bytes(32)) * 2,
}
AK = bytes.fromhex("0023 000b 00050472 0000 0010 0018 000b 0003 0010 0000 0000")
AT = ["--at", f"{NOW:%Y-%m-%dT%H:%M:%SZ}"]
NONCE = "c0ffee"


def password() -> bytes:
    return PASSWORD.to_bytes(4, "big") + bytes(5)


def authorized(tpm: SoftwareTpm, code: int, handles: list[int], sessions: list[bytes], parameters: bytes) -> bytes:
    """What a command with sessions answers, from its handle or its parameters on."""
    area = b"".join(sessions)
    body = b"".join(handle.to_bytes(4, "big") for handle in handles) + len(area).to_bytes(4, "big") + area + parameters
    return tpm.command(code, body, tag=SESSIONS)


def primary(tpm: SoftwareTpm, hierarchy: int, template: bytes) -> tuple[int, bytes]:
    """TPM2_CreatePrimary: the handle, and the TPMT_PUBLIC."""
    parameters = sized(bytes(4)) + sized(template) + sized(b"") + bytes(4)
    answer = authorized(tpm, 0x131, [hierarchy], [password()], parameters)
    return int.from_bytes(answer[:4], "big"), unsized(answer[8:])


def activate(tpm: SoftwareTpm, attestation: int, endorsement: int, made: Credential) -> bytes:
    """TPM2_ActivateCredential, with the endorsement hierarchy's secret as its policy wants."""
    session = tpm.policy_session()
    authorized(tpm, 0x151, [ENDORSEMENT, session], [password()], sized(b"") * 3 + bytes(4))
    policy = session.to_bytes(4, "big") + bytes.fromhex("0000 01 0000")
    parameters = sized(made.id_object) + sized(made.secret)
    return unsized(authorized(tpm, 0x147, [attestation, endorsement], [password(), policy], parameters)[4:])


def quote(tpm: SoftwareTpm, attestation: int) -> tuple[bytes, bytes]:
    """TPM2_Quote over PCR 0 and 7: the TPMS_ATTEST and the TPMT_SIGNATURE."""
    parameters = sized(bytes.fromhex(NONCE)) + b"\x00\x10" + selection("sha256", [0, 7])
    answer = authorized(tpm, 0x158, [attestation], [password()], parameters)
    size = int.from_bytes(answer[:4], "big")
    message = unsized(answer[4:])
    return message, answer[6 + len(message) : 4 + size]


def certificate(spki: bytes, *, endorsement: bool = True) -> bytes:
    """A certificate of a maker of ours for an endorsement key, in PEM."""
    usage = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        False,
    )
    extended = ObjectIdentifier("2.23.133.8.1") if endorsement else ExtendedKeyUsageOID.SERVER_AUTH
    maker = x509.NameAttribute(ObjectIdentifier("2.23.133.2.1"), "id:53574750")
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([]),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ROOT.subject)]),
        public_key=load_der_public_key(spki),  # type: ignore[arg-type]  # RSA or ECC
        serial_number=7,
        not_valid_before=NOW - timedelta(days=1),
        not_valid_after=NOW + timedelta(days=1),
    )
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=False, key_encipherment=True, key_agreement=True, **usage), True),
        (x509.ExtendedKeyUsage([extended]), False),
        (x509.SubjectAlternativeName([x509.DirectoryName(x509.Name([maker]))]), True),
    ):
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(key(ROOT.signer), SHA256())
    return made.public_bytes(Encoding.PEM)


class Machine:
    """A TPM, its two keys, and every file that it and its verifier exchange, in one folder."""

    def __init__(self, tpm: SoftwareTpm, kind: str, folder: Path) -> None:
        self.tpm, self.folder = tpm, folder
        self.endorsement, public = primary(tpm, ENDORSEMENT, TEMPLATES[kind])
        self.attestation, described = primary(tpm, OWNER, AK)
        message, signature = quote(tpm, self.attestation)
        self.spki = keys.from_tpm(Public.decode(public))
        root = x509.load_der_x509_certificate(ROOT.make()).public_bytes(Encoding.PEM)
        values = b"".join(tpm.read("sha256", pcr) for pcr in (0, 7))
        for name, data in (
            ("ek.pem", certificate(self.spki)), ("maker.pem", root), ("ak.pub", sized(described)),
            ("t.quote", message), ("t.sig", signature), ("t.pcrs", values),
        ):  # fmt: skip
            (folder / name).write_bytes(data)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def make(self, *, endorsement: str = "ek.pem", stem: str = "c") -> int:
        out = ["--out", self.path(f"{stem}.credential"), "--record", self.path(f"{stem}.record")]
        return run_command_line(["credential", self.path(endorsement), self.path("ak.pub"), *out])

    def answer(self, stem: str = "c") -> None:
        made = Credential.decode((self.folder / f"{stem}.credential").read_bytes())
        (self.folder / f"{stem}.secret").write_bytes(activate(self.tpm, self.attestation, self.endorsement, made))

    def verify(self, *words: str, expect: str = "baseline") -> int:
        given = [word for name in ("ek.pem", "maker.pem", "ak.pub") for word in ("--collateral", self.path(name))]
        named = ["--authority", self.path("maker.pem"), "--nonce", NONCE, "--expect", expect]
        return run_command_line(["verify", self.path("t.quote"), *given, *named, *words, *AT])

    def shown(self, stem: str = "c") -> list[str]:
        return ["--credential", self.path(f"{stem}.record"), "--activated", self.path(f"{stem}.secret")]


@pytest.fixture(params=["RSA", "ECC"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    with SoftwareTpm() as tpm:
        yield Machine(tpm, request.param, tmp_path)


def test_a_real_tpm_opens_the_credential_and_the_quote_is_accepted(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine.make() == 0
    machine.answer()
    assert machine.verify(*machine.shown(), expect="baseline") == 0
    said = capsys.readouterr().out
    assert "its endorsement key, whose TPM opened a credential" in said
    assert "is held by that TPM" in said
    assert machine.verify(*machine.shown(), expect="genuine") == 0


def test_nothing_is_taken_for_granted(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.make()
    assert machine.verify("--credential", machine.path("c.record"), "--json") == 4  # nothing came back
    assert first(capsys) == "vtpm.ek.activation"
    (machine.folder / "c.secret").write_bytes(bytes(32))
    assert machine.verify(*machine.shown(), "--json") == 10
    assert first(capsys) == "vtpm.ek.activation"
    record = json.loads((machine.folder / "c.record").read_text())
    (machine.folder / "c.record").write_text(json.dumps(record | {"name": "000b" + "00" * 32}))
    assert machine.verify(*machine.shown(), "--json") == 10
    assert first(capsys) == "vtpm.ek.activation"
    (machine.folder / "c.record").write_text(json.dumps(record | {"endorsement_key": "00" * 32}))
    assert machine.verify(*machine.shown(), "--json") == 4
    assert first(capsys) == "vtpm.ek.certificate"


def test_the_certificate_must_be_for_an_endorsement_key(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.make()
    machine.answer()
    (machine.folder / "ek.pem").write_bytes(certificate(machine.spki, endorsement=False))
    assert machine.verify(*machine.shown(), "--json") == 10
    assert first(capsys) == "vtpm.ek.certificate"


def test_a_certificate_without_a_credential_binds_nothing(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "verify",
        machine.path("t.quote"),
        "--collateral",
        machine.path("ek.pem"),
        "--authority",
        machine.path("maker.pem"),
    ]
    folder = machine.folder / "beside"
    folder.mkdir()
    for name in ("t.quote", "t.sig", "t.pcrs"):
        (folder / name).write_bytes((machine.folder / name).read_bytes())
    (folder / "t.pub").write_bytes((machine.folder / "ak.pub").read_bytes())
    words = ["verify", str(folder / "t.quote"), "--authority", machine.path("maker.pem"), *AT]
    words += ["--collateral", machine.path("ek.pem"), "--collateral", machine.path("maker.pem")]
    assert run_command_line([*words, "--json"]) == 4
    assert first(capsys) == "vtpm.ek.activation"
    assert run_command_line([*words, "--collateral", machine.path("ak.pub")]) == 0  # trusted by name
    assert "assumed of whoever named it" in " ".join(capsys.readouterr().out.split())


def test_what_is_no_key_is_refused(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.folder / "ak.pub").write_bytes(b"no key")
    assert machine.make() == 2
    assert "TPMT_PUBLIC" in capsys.readouterr().err
    (machine.folder / "ek.pem").write_bytes(b"no certificate")
    assert machine.make() == 3


def first(capsys: pytest.CaptureFixture[str]) -> str:
    said = json.loads(capsys.readouterr().out)
    return next(str(entry["check"]) for entry in said["findings"] if entry["outcome"] not in ("pass", "waived"))
