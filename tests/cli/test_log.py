"""`warily log` on real folders: a log that grows, is proved and witnessed, and what happens when it lies."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.test_manifest import MANIFEST
from warily.cli.main import run_command_line
from warily.core.manifest import Manifest
from warily.formats.signed_note import SignedNote
from warily.formats.tlog_checkpoint import Checkpoint
from warily.host import keys, log_folder
from warily.publish.note import sign
from warily.publish.tiled_log import TiledLog, files_after
from warily.release.signing import sign_manifest

Warily = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARILY_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("WARILY_SEEN", str(tmp_path / "seen"))


@pytest.fixture
def warily(capsys: pytest.CaptureFixture[str]) -> Warily:
    """Run the command line; its status and what it printed as JSON."""

    def run(*words: object) -> tuple[int, dict[str, object]]:
        capsys.readouterr()
        status = run_command_line(["log", *map(str, words), "--json"])
        out = capsys.readouterr().out
        return status, json.loads(out) if out else {}

    return run


def signed(folder: Path, made: Manifest) -> Path:
    path = folder / f"{made.name}-{made.source_date_epoch}.dsse.json"
    path.write_bytes(sign_manifest(made, keys.signing_key("owner")))
    return path


@pytest.fixture
def grown(tmp_path: Path, warily: Warily) -> Path:
    """A log of three versions."""
    log = tmp_path / "log"
    assert warily("init", log, "--origin", "example.org/images")[0] == 0
    for epoch in (1, 2, 3):
        assert warily("add", log, signed(tmp_path, replace(MANIFEST, source_date_epoch=epoch)))[0] == 0
    return log


def first_failure(answer: dict[str, object]) -> str:
    findings = answer["findings"]
    assert isinstance(findings, list)
    return next((finding["check"] for finding in findings if finding["outcome"] == "fail"), "")


def test_a_log_is_audited_proved_witnessed_and_verified(grown: Path, tmp_path: Path, warily: Warily) -> None:
    assert warily("audit", grown)[0] == 0
    status, answer = warily("witness", grown, "--name", "w.example")
    assert status == 0
    witness = answer["witness"]
    newest = tmp_path / f"{MANIFEST.name}-3.dsse.json"
    _, proved = warily("prove", grown, newest)
    proof = tmp_path / "proof"
    proof.write_text(str(proved["proof"]))
    verify = ("verify", newest, proof, "--witness", witness)
    assert warily(*verify, "--at-least", 3, "--max-age", 1)[0] == 0
    assert first_failure(warily(*verify, "--at-least", 4)[1]) == "logged.version"
    assert first_failure(warily(*verify, "--max-age", 1, "--at", "2036-01-01T00:00:00Z")[1]) == "logged.age"
    older = tmp_path / f"{MANIFEST.name}-2.dsse.json"
    assert first_failure(warily("verify", older, proof)[1]) == "logged.manifest"
    stranger = warily("witness", grown, "--name", "other.example")[1]["witness"]
    assert first_failure(warily(*verify, "--witness", stranger)[1]) == "logged.witness"
    moved = tmp_path / "moved"
    moved.write_text(proof.read_text().replace("index 2", "index 1"))
    assert first_failure(warily("verify", newest, moved)[1]) == "logged.inclusion"


def test_a_key_counts_once_under_two_names(grown: Path, tmp_path: Path, warily: Warily) -> None:
    names = [warily("witness", grown, "--name", name)[1]["witness"] for name in ("one.example", "two.example")]
    newest = tmp_path / f"{MANIFEST.name}-3.dsse.json"
    proof = tmp_path / "proof"
    proof.write_text(str(warily("prove", grown, newest)[1]["proof"]))
    verify = ("verify", newest, proof, "--witness", names[0], "--witness", names[1])
    assert warily(*verify, "--quorum", 1)[0] == 0
    assert first_failure(warily(*verify, "--quorum", 2)[1]) == "logged.witness"


def test_a_manifest_is_logged_once(grown: Path, tmp_path: Path, warily: Warily) -> None:
    status, answer = warily("add", grown, tmp_path / f"{MANIFEST.name}-3.dsse.json")
    assert (status, answer["added"], answer["size"]) == (0, [], 3)
    assert warily("add", grown, signed(tmp_path, replace(MANIFEST, source_date_epoch=9)), "--version", 2)[0] == 2


def test_a_manifest_that_nobody_trusted_signed_is_not_logged(
    grown: Path, tmp_path: Path, warily: Warily, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = signed(tmp_path, replace(MANIFEST, name="stranger"))
    monkeypatch.setenv("WARILY_KEYS", str(tmp_path / "others"))
    assert warily("add", grown, stranger)[0] == 10


@pytest.mark.parametrize(
    ("name", "at", "check"),
    [
        ("tile/0/000.p/3", 0, "log.tiles"),
        ("tile/entries/000.p/3", 80, "log.tiles"),
        ("checkpoint", 0, "log.checkpoint.signature"),
        ("checkpoint", 19, "log.checkpoint.signature"),
    ],
)
def test_a_changed_file_is_found(grown: Path, warily: Warily, name: str, at: int, check: str) -> None:
    path = grown / name
    changed = bytearray(path.read_bytes())
    changed[at] ^= 1
    path.write_bytes(changed)
    key = "--key", own_key()
    status, answer = warily("audit", grown, *key)
    assert (status, first_failure(answer)) == (10, check)


def own_key() -> str:
    from warily.formats.signed_note import SignatureType  # for this alone
    from warily.publish.note import verifier_key  # for this alone

    public = keys.public_bytes(keys.signing_key("log"))
    return verifier_key("example.org/images", public, SignatureType.ED25519).encode()


def rewrite(log: Path, entries: list[bytes]) -> None:
    """The log's own operator makes another history and signs it: every file is consistent with itself."""
    shutil.rmtree(log / "tile", ignore_errors=True)
    empty = TiledLog(lambda name: log_folder.read(log, name), 0)
    log_folder.write(log, files_after(empty, entries))
    grown = TiledLog(lambda name: log_folder.read(log, name), len(entries))
    text = Checkpoint(origin="example.org/images", size=len(entries), root=grown.root()).encode()
    line = sign(text, "example.org/images", keys.signing_key("log"))
    log_folder.write(log, {"checkpoint": SignedNote(text=text, signatures=(line,)).encode()})


