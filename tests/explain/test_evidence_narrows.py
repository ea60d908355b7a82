"""Registers of a quote that nothing explains: what its other registers and its event log say of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.explain.test_boots import GIB, LINE, launch, td_manifest
from warily.cli.main import run_command_line
from warily.measure import tdx

QUOTE = "evidence/tdx_ccel/cos113_go-tdx-guest/quote.dat"
LOG = "evidence/tdx_ccel/cos113_go-tdx-guest/ccel_data.dat"
_BODY = 48  # bytes of the quote's head
_PLACES = {
    "mrtd": _BODY + 136,
    **{f"rtmr{at}": _BODY + 328 + 48 * at for at in range(4)},
}  # TDREPORT's body, Intel 348552


def quote(vectors: Path, registers: dict[str, bytes]) -> bytes:
    """A genuine quote with other registers, which `explain` does not verify."""
    made = bytearray((vectors / QUOTE).read_bytes())
    for name, value in registers.items():
        made[_PLACES[name] : _PLACES[name] + 48] = value
    return bytes(made)


def explained(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    capsys.readouterr()
    run_command_line(["explain", *map(str, words), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_build_that_explains_more_of_the_rest_comes_first(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, other = tmp_path / "right.json", tmp_path / "other.json"
    made = td_manifest()
    right.write_bytes(made.encode())
    other.write_bytes(replace(made, name="other", registers=()).encode())
    mrtd = tdx.predict(launch(memory=GIB, line=LINE)).registers["mrtd"]
    path = tmp_path / "quote.dat"
    path.write_bytes(quote(vectors, {"mrtd": mrtd, "rtmr2": bytes(range(48))}))
    answer = explained(capsys, path, "--manifest", other, "--manifest", right)
    near = [entry for entry in answer["nearest"] if entry["of"] == "rtmr2"]
    assert [entry["manifest"] for entry in near] == ["ledger", "other"]
    assert not near[0]["certain"]
    assert near[0]["because"].endswith("other registers of the same evidence that are this build's: 1")
    assert {entry["name"] for entry in near[0]["inputs"]} == {"command line", "initrd"}


def test_a_log_that_leads_to_the_register_names_the_events(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = tmp_path / "manifest.json"
    known.write_bytes(td_manifest().encode())
    answer = explained(capsys, vectors / QUOTE, "--log", vectors / LOG, "--manifest", known)
    (near,) = [entry for entry in answer["nearest"] if entry["of"] == "rtmr1"][:1]
    assert near["certain"]
    assert near["because"].startswith("the log leads to this value, and leaves what is predicted at event")
    assert near["inputs"]
