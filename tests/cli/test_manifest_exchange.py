"""`warily manifest export` and `import`: what is exported is read back, and others' formats are read at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.core.test_manifest import MANIFEST
from warily.cli.main import run_command_line
from warily.core.declaration import Platform
from warily.core.manifest import PredictedRegister
from warily.host import keys
from warily.release.signing import sign_manifest


@pytest.fixture(autouse=True)
def _own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARILY_KEYS", str(tmp_path / "keys"))


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run_command_line(["manifest", *map(str, words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def exported(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> Path:
    manifest = folder / "manifest.dsse.json"
    manifest.write_bytes(sign_manifest(MANIFEST, keys.signing_key("owner")))
    status, answer = run(capsys, "export", "--corim", manifest, *words)
    assert status == 0
    path = folder / "manifest.corim"
    path.write_bytes(bytes.fromhex(answer["corim"]))
    return path


def owner_key(folder: Path, name: str = "owner") -> Path:
    path = folder / f"{name}.pem"
    public = keys.signing_key(name).public_key()
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def test_what_is_exported_is_read_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, found = run(capsys, "import", exported(capsys, tmp_path))
    assert (status, found["format"], found["signature"]) == (0, "CoRIM", "none")
    values = {value["name"]: value["value"] for value in found["values"]}
    assert values["kernel"] == MANIFEST.ingredients[0].sha256.hex()
    assert values["launch_digest"] == MANIFEST.registers[0].value.hex()


def test_a_signature_is_verified_by_the_named_key_and_no_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    corim = exported(capsys, tmp_path, "--signed")
    assert run(capsys, "import", corim)[1]["signature"] == "not verified"
    assert run(capsys, "import", corim, "--key", owner_key(tmp_path))[1]["signature"] == "verified"
    assert run(capsys, "import", corim, "--key", owner_key(tmp_path, "grantor"))[0] == 10
    data = bytearray(corim.read_bytes())
    data[-70] ^= 1  # in the payload or in the signature's head
    corim.write_bytes(data)
    assert run(capsys, "import", corim, "--key", owner_key(tmp_path))[0] in (3, 10)


def test_an_unsigned_corim_does_not_pass_for_a_signed_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    corim = exported(capsys, tmp_path)
    assert run(capsys, "import", corim, "--key", owner_key(tmp_path))[0] == 10


def test_a_bundle_is_exported_verified_shown_and_imported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    signed, bundle = tmp_path / "manifest.dsse.json", tmp_path / "manifest.sigstore.json"
    signed.write_bytes(sign_manifest(MANIFEST, keys.signing_key("owner")))
    assert run_command_line(["manifest", "export", "--sigstore", str(signed)]) == 0
    bundle.write_text(capsys.readouterr().out)
    assert run(capsys, "verify", bundle)[0] == 0
    assert run(capsys, "show", bundle)[1]["name"] == MANIFEST.name
    assert run(capsys, "import", bundle, "--key", owner_key(tmp_path))[1]["signature"] == "verified"
    assert run(capsys, "import", bundle, "--key", owner_key(tmp_path, "grantor"))[0] == 10
    bundle.write_bytes(bundle.read_bytes().replace(b'"sig":"', b'"sig":"AAAA'))
    assert run(capsys, "verify", bundle)[0] == 10
    bare = tmp_path / "manifest.json"
    bare.write_bytes(MANIFEST.encode())
    assert run_command_line(["manifest", "export", "--sigstore", str(bare)]) == 2


REGISTER = bytes(range(48)).hex()


@pytest.mark.parametrize(
    ("content", "name", "values"),
    [
        (
            {"meta": {"version": 1}, "release": 0, "digests": {"/bin/sh": ["00" * 32, "11" * 20]}, "excludes": []},
            "Keylime runtime policy",
            [("file", "/bin/sh", "sha256"), ("file", "/bin/sh", "sha1")],
        ),
        (
            {"records": [{"pcr": 4, "digests": [{"hashAlg": "sha256", "digest": "ab" * 32}]}]},
            "systemd pcrlock",
            [("PCR 4", "record 0", "sha256")],
        ),
        (
            {
                "Policies": {},
                "ReferenceValues": {
                    "snp": [{"ProductName": "Milan", "TrustedMeasurement": REGISTER}],
                    "tdx": [{"MrTd": REGISTER, "Rtmrs": [REGISTER, "", "", ""]}],
                },
            },
            "Contrast manifest",
            [("snp Milan", "launch_digest", "sha384"), ("tdx", "mrtd", "sha384"), ("tdx", "rtmr0", "sha384")],
        ),
        (
            {"mrtd": REGISTER, "rtmr1": REGISTER, "mr_aggregated": "00" * 32},
            "dstack measurements",
            [("tdx", "mrtd", "sha384"), ("tdx", "rtmr1", "sha384")],
        ),
    ],
)
def test_formats_of_others_are_recognised(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: object, name: str, values: list[tuple[str, str, str]]
) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps(content))
    status, found = run(capsys, "import", path)
    assert (status, found["format"]) == (0, name)
    assert [(each["environment"], each["name"], each["algorithm"]) for each in found["values"]] == values


@pytest.mark.parametrize(
    "text", ["", "{}", '{"mrtd": "00", "rtmr0": "00"}', '{"records": [{"pcr": 99, "digests": []}]}']
)
def test_what_is_none_of_them_is_malformed(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    assert run(capsys, "import", path)[0] == 3


def test_an_snp_value_follows_the_profile_of_its_platform(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    register = PredictedRegister(
        platform=Platform.SNP, register="launch_digest", when={"vcpus": "4"}, value=bytes(range(48))
    )
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(replace(MANIFEST, platforms=(Platform.SNP,), registers=(register,)).encode())
    corim = tmp_path / "corim"
    corim.write_bytes(bytes.fromhex(run(capsys, "export", "--corim", manifest)[1]["corim"]))
    values = run(capsys, "import", corim)[1]["values"]
    assert values[-1] == {
        "environment": "class d05e6d1b9f464ae2a610ce3e6ee7e153",
        "name": "0",
        "algorithm": "sha384",
        "value": bytes(range(48)).hex(),
        "when": {"name": "vcpus 4"},
    }
