"""`warily serve` as a process: where it says it listens, what it refuses to start with, how it stops."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests import forge
from tests.service.forge_guest import MANIFEST, Guest, refused
from warily.formats._json import from_b64url
from warily.host import keys
from warily.launch.rehearsal_keys import hierarchy
from warily.release.signing import sign_manifest
from warily.service.operator import TOKEN_FILE


class Folder:
    """What a broker is started from: keys, a passphrase, a signed manifest, a rehearsal root."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = path / "state"
        self.grantor = keys.signing_key("grantor", folder=path / "keys")
        self.owner = keys.signing_key("owner", folder=path / "keys")
        self.kek = path / "kek"
        self.kek.touch(0o600)
        self.kek.write_text("a passphrase of the operator\n")
        self.manifest = self.sign("manifest.json", self.owner)
        self.root = path / "ark.der"
        self.root.write_bytes(forge.ark())

    def sign(self, name: str, owner: Ed25519PrivateKey, grantor: bytes | None = None) -> Path:
        manifest = replace(MANIFEST, grantor=grantor or keys.public_bytes(self.grantor))
        path = self.path / name
        path.write_bytes(sign_manifest(manifest, owner))
        return path

    def command(self, *words: str | Path) -> list[str]:
        start = [sys.executable, "-m", "warily", "serve", "--state", str(self.state), "--lease", "1"]
        return [*start, *map(str, words)]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "WARILY_KEYS": str(self.path / "keys"),
            "WARILY_KEK_FILE": str(self.kek),
        }

    def fails(self, *words: str | Path) -> tuple[int, str]:
        done = subprocess.run(
            self.command(*words), env=self.environment(), capture_output=True, text=True, timeout=30, check=False
        )
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    @contextmanager
    def serving(self, *words: str | Path, stop: signal.Signals = signal.SIGTERM) -> Iterator[str]:
        """The address, while it serves. It stops cleanly and says nothing on standard error."""
        process = subprocess.Popen(
            self.command("--json", *words),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["token_file"] == str(self.state / TOKEN_FILE)
            yield ready["address"]
            process.send_signal(stop)
            _, said = process.communicate(timeout=10)
            assert (process.returncode, said) == (0, "")
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_process_grants_over_real_http_and_stops_cleanly(folder: Folder) -> None:
    rehearsal = hierarchy(folder.path / "rehearsal")
    folder.root.write_bytes(rehearsal.ark)
    guest = Guest(keys=rehearsal)
    with (
        folder.serving("--manifest", folder.manifest, "--rehearsal-root", folder.root) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        answer = client.post("/v1/nonce", content=b"{}")
        assert "server" not in answer.headers
        nonce = from_b64url(answer.json()["nonce"], what="nonce")
        granted = client.post("/v1/attest", content=guest.attestation(nonce).encode())
        assert granted.status_code == 200, granted.text
        grant = guest.open(granted.json()["grant"], nonce, keys.public_bytes(folder.grantor))
        assert [volume.name for volume in grant.volumes] == ["data"]
        token = (folder.state / TOKEN_FILE).read_text().strip()
        found = client.get("/v1/operator/audit", headers={"authorization": f"Bearer {token}"}).json()
        assert [row["event"] for row in found["rows"]] == ["grant"]
        assert refused(client.get("/v1/operator/audit"))["status"] == 401
    assert (folder.state / TOKEN_FILE).stat().st_mode & 0o777 == 0o600
    assert folder.state.stat().st_mode & 0o777 == 0o700
    secret = grant.volumes[0].secret
    assert all(secret not in path.read_bytes() for path in folder.state.iterdir())


def test_a_root_may_be_named_by_its_fingerprint_and_ctrl_c_is_no_error(folder: Folder) -> None:
    fingerprint = sha256(forge.ark()).hexdigest()
    with (
        folder.serving("--rehearsal-root", fingerprint, stop=signal.SIGINT) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        assert client.get("/v1/health").json()["status"] == "up"
        over = client.post("/v1/attest", content=b" " * ((4 << 20) + 1))
        assert refused(over)["status"] == 413


def test_what_it_does_not_start_with(folder: Folder) -> None:
    stranger = Ed25519PrivateKey.generate()
    status, said = folder.fails("--manifest", folder.sign("stranger.json", stranger))
    assert status == 10
    assert "not by an owner you trust" in said

    status, said = folder.fails("--manifest", folder.sign("other.json", folder.owner, grantor=b"g" * 32))
    assert status == 2
    assert "not by this broker" in said

    status, said = folder.fails("--listen", "127.0.0.1:99999")
    assert (status, "not an address and a port" in said) == (2, True)

    folder.kek.chmod(0o644)
    status, said = folder.fails()
    assert (status, "may be read by others" in said) == (5, True)


def test_a_wrong_passphrase_is_noticed_at_start(folder: Folder) -> None:
    with folder.serving():
        pass
    folder.kek.write_text("a passphrase of somebody else\n")
    status, said = folder.fails()
    assert (status, "the passphrase is not the one" in said) == (2, True)
    assert "somebody else" not in said


def test_an_address_in_use_is_the_machine_s_trouble(folder: Folder) -> None:
    with folder.serving() as address:
        listen = address.removeprefix("http://")
        status, said = folder.fails("--state", folder.path / "second", "--listen", listen)
        assert (status, "cannot listen" in said) == (5, True)
