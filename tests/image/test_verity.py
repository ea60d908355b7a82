"""The dm-verity tree: the very bytes that veritysetup writes, whatever the size."""

import hashlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from warily.errors import FormatError
from warily.formats.verity import BLOCK
from warily.image import verity

SALT = bytes(range(32))


def data_file(folder: Path, blocks: int) -> Path:
    """A sparse file with something here and there."""
    path = folder / "data"
    places = random.Random(blocks)  # noqa: S311  # a test's own dice, the same every time
    with path.open("wb") as file:
        file.truncate(blocks * BLOCK)
        for at in {0, blocks - 1, *(places.randrange(blocks) for _ in range(20))}:
            file.seek(at * BLOCK + places.randrange(BLOCK))
            file.write(places.randbytes(1))
    return path


@pytest.mark.parametrize("blocks", [1, 2, 127, 128, 129, 128 * 128, 128 * 128 + 1])
def test_the_tree_is_byte_identical_to_veritysetup(tmp_path: Path, blocks: int) -> None:
    tool = shutil.which("veritysetup") or shutil.which("veritysetup", path="/usr/sbin:/sbin")
    if tool is None:
        pytest.skip("veritysetup is not installed")
    data = data_file(tmp_path, blocks)
    made = verity.write_tree(data, tmp_path / "ours", salt=SALT, jobs=2)
    words = ["format", "--no-superblock", f"--salt={SALT.hex()}", str(data), str(tmp_path / "theirs")]
    said = subprocess.run([tool, *words], capture_output=True, text=True, check=True).stdout
    assert made.root_hash.hex() in said
    assert made.data_blocks == blocks
    theirs = (tmp_path / "theirs").read_bytes()
    assert (tmp_path / "ours").read_bytes() == theirs


def test_processes_and_one_process_agree(tmp_path: Path) -> None:
    data = data_file(tmp_path, verity.ALONE + 1)
    alone = verity.write_tree(data, tmp_path / "a", salt=SALT, jobs=1)
    together = verity.write_tree(data, tmp_path / "b", salt=SALT, jobs=2)
    assert alone == together
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_one_flipped_bit_changes_the_root(tmp_path: Path) -> None:
    data = data_file(tmp_path, 200)
    before = verity.write_tree(data, tmp_path / "h", salt=SALT)
    content = bytearray(data.read_bytes())
    content[150 * BLOCK] ^= 1
    data.write_bytes(content)
    assert verity.write_tree(data, tmp_path / "h", salt=SALT).root_hash != before.root_hash


def test_the_smallest_tree_is_as_the_format_says(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"x" * BLOCK + b"y" * BLOCK)
    made = verity.write_tree(tmp_path / "d", tmp_path / "h", salt=SALT)
    digests = [hashlib.sha256(SALT + letter * BLOCK).digest() for letter in (b"x", b"y")]
    level = b"".join(digests) + bytes(BLOCK - 64)
    assert (tmp_path / "h").read_bytes() == level
    assert made.root_hash == hashlib.sha256(SALT + level).digest()


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK + 1])
def test_what_is_not_whole_blocks_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "d").write_bytes(bytes(size))
    with pytest.raises(FormatError):
        verity.write_tree(tmp_path / "d", tmp_path / "h", salt=SALT)


def test_the_salt_is_of_the_name_alone() -> None:
    assert verity.salt_for("a") == verity.salt_for("a") != verity.salt_for("b")
    assert len(verity.salt_for("a")) == 32
