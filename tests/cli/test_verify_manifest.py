"""`warily verify --manifest`: a signed manifest as the source of reference values, with and without a log."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import forge_tdx
from tests.explain.test_by_manifest import launched, tdx
from tests.forge import NOW, REPORT, ark, ask, leaf, signed
from tests.forge_tpm import log
from tests.measure.test_shapes import MANIFEST as SNP
from tests.measure.test_td_rules import GIB, MADE
from tests.measure.test_tdx import BUILT, launch
from tests.verify.test_tdx_recognise import BUNDLE
from warily.cli.main import run_command_line
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.formats.tcg_log import Event
from warily.formats.tdvf import Tdvf
from warily.host import keys
from warily.measure.boot import BootEvent, facts_of, predict_events, rtmr
from warily.measure.td_boot import TdBoot, Variant
from warily.measure.tdx import predict
from warily.release.signing import sign_manifest

SHA384 = 0x000C


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys of one's own, a rehearsal's report with its chain, and the signed manifest of what it runs."""
    monkeypatch.setenv("WARILY_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("WARILY_SEEN", str(tmp_path / "seen"))
    report = replace(REPORT, measurement=launched(Platform.REHEARSAL))
    (tmp_path / "evidence.bin").write_bytes(signed(report))
    for name, made in (("vcek", leaf()), ("ask", ask()), ("root", ark())):
        (tmp_path / f"{name}.der").write_bytes(made)
    sign(tmp_path, SNP)
    return tmp_path


def sign(folder: Path, manifest: Manifest) -> None:
    (folder / "manifest.dsse.json").write_bytes(sign_manifest(manifest, keys.signing_key("owner")))


def verify(desk: Path, *words: str, collateral: tuple[str, ...] = ("vcek.der", "ask.der", "root.der")) -> int:
    given = [word for name in collateral for word in ("--collateral", str(desk / name))]
    manifest = "--manifest", str(desk / "manifest.dsse.json")
    root = "--rehearsal-root", str(desk / "root.der")
    return run_command_line(
        ["verify", str(desk / "evidence.bin"), *given, *root, "--at", NOW.isoformat(), *manifest, *words]
    )


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    said = json.loads(capsys.readouterr().out)
    return {finding["check"]: finding for finding in said["findings"]}


def test_the_finding_names_the_shape(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(desk, "--json") == 0
    found = findings(capsys)
    assert found["manifest.shape"]["found"] == "ledger on rehearsal: 2 vCPUs, EPYC-v4"
    assert found["snp.measurement"]["outcome"] == "pass"
    assert verify(desk) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_the_token_says_so_too(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (desk / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert verify(desk, "--ear", str(desk / "key.pem")) == 0
    body = capsys.readouterr().out.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert said["submods"]["snp"]["ear.trustworthiness-vector"]["executables"] == 3
    assert [finding["check"] for finding in said["submods"]["snp"]["warily.findings"]][-1] == "manifest.shape"


def test_another_image_is_rejected(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign(desk, replace(SNP, command_line="other"))
    assert verify(desk, "--json") == 10
    found = findings(capsys)
    assert found["manifest.shape"]["found"] == "another value in launch_digest"
    assert "warily explain" in found["manifest.shape"]["hint"]


def test_only_a_trusted_owner_s_word_counts(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = keys.public_bytes(keys.signing_key("owner")).hex()
    monkeypatch.setenv("WARILY_KEYS", str(desk / "others"))
    assert verify(desk) == 10
    assert "the manifest is refused: it is signed by" in capsys.readouterr().err
    assert verify(desk, "--owner", owner) == 0
    envelope = (desk / "manifest.dsse.json").read_bytes()
    (desk / "manifest.dsse.json").write_bytes(SNP.encode())
    assert verify(desk, "--owner", owner) == 3
    assert envelope != SNP.encode()


@pytest.fixture
def proof(desk: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The proof that a log of one's own has the manifest, as version 1."""
    folder, signed_manifest = desk / "log", str(desk / "manifest.dsse.json")
    assert run_command_line(["log", "init", str(folder), "--origin", "example.org/images"]) == 0
    assert run_command_line(["log", "add", str(folder), signed_manifest]) == 0
    capsys.readouterr()
    assert run_command_line(["log", "prove", str(folder), signed_manifest]) == 0
    (desk / "proof").write_text(capsys.readouterr().out)
    return desk / "proof"


def test_a_log_can_be_required(desk: Path, proof: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = "--log-proof", str(proof)
    assert verify(desk, *given, "--at-least", "1", "--json") == 0
    found = findings(capsys)
    assert found["logged.version"]["found"] == "version 1"
    assert next(iter(found)).startswith("snp.")
    assert verify(desk, *given, "--at-least", "2", "--json") == 10
    assert findings(capsys)["logged.version"]["outcome"] == "fail"
    assert verify(desk, *given, "--witness", "w+00000000+AAAA") in (2, 3)
    assert verify(desk, *given, "--max-age", "1", "--json") == 10
    assert findings(capsys)["logged.age"]["outcome"] == "fail"
    sign(desk, replace(SNP, name="other"))
    assert verify(desk, *given, "--json") == 10
    assert findings(capsys)["logged.manifest"]["outcome"] == "fail"


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("--owner", "00" * 32), "--manifest"),
        (("--log-proof", "x"), "--manifest"),
        (("--at-least", "1"), "--log-proof"),
    ],
)
def test_what_belongs_together_is_asked_for(
    desk: Path, words: tuple[str, ...], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["verify", str(desk / "evidence.bin"), *words]) == 2
    assert f"without {missing}" in capsys.readouterr().err


def td_log(events: tuple[BootEvent, ...]) -> bytes:
    """A CCEL log of these events, as the firmware of a TD writes it."""
    entries = []
    for event in events:
        name, digest = rtmr(event.register), event.digest("sha384")
        assert name is not None
        assert digest is not None
        index = int(name.removeprefix("rtmr")) + 1
        data = event.data or event.name.encode()
        entries.append(Event(offset=0, register=index, type=event.type, digests=((SHA384, digest),), data=data))
    made = log(*entries, banks=(SHA384,))
    assert made.header is not None
    return replace(made, header=replace(made.header, register=1)).encode()


@pytest.fixture
def td(desk: Path) -> Path:
    """A TD with 6 GiB that booted what the manifest says, its quote and its log."""
    made: Any = launch(memory=6 * GIB)
    facts = facts_of(BUILT, layout=None)
    boot = TdBoot(made, Tdvf.parse(BUILT), facts)
    inputs = boot.inputs(Variant(layout=facts.layouts[0]))
    events = predict_events(inputs, facts.layouts[0], platform="tdx", route="kernel")
    (desk / "log.bin").write_bytes(td_log(events))
    registers = predict(made).registers
    (desk / "evidence.bin").write_bytes(tdx(**registers).quote.encode())
    (desk / "collateral.json").write_bytes(BUNDLE)
    (desk / "root.der").write_bytes(forge_tdx.certificate(forge_tdx.ROOT_PLAN))
    sign(desk, MADE)
    return desk


def test_a_td_is_judged_with_and_without_its_log(td: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offered = ("collateral.json",)
    assert verify(td, "--json", collateral=offered) == 0
    found = findings(capsys)
    assert found["tdx.rtmr0"]["outcome"] == "waived"
    assert found["manifest.shape"]["found"].endswith("rtmr0 left open")
    assert verify(td, "--json", "--log", str(td / "log.bin"), collateral=offered) == 0
    found = findings(capsys)
    assert found["tdx.rtmr0"]["outcome"] == "pass"
    assert found["manifest.shape"]["found"] == (
        "ledger on tdx: mrtd usual, rtmr0 usual, rtmr1 usual, rtmr2 usual, 6 GiB of memory, taken from the log: acpi"
    )
    sign(td, replace(MADE, memory=6 * GIB, events=MADE.events[1:]))
    assert verify(td, "--json", "--log", str(td / "log.bin"), collateral=offered) == 10
    assert findings(capsys)["tdx.rtmr0"]["outcome"] == "fail"