def entries_of(log: Path) -> list[bytes]:
    return list(TiledLog(lambda name: log_folder.read(log, name), 3).entries())


def test_a_rewritten_log_is_caught_by_memory(grown: Path, warily: Warily) -> None:
    assert warily("audit", grown)[0] == 0
    first, second, third = entries_of(grown)
    assert second != third
    rewrite(grown, [first, third])
    status, answer = warily("audit", grown)
    assert (status, first_failure(answer)) == (10, "log.consistent")


def test_a_split_log_is_caught_by_the_other_view(grown: Path, tmp_path: Path, warily: Warily) -> None:
    other = tmp_path / "other"
    shutil.copytree(grown, other)
    first, second, _ = entries_of(grown)
    rewrite(other, [first, second])
    assert warily("audit", other, "--remember", tmp_path / "memory")[0] == 0
    assert warily("add", other, signed(tmp_path, replace(MANIFEST, source_date_epoch=8)))[0] == 0
    status, answer = warily("audit", other, "--remember", tmp_path / "memory", "--seen", grown / "checkpoint")
    assert (status, first_failure(answer)) == (10, "log.consistent")


def test_a_version_out_of_order_is_found(grown: Path, warily: Warily) -> None:
    first, second, third = entries_of(grown)
    rewrite(grown, [first, third, second])
    status, answer = warily("audit", grown)
    assert (status, first_failure(answer)) == (10, "log.entries")


def test_a_log_of_another_key_is_refused(grown: Path, warily: Warily) -> None:
    status, answer = warily(
        "audit", grown, "--key", "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    )
    assert (status, first_failure(answer)) == (10, "log.checkpoint.signature")
