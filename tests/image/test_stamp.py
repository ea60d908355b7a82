"""Reuse: an image counts as built only from the same inputs and with every file unchanged."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

from warily.core import built
from warily.core.manifest import Manifest, VerityRoot
from warily.image import declare, stamp
from warily.image.lock import Lock, wanted
from warily.image.overlay import overlay_of

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "ledger"
MANIFEST = Manifest(
    name="a", suite="trixie", source_date_epoch=1, ingredients=(), command_line="",
    root=VerityRoot(algorithm="sha256", root_hash=bytes(32), salt=b"", data_blocks=1, block_size=4096),
    cpus=1, memory=1, cpu="EPYC", platforms=(), registers=(), volumes=(), ports=(), grantor=bytes(32),
)  # fmt: skip


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / built.MANIFEST).write_bytes(MANIFEST.encode())
    (folder / built.ROOT).write_bytes(b"root")
    stamp.leave(tmp_path, folder, "inputs")
    return folder


def test_an_unchanged_image_is_reused(tmp_path: Path, image: Path) -> None:
    assert stamp.reusable(tmp_path, image, "inputs") == MANIFEST


def test_other_inputs_are_another_image(tmp_path: Path, image: Path) -> None:
    assert stamp.reusable(tmp_path, image, "others") is None


@pytest.mark.parametrize("name", [built.ROOT, built.MANIFEST, "more"])
def test_a_changed_file_is_noticed(tmp_path: Path, image: Path, name: str) -> None:
    (image / name).write_bytes(b"rOot")
    assert stamp.reusable(tmp_path, image, "inputs") is None


def test_a_missing_file_or_stamp_is_noticed(tmp_path: Path, image: Path) -> None:
    assert stamp.reusable(tmp_path, tmp_path / "elsewhere", "inputs") is None
    (image / built.ROOT).unlink()
    assert stamp.reusable(tmp_path, image, "inputs") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"inputs": "inputs", "files": []}', '{"inputs": "inputs"}'])
def test_a_bent_stamp_means_building_again(tmp_path: Path, image: Path, text: str) -> None:
    stamp._stamp(tmp_path, image).write_text(text)
    assert stamp.reusable(tmp_path, image, "inputs") is None


def test_every_input_counts(tmp_path: Path) -> None:
    (tmp_path / declare.FILE).write_bytes((EXAMPLE / declare.FILE).read_bytes())
    declared = declare.read(EXAMPLE)
    empty: dict[str, tuple[()]] = {"root": (), "boot": (), "firmware": ()}
    lock = Lock(suite="trixie", wanted=wanted(declared), packages={**empty})
    overlay = overlay_of(declared, EXAMPLE)
    keys = (bytes(32), bytes(32))
    found = {stamp.digest_of_inputs(tmp_path, lock, overlay, keys)}
    assert stamp.digest_of_inputs(tmp_path, lock, overlay, keys) in found
    found.add(stamp.digest_of_inputs(tmp_path, dataclasses.replace(lock, suite="sid"), overlay, keys))
    found.add(stamp.digest_of_inputs(tmp_path, lock, overlay, (bytes(32), hashlib.sha256().digest())))
    overlay.add("etc/more", b"")
    found.add(stamp.digest_of_inputs(tmp_path, lock, overlay, keys))
    (tmp_path / declare.FILE).write_bytes(b"# changed")
    found.add(stamp.digest_of_inputs(tmp_path, lock, overlay, keys))
    assert len(found) == 5
