"""`warily posture` on genuine evidence, on files that are none, and on a running broker."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import forge
from tests.conftest import REPOSITORY
from tests.service.forge_guest import DIGEST, GRANTOR, IDENTITY, MANIFEST, Guest
from warily.cli.main import run_command_line
from warily.core import built
from warily.formats._json import from_b64url
from warily.host import keys
from warily.release.signing import sign_manifest
from warily.service.appraise import Trust
from warily.service.run import Ready, Settings
from warily.service.run import run as run_broker

AT = ("--at", "2026-03-15T00:00:00Z")
GENUINE = {
    "Genoa": ("genoa_v3_aci_microsoft", "5feee30d6d7e1a29"),
    "Turin": ("turin_v5_aci_microsoft", "6d6c354511d6f7c6"),
    "Milan": ("milan_v3_aci_microsoft", "5feee30d6d7e1a29"),
}
GOLDEN = """\
  an image that nothing here explains                    2026-03-15 00:00:00 UTC
  Evidence accepted: genuine AMD SEV-SNP hardware, by AMD ARK-PRODUCT.

                 hypervisor           host-admin           cloud-operator
  memory         ● excluded E4        ● excluded E4        ● excluded E4
    encrypted and guarded by SNP hardware; debugging off; by AMD ARK-PRODUCT
  firmware       ? unknown            ? unknown            ? unknown
    no signed manifest says what launch digest DIGEST0123456789… stands for
  storage        ? unknown            ? unknown            ? unknown
    no manifest says which root and volumes belong to this launch digest
  network        ? unknown            ? unknown            ? unknown
    no manifest says which ports this image opens
  devices        ? unknown            ? unknown            ? unknown
    no manifest says which devices this image needs
  attestation    ? unknown            ? unknown            ? unknown
    a report that no manifest explains: genuine, and without meaning
  runtime        ? unknown            ? unknown            ? unknown
    what was launched is not known, so neither is what runs

  still open
  memory
    ciphertext in memory can be watched: CIPHERTEXT_HIDING is not on
    a sibling thread may share the core: SMT is not known to be off
    no floor for firmware versions was asked for: known bugs may be open
    no revocation list was given: a withdrawn chip key would not be seen
    nothing shows that this report is recent
    page faults and timing show which pages are used, and when
    power counters may be read: RAPL is not known to be off
    an interposer on the memory bus: no field of a report shows one

  names
  ✗ hypervisor-isolated workload: does not hold
    excluded: memory E4 (needs E5); unknown: firmware, storage, network,
    devices, attestation
  ✗ infrastructure-operator-excluded compute: does not hold
    excluded: memory E4 (needs E5); unknown: firmware, storage, network,
    devices, attestation, runtime
  ✗ attestable execution environment: does not hold
    excluded: memory E4 (needs E5); unknown: attestation
  ✗ continuously verified runtime: does not hold
    unknown: attestation, runtime

  ● excluded  ◐ detected  ◇ assumed  ○ exposed  ? unknown  - not-applicable
  E4 measured by hardware at launch
"""


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARILY_KEYS", str(tmp_path / "keys"))


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def states(posture: dict[str, Any], adversary: str = "cloud-operator") -> dict[str, str]:
    return {cell["component"]: cell["state"] for cell in posture["cells"] if cell["adversary"] == adversary}


@pytest.mark.parametrize("product", sorted(GENUINE))
def test_golden_picture_of_genuine_evidence(product: str, vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, digest = GENUINE[product]
    folder = vectors / "evidence" / "snp" / name
    words = ["posture", str(folder / "report.bin"), "--collateral", str(folder / "vcek.pem"), *AT]
    assert run_command_line(words) == 0
    assert capsys.readouterr().out == GOLDEN.replace("PRODUCT", product).replace("DIGEST0123456789", digest)


def test_the_guide_shows_the_picture_of_genuine_evidence(vectors: Path, tmp_path: Path) -> None:
    folder = vectors / "evidence" / "snp" / "genoa_v3_aci_microsoft"
    drawn = tmp_path / "genoa.svg"
    words = ["posture", str(folder / "report.bin"), "--collateral", str(folder / "vcek.pem"), *AT]
    assert run_command_line([*words, "--svg", str(drawn)]) == 0
    assert drawn.read_text() == (REPOSITORY / "docs" / "guides" / "genuine-genoa.svg").read_text()


def test_debugging_exposes_memory_and_rejects(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = vectors / "evidence" / "snp" / "milan_v2_go-sev-guest"
    words = ["posture", str(folder / "report.bin"), str(folder / "vcek.der"), *AT, "--json"]
    assert run_command_line(words) == 10
    posture = as_json(capsys)
    assert states(posture)["memory"] == "exposed"
    assert set(states(posture).values()) == {"exposed", "unknown"}
    assert not posture["accepted"]


def test_without_the_chip_key_nothing_is_decided(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = vectors / "evidence" / "snp" / "genoa_v3_aci_microsoft" / "report.bin"
    assert run_command_line(["posture", str(report), *AT, "--json"]) == 4
    assert set(states(as_json(capsys)).values()) == {"unknown"}


@pytest.fixture
def rehearsed(tmp_path: Path) -> tuple[list[str], Path]:
    """A forged rehearsal's evidence and roots as arguments, and a folder for more."""
    report = forge.signed(replace(forge.REPORT, policy=0x30000, measurement=DIGEST), key="vcek")
    (tmp_path / "report.bin").write_bytes(report)
    for name, der in (("vcek", forge.leaf()), ("ask", forge.ask()), ("ark", forge.ark())):
        (tmp_path / f"{name}.der").write_bytes(der)
    files = [str(tmp_path / name) for name in ("report.bin", "vcek.der", "ask.der", "ark.der")]
    return ["posture", *files, *AT, "--rehearsal-root", str(tmp_path / "ark.der")], tmp_path


