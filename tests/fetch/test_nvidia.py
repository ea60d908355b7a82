"""NVIDIA's services: manifests by the names that reports give, and words on revocation that are posted for."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from tests.fetch.test_fetch import fetch, said
from tests.fetch.vendor import Reply, Vendor, pem_of
from tests.forge import NOW
from warily.cli.main import run_command_line
from warily.errors import CollateralError, FormatError
from warily.fetch.door import Door, Pace
from warily.fetch.plan import plan
from warily.fetch.request import Answer, Request
from warily.fetch.servers import Target, servers
from warily.verify import kinds, recognise

SDK = "evidence/nvidia/attestation-sdk"
DRIVER = "sample_rims/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml"
VBIOS = "evidence/nvidia/rims_nvtrust/1010_0200_882_96005E0001_PROD.swidtag"


def rim(path: Path) -> bytes:
    return json.dumps({"id": path.stem, "rim": base64.b64encode(path.read_bytes()).decode()}).encode()


@lru_cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    assert name
    return ec.generate_private_key(ec.SECP384R1())


@lru_cache
def certificate(name: str, issuer: str) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer)]
    made = x509.CertificateBuilder(subject_name=names[0], issuer_name=names[1], public_key=key(name).public_key())
    made = made.serial_number(len(name)).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9))
    ca = not name.startswith("GH100")
    made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return made.sign(key(issuer), SHA384())


CHAIN = (("GH100 A01 GSP FMC LF", "Provisioner"), ("Provisioner", "Device Root"), ("Device Root", "Device Root"))


def chain() -> bytes:
    return pem_of(*(certificate(*names).public_bytes(Encoding.DER) for names in CHAIN))


def status(*, name: str = "Provisioner", signer: str = "Device Root", good: bool = True) -> bytes:
    issuer = certificate("Device Root", "Device Root")
    subject = certificate(name, "Device Root")
    made = ocsp.OCSPResponseBuilder().add_response(
        cert=subject,
        issuer=issuer,
        algorithm=SHA384(),
        cert_status=ocsp.OCSPCertStatus.GOOD if good else ocsp.OCSPCertStatus.REVOKED,
        this_update=NOW,
        next_update=NOW + timedelta(days=1),
        revocation_time=None if good else NOW,
        revocation_reason=None,
    )
    made = made.responder_id(ocsp.OCSPResponderEncoding.HASH, certificate(signer, signer))
    return made.sign(key(signer), SHA384()).public_bytes(Encoding.DER)


def requests_of(report: Path, certificates: bytes) -> dict[str, Request]:
    evidence = recognise.evidence_from(report.read_bytes())
    at_hand = recognise.collateral_from([certificates]).certificates
    return {one.what: one for one in plan(evidence, at_hand).requests}


def test_manifests_by_the_names_that_reports_give(
    vendor: Vendor, vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = vectors / SDK
    names = ("NV_GPU_DRIVER_GH100_535.86.09", "NV_GPU_VBIOS_1010_0200_882_96005E0001")
    vendor.on(f"/v1/rim/{names[0]}", rim(folder / DRIVER))
    vendor.on(f"/v1/rim/{names[1]}", rim(vectors / VBIOS))
    report = folder / "gpu/hopperAttestationReport.txt"
    words = ("--collateral", str(folder / "gpu/hopperCertChain.txt"), "--into", str(tmp_path / "out"))
    assert fetch(vendor, report, *words, "--json") == 4, "nobody answers for OCSP here"
    found = said(capsys)
    assert [item["name"] for item in found["items"]] == [
        "nvidia-nv-gpu-driver-gh100-535.86.09.xml", "nvidia-nv-gpu-vbios-1010-0200-882-96005e0001.xml",
    ]  # fmt: skip
    assert (tmp_path / "out" / found["items"][1]["name"]).read_bytes() == (vectors / VBIOS).read_bytes()
    assert all(one["what"].startswith("whether ") for one in found["missing"])
    asked = {x509.ocsp.load_der_ocsp_request(body).serial_number for kind, body in vendor.posted}
    assert {kind for kind, _ in vendor.posted} == {"application/ocsp-request"}
    assert len(asked) == len(found["missing"]) > 3, "authorities of the device, and those of both manifests' signers"
    assert recognise.recognise((tmp_path / "out" / found["items"][0]["name"]).read_bytes()) in kinds.COLLATERAL


def test_from_blackwell_on_names_differ(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = vectors / SDK
    for report, certificates, part in (
        ("gpu/blackwellAttestationReport.txt", "gpu/blackwellCertChain.txt", "/NV_GPU_CC_DRIVER_GB100_575.32\n"),
        ("switchAttestationReport.txt", "switchCertChain.txt", "/NV_SWITCH_BIOS_5612_0002_890_9610550001\n"),
    ):
        words = ["fetch", str(folder / report), "--collateral", str(folder / certificates), "--plan"]
        assert run_command_line(words) == 0
        assert part in capsys.readouterr().out
    assert run_command_line(["fetch", str(folder / "gpu/hopperAttestationReport.txt"), "--plan"]) == 0
    assert "comes from the device itself" in capsys.readouterr().err


def test_a_manifest_of_something_else_is_not_taken(vectors: Path) -> None:
    folder = vectors / SDK
    chain_ = (folder / "gpu/blackwellCertChain.txt").read_bytes()
    requests = requests_of(folder / "gpu/blackwellAttestationReport.txt", chain_)
    driver = next(one for what, one in requests.items() if "DRIVER" in what)
    hopper = (folder / "NV_GPU_DRIVER_GH100_550.144.03.xml").read_bytes()
    for body in (hopper, rim(folder / "NV_GPU_DRIVER_GH100_550.144.03.xml"), b"{}", b"<a/>", b'{"rim": "%%"}', b""):
        with pytest.raises(FormatError):
            driver.accept(Answer(url="https://x/", fetched=NOW, body=body, headers={}))


def test_words_on_revocation(vendor: Vendor, vectors: Path) -> None:
    report = vectors / SDK / "gpu/hopperAttestationReport.txt"
    requests = requests_of(report, chain())
    assert [what for what in requests if what.startswith("whether")] == ["whether Provisioner is revoked"]
    request = requests["whether Provisioner is revoked"]

    def taken(body: bytes) -> Callable[[], object]:
        return lambda: request.accept(Answer(url="https://x/", fetched=NOW, body=body, headers={}))

    for body in (status(), status(good=False)):
        assert taken(body)()
    for body in (status(name="Another"), status(signer="evil"), b"", b"\x30\x03\x0a\x01\x06", chain()):
        with pytest.raises(FormatError):
            taken(body)()
    (target,) = servers({"ocsp": vendor.url}, {}).targets(request)
    word = status()
    vendor.on("/", word)
    door = Door(pace=Pace(patience=1), say=print)
    assert door.get(target, limit=request.limit).body == word
    assert x509.ocsp.load_der_ocsp_request(vendor.posted[0][1]).serial_number == len("Provisioner")
    assert target.key.startswith(f"{vendor.url}/#")
    vendor.on("/", Reply(status=307, headers={"Location": "/"}))
    with pytest.raises(CollateralError, match="or one of something posted"):
        door.get(target, limit=request.limit)
    assert Target(url="https://x/", spacing=0).key == "https://x/"
