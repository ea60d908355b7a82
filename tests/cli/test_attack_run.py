"""What a laboratory found out is kept with its project, row by row, and shown beside evidence of the same image."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.posture.examples import DIGEST, MANIFEST
from warily.adversary.attack import Outcome, Seen, refused, succeeded
from warily.adversary.attacks import TABLE
from warily.cli.attack_run import store, stored
from warily.cli.main import run_command_line
from warily.core.manifest import Manifest
from warily.formats.attack_run import AttackRow, AttackRun

OTHER: Manifest = replace(MANIFEST, registers=tuple(replace(one, value=bytes(48)) for one in MANIFEST.registers))


def outcome(place: int, image: Seen, control: Seen | None = None) -> Outcome:
    return Outcome(attack=TABLE[place], control=control, image=image, seconds=1.0)


def test_rows_of_one_image_are_kept_together(tmp_path: Path) -> None:
    path = tmp_path / "attacks.json"
    assert stored(path) is None
    store(path, MANIFEST, [outcome(0, refused("a"), succeeded("b")), outcome(1, refused("c"))])
    store(path, MANIFEST, [outcome(1, succeeded("d"), succeeded("e"))])
    found = stored(path)
    assert found is not None
    assert found.launch_digest == DIGEST
    rows = {row.id: (row.control, row.verdict) for row in found.attacks}
    assert rows == {TABLE[0].id: ("succeeded", "refused"), TABLE[1].id: ("succeeded", "succeeded")}


def test_another_image_or_an_unreadable_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "attacks.json"
    store(path, MANIFEST, [outcome(0, refused("a"))])
    store(path, OTHER, [outcome(1, refused("b"))])
    found = stored(path)
    assert found is not None
    assert [row.id for row in found.attacks] == [TABLE[1].id]
    path.write_text("{}")
    store(path, MANIFEST, [outcome(0, refused("a"))])
    found = stored(path)
    assert found is not None
    assert [row.id for row in found.attacks] == [TABLE[0].id]


def test_a_success_is_believed_of_evidence_that_no_manifest_explains(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = AttackRow(id="a.b", component="memory", control="", verdict="succeeded", evidence="read")
    path = tmp_path / "run.json"
    path.write_bytes(AttackRun(image="x", launch_digest=bytes(48), at="2026-12-01", attacks=(row,)).encode())
    folder = vectors / "evidence" / "snp" / "genoa_v3_aci_microsoft"
    words = ["posture", str(folder / "report.bin"), str(folder / "vcek.pem"), "--at", "2026-03-15T00:00:00Z", "--json"]
    assert run_command_line([*words, "--attacks", str(path)]) == 0
    cells = [cell for cell in json.loads(capsys.readouterr().out)["cells"] if cell["component"] == "memory"]
    assert {cell["state"] for cell in cells} == {"exposed"}
    assert cells[0]["attacked"] == ["attacked with a.b: succeeded"]
    path.write_text("{}")
    assert run_command_line([*words, "--attacks", str(path)]) == 3
