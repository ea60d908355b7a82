"""`warily verify --ear`: a token on standard output, the report beside it, the exit status as ever."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey

from tests.forge import NOW, REPORT, ark, ask, leaf, signed
from warily.cli.main import run_command_line

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "report.bin").write_bytes(signed(REPORT))
    for name, der in (("vcek", leaf()), ("ask", ask()), ("ark", ark())):
        (tmp_path / f"{name}.der").write_bytes(der)
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    named = [word for name in ("vcek", "ask", "ark") for word in ("--collateral", str(tmp_path / f"{name}.der"))]
    ear = ["--ear", str(tmp_path / "key.pem"), "--at", NOW.isoformat()]
    return ["verify", str(tmp_path / "report.bin"), *named, *ear]


def payload(token: str) -> dict[str, object]:
    found = jws.deserialize_compact(token, ECKey.import_key(KEY.public_key()))
    claims: dict[str, object] = json.loads(found.payload)
    return claims


def test_the_token_stands_alone_on_standard_output(
    words: list[str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run_command_line(words) == 10
    seen = capsysbinary.readouterr()
    assert payload(seen.out.decode().strip())["submods"]["snp"]["ear.status"] == "contraindicated"  # type: ignore[index]  # nested
    assert b"REJECTED: snp.chain.root" in seen.err
    assert run_command_line([*words, "--ear-format", "cwt"]) == 10
    assert capsysbinary.readouterr().out.startswith(b"\xd2\x84")


def test_json_holds_the_token(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--rehearsal-root", str(tmp_path / "ark.der"), "--json"]
    assert run_command_line([*words, *root]) == 0
    found = json.loads(capsys.readouterr().out)
    part = payload(found["ear"])["submods"]["snp"]  # type: ignore[index]  # nested
    assert part["ear.appraisal-policy-id"] == "tag:warily,2026:expect/baseline"
    assert part["warily.rehearsal"] is True
    assert part["ear.status"] == "contraindicated"
    assert run_command_line([*words, *root, "--ear-format", "cwt"]) == 0
    text = json.loads(capsys.readouterr().out)["ear"]
    assert base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).startswith(b"\xd2\x84")


def test_a_file_is_named_by_its_hash(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "expect.toml"
    root = ["--rehearsal-root", str(tmp_path / "ark.der")]
    plain = [word for word in words if word not in ("--ear", str(tmp_path / "key.pem"))]
    assert run_command_line(["policy", "init", *plain[1:], *root, "--out", str(policy)]) == 0
    capsys.readouterr()
    assert run_command_line([*words, "--expect", str(policy), "--json"]) == 0
    part = payload(json.loads(capsys.readouterr().out)["ear"])["submods"]["snp"]  # type: ignore[index]  # nested
    assert part["ear.appraisal-policy-id"].startswith("ni:///sha-256;")


def test_what_is_no_key_is_misuse(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key.pem").write_text("not a key")
    assert run_command_line(words) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "not a key" not in seen.err