def test_a_rehearsal_report_and_its_signed_manifest(
    rehearsed: tuple[list[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words, folder = rehearsed
    signed = folder / "manifest.dsse.json"
    signed.write_bytes(sign_manifest(MANIFEST, keys.signing_key("owner")))
    picture = folder / "picture.svg"
    assert run_command_line([*words, "--manifest", str(signed), "--svg", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "REHEARSAL" in text
    assert text.startswith("  ledger ")
    assert "REHEARSAL" in picture.read_text()


def test_a_manifest_of_a_stranger_is_refused(
    rehearsed: tuple[list[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words, folder = rehearsed
    signed = folder / "manifest.dsse.json"
    signed.write_bytes(sign_manifest(MANIFEST, GRANTOR))
    assert run_command_line([*words, "--manifest", str(signed)]) == 10
    assert "not by an owner you trust" in capsys.readouterr().err


def test_a_rehearsal_root_that_nobody_named_is_not_accepted(rehearsed: tuple[list[str], Path]) -> None:
    words, _ = rehearsed
    assert run_command_line(words[:-2]) == 10


def test_the_picture_must_be_writable(rehearsed: tuple[list[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    words, folder = rehearsed
    assert run_command_line([*words, "--svg", str(folder / "nowhere" / "picture.svg")]) == 5
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["posture"], "name a file with evidence, or say --live"),
        (["posture", "a", "--live"], "name a file with evidence, or say --live"),
        (["posture", "/nonexistent"], "cannot read"),
        (["posture", *["/nonexistent"] * 65], "over 64 files"),
    ],
)
def test_misuse_is_explained(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(words) == 2
    assert said in capsys.readouterr().err


def test_two_pieces_of_evidence_are_one_too_many(
    rehearsed: tuple[list[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words, folder = rehearsed
    words.insert(1, str(folder / "report.bin"))
    assert run_command_line(words) == 2
    assert "2 of the files are evidence" in capsys.readouterr().err


# A running machine.


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Ready]:
    """A real broker on a port of its own, in a thread."""
    state = tmp_path / "project" / ".warily" / "broker"
    settings = Settings(
        state=state,
        host="127.0.0.1",
        port=0,
        trust=Trust(
            manifests=(MANIFEST,), rehearsal_roots=frozenset({sha256(forge.ark()).digest()}), unknown_devices=True
        ),
        passphrase=b"a passphrase of this test",
        grantor=GRANTOR,
    )
    ready: list[Ready] = []
    up, ends = threading.Event(), []

    async def main() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(stop.set))

        def announce(said: Ready) -> None:
            ready.append(said)
            up.set()

        await run_broker(settings, announce, stop=stop)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert up.wait(20)
    yield ready[0]
    ends[0]()
    thread.join(20)


@pytest.fixture
def project(broker: Ready, tmp_path: Path) -> Path:
    """A project as `warily up` leaves it while its machine runs."""
    home = tmp_path / "project"
    image = home / ".warily" / "image"
    image.mkdir()
    (image / built.SIGNED_MANIFEST).write_bytes(sign_manifest(MANIFEST, keys.signing_key("owner")))
    told = {"broker": broker.address, "token_file": str(broker.token_file), "identity": IDENTITY.hex()}
    (home / ".warily" / "up.json").write_text(json.dumps(told))
    return home


def test_a_running_machine(broker: Ready, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["posture", "--live", "--project", str(project), "--json"]
    assert run_command_line(words) == 5
    assert "no evidence of this machine yet" in as_json(capsys)["error"]["message"]

    with httpx.Client(base_url=broker.address) as client:
        nonce = from_b64url(client.post("/v1/nonce", content=b"{}").json()["nonce"], what="nonce")
        answer = client.post("/v1/attest", content=Guest().attestation(nonce).encode())
    assert answer.status_code == 200, answer.text
    assert run_command_line(words) == 0
    posture = as_json(capsys)
    assert (posture["image"], posture["rehearsal"], posture["accepted"]) == ("ledger", True, True)
    assert states(posture)["memory"] == "exposed"
    assert states(posture)["attestation"] == "assumed"
    assert states(posture)["runtime"] == "assumed"


def test_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["posture", "--live", "--project", str(tmp_path)]) == 5
    said = capsys.readouterr().err
    assert "is running" in said
    assert "hint: start the machine with `warily up`" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"broker": "http://198.51.100.7:8080"}, "not this project's own"),
        ({"token_file": "/etc/hostname"}, "not this project's own"),
        ({"token_file": ".warily/gone"}, "not this project's own"),
    ],
)
def test_a_token_leaves_for_nobody_else(
    change: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / ".warily"
    state.mkdir()
    (state / "operator.token").write_text("secret\n")
    told = {"broker": "http://127.0.0.1:1", "token_file": str(state / "operator.token"), "identity": "00" * 32}
    (state / "up.json").write_text(json.dumps(told | change))
    assert run_command_line(["posture", "--live", "--project", str(tmp_path)]) == 5
    assert said in capsys.readouterr().err


def test_a_dead_broker_is_a_host_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / ".warily"
    state.mkdir()
    (state / "operator.token").write_text("secret\n")
    told = {"broker": "http://127.0.0.1:1", "token_file": str(state / "operator.token"), "identity": "00" * 32}
    (state / "up.json").write_text(json.dumps(told))
    assert run_command_line(["posture", "--live", "--project", str(tmp_path)]) == 5
    assert "the broker does not answer" in capsys.readouterr().err
