"""The reference pages say what the code says, and the binding's vectors are right by another road."""

import hashlib
import json
import re
import struct
import tomllib
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from referencing import Registry, Resource

from docs import generate, sources
from tests.conftest import REPOSITORY
from tests.measure.test_shapes import MANIFEST as SNP
from tests.measure.test_td_rules import MADE
from warily import errors
from warily.cli.main import VERBS
from warily.core.manifest import Manifest
from warily.formats.dsse import Envelope
from warily.image.settings import SETTINGS
from warily.release.signing import sign_manifest
from warily.service import appraise
from warily.verify import snp

REFERENCE = REPOSITORY / "docs" / "reference"


def normalised(name: str, text: str) -> str:
    """Exact, but for the layout of help texts, which differs between versions of Python."""
    return " ".join(text.split()) if name == "cli.md" else text


@pytest.mark.parametrize("name", generate.PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    on_disk = (REFERENCE / name).read_text()
    made = generate.PAGES[name]()
    assert normalised(name, on_disk) == normalised(name, made), "run `python docs/generate.py`"


def test_drift_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, make in generate.PAGES.items():
        (tmp_path / name).write_text(make())
    monkeypatch.setattr(generate, "REFERENCE", tmp_path)
    assert generate.drifted() == []
    (tmp_path / "checks.md").write_text((tmp_path / "checks.md").read_text().replace("snp.signature", "snp.signed"))
    (tmp_path / "errors.md").unlink()
    assert generate.drifted() == ["checks.md", "errors.md"]


def test_every_check_has_a_row_and_a_sentence() -> None:
    page = (REFERENCE / "checks.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9.-]+)` \| (.+) \|$", page, re.MULTILINE))
    known = {check for platform in sources.platforms() for check, _ in platform.checks}
    assert known >= snp.REQUIRED
    assert set(rows) == known | appraise.OWN_CHECKS
    assert all(sentence.endswith(".") for sentence in rows.values())


def test_every_verb_setting_and_error_has_its_place() -> None:
    cli, declaration = (REFERENCE / "cli.md").read_text(), (REFERENCE / "warily.toml.md").read_text()
    assert all(f"## warily {verb}\n" in cli for verb in VERBS)
    assert all(f"| `{setting.key}` |" in declaration for setting in SETTINGS)
    page = (REFERENCE / "errors.md").read_text()
    for kind in (errors.UsageError, errors.FormatError, errors.CollateralError, errors.HostError):
        assert f"| `{kind.code}` | {kind.exit_status} | `{kind.__name__}` |" in page


def test_the_refusals_of_the_guest_are_found_in_its_code() -> None:
    said = {one.id for one in sources.said_by(("Refused",), "guest")}
    assert {"cmdline.unknown", "volume.blank", "*.ambiguous", "broker.unreachable", "evidence.none"} <= said


def test_the_schema_accepts_the_example_and_refuses_an_unknown_key() -> None:
    schema = json.loads((REFERENCE / "warily.schema.json").read_text())
    declared = tomllib.loads((REPOSITORY / "examples" / "ledger" / "warily.toml").read_text())
    jsonschema.validate(declared, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(declared | {"nmae": "ledger"}, schema)


def test_the_example_manifest_is_one() -> None:
    page = (REFERENCE / "manifest.md").read_text()
    shown = json.loads(page.split("```json\n")[1].split("```")[0])
    assert Manifest.decode(json.dumps(shown).encode()) == sources.example_manifest()
    assert [name for name, _ in sources.members(shown)] == list(sources.MANIFEST_MEMBERS)


def test_the_schema_of_manifests_accepts_what_is_written_and_refuses_the_rest() -> None:
    schema = json.loads((REFERENCE / "manifest.schema.json").read_text())
    for made in (sources.example_manifest(), MADE, SNP):
        jsonschema.validate(made.as_json(), schema)
        opened = Envelope.decode(sign_manifest(made, Ed25519PrivateKey.generate()))
        registry = Registry().with_resource(schema["$id"], Resource.from_contents(schema))
        statement = {"$schema": schema["$schema"], "$ref": f"{schema['$id']}#/$defs/statement"}
        jsonschema.validate(json.loads(opened.payload), statement, registry=registry)
    changes: list[dict[str, object]] = [{"more": 1}, {"schema": "warily/manifest/1"}, {"grantor": "00"}]
    changes.append({"registers": [{}]})
    for change in changes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(MADE.as_json() | change, schema)


@pytest.mark.parametrize("vector", sources.VECTORS, ids=lambda vector: vector.name)
def test_report_data_by_another_road(vector: sources.Vector) -> None:
    records = b""
    for label in sorted(set(vector.records) - {"hw"}):
        media_type, value = vector.records[label]
        for part in (label, media_type, value):
            records += struct.pack(">I", len(part)) + part.encode("ascii")
    digest = hashlib.sha512(b"warily/evidence/v1" + records).digest()
    whole = b"warily/report-data/v1" + bytes(3) + vector.nonce + hashlib.sha512(vector.session_key).digest() + digest
    wanted = hashlib.sha512(whole).hexdigest()
    assert vector.report_data.hex() == wanted
    page = "".join((REFERENCE / "binding.md").read_text().split())
    assert f"REPORT_DATA{wanted}" in page
    assert f"evidencedigest{digest.hex()}" in page
