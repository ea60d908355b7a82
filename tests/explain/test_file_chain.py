"""From a launch digest to a file: each link holds for a real tree, and breaks where something was changed."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.explain.known_builds import ROOTS, declared, line, manifest
from warily.core.declaration import Platform
from warily.errors import FormatError, UsageError
from warily.explain.file_chain import (
    BrokenTreeError,
    Found,
    VerifiedBlocks,
    content_link,
    find_file,
    launch_link,
    root_link,
)
from warily.image.verity import write_tree

CONTENT = b"".join(f"{at}\n".encode() for at in range(6_000))
BLOCK = 4096


class Image:
    """A root file system with its tree, in memory, so that a test may change a byte."""

    def __init__(self, folder: Path) -> None:
        tree = folder / "tree"
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "usr/bin/tool").write_bytes(CONTENT)
        (tree / "usr/bin/other").write_bytes(CONTENT[::-1])
        image, hashes = folder / "root", folder / "hashes"
        command: list[str | Path] = ["mkfs.erofs", "--quiet", "-x-1", "-zlz4hc,9", "-C65536", image, tree]
        subprocess.run(command, check=True, capture_output=True)
        self.root = write_tree(image, hashes, salt=bytes(range(32)))
        self.data, self.hashes = bytearray(image.read_bytes()), bytearray(hashes.read_bytes())
        base = manifest(replace(declared(), line="x"))
        self.manifest = replace(base, root=self.root)

    def find(self, path: str) -> tuple[Found | None, bool | None, str]:
        found, link = find_file(path, self.manifest, reader(self.data), reader(self.hashes))
        return found, link.holds, link.detail


def reader(data: bytearray) -> Callable[[int, int], bytes]:
    return lambda offset, size: bytes(data[offset : offset + size])


@pytest.fixture
def image(tmp_path: Path, vectors: Path) -> Image:
    del vectors  # the manifest is of real firmware
    if shutil.which("mkfs.erofs") is None:
        pytest.skip("mkfs.erofs is not installed (erofs-utils)")
    return Image(tmp_path)


def test_a_file_is_read_through_the_tree(image: Image) -> None:
    found, holds, detail = image.find("/usr/bin/tool")
    assert found is not None
    assert (found.content, holds) == (CONTENT, True)
    assert "blocks on the way" in detail
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert content_link(found, {"/usr/bin/tool": digest}).holds is True
    assert content_link(found, {"/usr/bin/tool": "00"}).holds is False
    assert content_link(found, {}).holds is False


def test_a_changed_block_of_the_file_breaks_the_link_of_that_file_alone(image: Image) -> None:
    at = next(block for block in range(1, image.root.data_blocks) if touches(image, block, "/usr/bin/tool"))
    image.data[at * BLOCK + 7] ^= 1
    assert image.find("/usr/bin/tool")[:2] == (None, False)
    assert image.find("/usr/bin/other")[1] is True


def touches(image: Image, block: int, path: str) -> bool:
    """Whether reading this file, and not the other, reads that block."""
    image.data[block * BLOCK + 7] ^= 1
    broken = image.find(path)[1] is False and image.find("/usr/bin/other")[1] is True
    image.data[block * BLOCK + 7] ^= 1
    return broken


def test_a_changed_block_of_the_tree_breaks_it(image: Image) -> None:
    image.hashes[3] ^= 1
    found, holds, detail = image.find("/usr/bin/tool")
    assert (found, holds) == (None, False)
    assert "of the tree is not the one" in detail


def test_what_is_not_there_is_no_broken_link(image: Image) -> None:
    with pytest.raises(UsageError, match="no such file"):
        image.find("/usr/bin/none")
    with pytest.raises(UsageError, match="no regular file"):
        image.find("/usr/bin")


def test_blocks_past_the_end_are_not_read(image: Image) -> None:
    blocks = VerifiedBlocks(reader(image.data), reader(image.hashes), image.root)
    with pytest.raises(FormatError, match="not within"):
        blocks.read(image.root.data_blocks * BLOCK - 1, 2)
    image.data[0] ^= 1
    with pytest.raises(BrokenTreeError):
        blocks.read(5, 1)


def test_the_launch_digest_leads_to_the_command_line_and_that_to_the_root(vectors: Path) -> None:
    del vectors
    good = manifest(declared())
    assert launch_link(good, Platform.SNP, value=None).holds is True
    assert launch_link(good, Platform.SNP, value=replace(declared(), vcpus=60).digest()).holds is True
    assert launch_link(good, Platform.SNP, value=bytes(48)).holds is False
    assert root_link(good).holds is True
    assert root_link(replace(good, root=replace(good.root, root_hash=ROOTS["two"]))).holds is False
    twice = replace(good, command_line=f"{good.command_line} warily.root={ROOTS['two'].hex()}")
    assert root_link(twice).holds is False
    moved = replace(good, command_line=line("two"))
    assert launch_link(moved, Platform.SNP, value=None).holds is False
    assert launch_link(replace(good, launches=()), Platform.SNP, value=None).holds is None
