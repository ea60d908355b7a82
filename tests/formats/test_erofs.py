"""EROFS images as mkfs.erofs makes them: every file comes back; damaged ones are refused."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.erofs import MAGIC, Erofs, NoSuchFileError

FILES = {
    "empty": b"",
    "small": b"hello\n",
    "usr/bin/tool": b"".join(f"line {at} of a tool\n".encode() for at in range(8_000)),
    "usr/lib/zeros": bytes(300_000),
    "usr/lib/noise": bytes((at * 2654435761 >> 13) & 0xFF for at in range(50_000)),
    "usr/lib/edge": bytes(4096),
    **{f"many/file-{at:04}": f"content {at}".encode() * at for at in range(300)},
}
OPTIONS = {
    "plain": [],
    "lz4hc in big clusters": ["-zlz4hc,9", "-C65536"],
    "lz4": ["-zlz4"],
    "full index": ["-zlz4", "-C16384", "-Elegacy-compress"],
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("mkfs.erofs") is None:
        pytest.skip("mkfs.erofs is not installed (erofs-utils)")
    folder = tmp_path_factory.mktemp("tree")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "bin").symlink_to("usr/bin")
    (folder / "usr/bin/again").symlink_to("/bin/tool")
    (folder / "loop").symlink_to("loop")
    return folder


def made(tree: Path, folder: Path, options: list[str]) -> bytes:
    image = folder / "image"
    subprocess.run(["mkfs.erofs", "--quiet", "-x-1", "-T0", *options, image, tree], check=True, capture_output=True)
    return image.read_bytes()


def opened(image: bytes) -> Erofs:
    def read(offset: int, size: int) -> bytes:
        found = image[offset : offset + size]
        if len(found) != size:
            raise FormatError("past the end")
        return found

    return Erofs.open(read)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_file_comes_back(tree: Path, tmp_path: Path, options: list[str]) -> None:
    image = opened(made(tree, tmp_path, options))
    for name, content in FILES.items():
        inode, path = image.find(f"/{name}")
        assert (path, inode.is_file, inode.size) == (f"/{name}", True, len(content))
        assert image.content(inode) == content, name


def test_links_are_followed_within_the_image(tree: Path, tmp_path: Path) -> None:
    image = opened(made(tree, tmp_path, OPTIONS["lz4"]))
    inode, path = image.find("/bin/again")
    assert path == "/usr/bin/tool"
    assert image.content(inode) == FILES["usr/bin/tool"]
    with pytest.raises(FormatError, match="over 16 symbolic links"):
        image.find("/loop")


def test_what_is_not_there_is_said_to_be_so(tree: Path, tmp_path: Path) -> None:
    image = opened(made(tree, tmp_path, []))
    for path in ("/nothing", "/small/inside", "/usr/bin/tool/x"):
        with pytest.raises(NoSuchFileError):
            image.find(path)


@pytest.fixture(scope="module")
def small(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An image of one compressed file."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copytree(tree / "usr/bin", folder / "tree", symlinks=True)
    (folder / "tree/tool").write_bytes(FILES["usr/bin/tool"][:20_000])
    return made(folder / "tree", folder, OPTIONS["lz4hc in big clusters"])


@settings(max_examples=40)
@given(data=st.data())
def test_damage_is_refused_or_changes_content(small: bytes, data: st.DataObject) -> None:
    image = bytearray(small)
    for _ in range(data.draw(st.integers(1, 8))):
        image[data.draw(st.integers(1024, len(image) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = opened(bytes(image))
        inode, _ = found.find("/tool")
        assert len(found.content(inode)) == inode.size
    except FormatError:
        return


@given(st.binary(min_size=124, max_size=200), st.booleans())
def test_arbitrary_bytes_are_no_image(data: bytes, magic: bool) -> None:  # noqa: FBT001  # what hypothesis passes
    head = MAGIC.to_bytes(4, "little") if magic else data[:4]
    with pytest.raises(FormatError):
        opened(bytes(1024) + head + data).find("/usr")


@pytest.mark.parametrize("bit", [0x4, 0x8, 0x10, 0x20, 0x80])
def test_features_that_are_not_understood_are_refused(small: bytes, bit: int) -> None:
    image = bytearray(small)
    image[1024 + 80] |= bit
    with pytest.raises(FormatError, match="incompatible features"):
        opened(bytes(image))
