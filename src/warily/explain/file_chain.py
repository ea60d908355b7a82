"""From a launch digest to one file: every link of what makes the file measured, recomputed.

launch digest → command line → root hash → blocks of the root file system → file → package. Each block of the image
that is looked at, directories included, is believed only once its branch of the dm-verity tree leads to the root hash.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import Manifest, VerityRoot
from warily.errors import FormatError, UsageError
from warily.formats._record import record
from warily.formats.erofs import Erofs, NoSuchFileError
from warily.formats.verity import ALGORITHM, BLOCK, DIGEST, FANOUT, tree
from warily.measure.shapes import Shape, recompute
from warily.measure.snp import REGISTER

MAX_KEPT: Final = 4096  # blocks that are kept once they are checked
Reader = Callable[[int, int], bytes]


@record
class Link:
    """One link. `holds` is None where it could not be checked; `detail` says what was compared, or why not."""

    of: str
    to: str
    holds: bool | None
    detail: str

    def as_json(self) -> dict[str, object]:
        """The link as `--json` prints it."""
        return {"from": self.of, "to": self.to, "holds": self.holds, "detail": self.detail}


class BrokenTreeError(FormatError):
    """A block whose branch does not lead to the root hash."""


class VerifiedBlocks:
    """A device behind a dm-verity tree: what is read from it was checked, block by block, up to the root hash.

    `checked` counts blocks of data, `hashes` blocks of the tree.
    """

    def __init__(self, data: Reader, tree_device: Reader, root: VerityRoot) -> None:
        if root.algorithm != ALGORITHM or root.block_size != BLOCK:
            msg = f"a tree of {root.algorithm} over blocks of {root.block_size} bytes is not read"
            raise FormatError(msg)
        self._data, self._tree_device, self._root = data, tree_device, root
        self._tree = tree(root.data_blocks)
        self._blocks: dict[int, bytes] = {}
        self._hashes: dict[tuple[int, int], bytes] = {}
        self.checked = 0

    @property
    def hashes(self) -> int:
        """How many blocks of the tree were read."""
        return len(self._hashes)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`. Raises `BrokenTreeError`, and `FormatError` past the end."""
        if offset < 0 or size < 0 or offset + size > self._root.data_blocks * BLOCK:
            msg = f"{size} bytes at {offset:#x} are not within the root file system"
            raise FormatError(msg)
        first, last = offset // BLOCK, (offset + size + BLOCK - 1) // BLOCK
        data = b"".join(self._block(index) for index in range(first, last))
        return data[offset - first * BLOCK :][:size]

    def _block(self, index: int) -> bytes:
        if index not in self._blocks:
            block = self._data(index * BLOCK, BLOCK)
            if self._digest(block) != self._expected(0, index):
                msg = f"block {index} of the root file system is not the one that the root hash covers"
                raise BrokenTreeError(msg)
            if len(self._blocks) >= MAX_KEPT:
                self._blocks.clear()
            self._blocks[index] = block
            self.checked += 1
        return self._blocks[index]

    def _expected(self, level: int, index: int) -> bytes:
        """The digest that a block of data (level 0), or of the tree (one more), must have."""
        if level == len(self._tree.levels):
            return self._root.root_hash
        number, place = divmod(index, FANOUT)
        if (level, number) not in self._hashes:
            block = self._tree_device((self._tree.levels[level].start + number) * BLOCK, BLOCK)
            if self._digest(block) != self._expected(level + 1, number):
                msg = f"block {number} of level {level} of the tree is not the one that the root hash covers"
                raise BrokenTreeError(msg)
            self._hashes[level, number] = block
        return self._hashes[level, number][place * DIGEST : (place + 1) * DIGEST]

    def _digest(self, block: bytes) -> bytes:
        return hashlib.sha256(self._root.salt + block).digest()


@record
class Found:
    """A file of the root, as the tree covers it: the path it really has, its bytes, and what was checked for it."""

    path: str
    content: bytes
    blocks: int
    hashes: int


def launch_link(manifest: Manifest, platform: Platform, *, value: bytes | None) -> Link:
    """The launch digest at the declared shape, or `value` (any shape), is of this very command line."""
    to = "command line"
    measured = hashlib.sha256(manifest.command_line.encode() + b"\0").hexdigest()
    listed = manifest.values(platform, REGISTER)
    shape = Shape(vcpus=manifest.cpus, cpu=manifest.cpu, memory=manifest.memory)
    try:
        found = recompute(manifest, platform, shape)
    except UsageError as error:
        return Link(of=f"{platform.value} launch digest", to=to, holds=None, detail=str(error))
    digest = found.registers[REGISTER]
    wanted = value or digest
    known = wanted in listed or wanted == digest or any(entry.value == wanted for entry in found.candidates)
    steps = {step.input: step.input_digest for step in found.trace if step.step == "hash"}
    holds = known and steps.get("command line") == measured and (digest in listed or not listed)
    detail = (
        f"recomputed for {manifest.cpus} vCPUs: its page of kernel hashes has SHA-256 {measured} of the command line"
    )
    if not known:
        detail = "the value is not a launch digest of this manifest"
    return Link(of=f"{platform.value} launch digest {wanted.hex()}", to=to, holds=holds, detail=detail)


def root_link(manifest: Manifest) -> Link:
    """The command line names the root hash, salt and size that the manifest has, each once."""
    said: dict[str, list[str]] = {}
    for word in manifest.command_line.split():
        key, _, text = word.partition("=")
        said.setdefault(key, []).append(text)
    root = manifest.root
    wanted = {
        "warily.root": root.root_hash.hex(),
        "warily.salt": root.salt.hex(),
        "warily.blocks": str(root.data_blocks),
    }
    wrong = [key for key, text in wanted.items() if said.get(key) != [text]]
    detail = f"the words {', '.join(wanted)} say so" if not wrong else f"{', '.join(wrong)} say otherwise"
    return Link(of="command line", to=f"root hash {root.root_hash.hex()}", holds=not wrong, detail=detail)


def find_file(path: str, manifest: Manifest, data: Reader, hashes: Reader) -> tuple[Found | None, Link]:
    """The file, read through the dm-verity tree. None with a link that is broken where a block is another."""
    of = f"root hash {manifest.root.root_hash.hex()[:16]}…"
    blocks = VerifiedBlocks(data, hashes, manifest.root)
    try:
        image = Erofs.open(blocks.read)
        inode, real = image.find(path)
        if not inode.is_file:
            msg = f"{real} is no regular file"
            raise UsageError(msg)
        content = image.content(inode)
    except NoSuchFileError as error:
        raise UsageError(str(error)) from None
    except BrokenTreeError as error:
        return None, Link(of=of, to=path, holds=False, detail=str(error))
    found = Found(path=real, content=content, blocks=blocks.checked, hashes=blocks.hashes)
    detail = (
        f"{found.blocks} blocks on the way (superblock, folders, inode, content) and {found.hashes} blocks of the tree "
        "hash up to it"
    )
    return found, Link(of=of, to=real, holds=True, detail=detail)


def content_link(found: Found, listed: Mapping[str, str] | None) -> Link:
    """The file's SHA-256, and that the build report lists it; `listed` None: there is no report."""
    digest = hashlib.sha256(found.content).hexdigest()
    to = f"sha256 {digest}"
    if listed is None:
        return Link(of=found.path, to=to, holds=True, detail=f"{len(found.content)} bytes; there is no build report")
    said = listed.get(found.path)
    if said is None:
        return Link(of=found.path, to=to, holds=False, detail="the build report does not list the file")
    detail = f"{len(found.content)} bytes, as the build report says" if said == digest else f"the report says {said}"
    return Link(of=found.path, to=to, holds=said == digest, detail=detail)


def is_broken(links: list[Link]) -> bool:
    """Whether a link was checked and does not hold."""
    return any(link.holds is False for link in links)


def is_whole(links: list[Link]) -> bool:
    """Whether every link was checked and holds."""
    return all(link.holds for link in links)
