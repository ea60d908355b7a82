"""What QEMU hands over in a direct kernel boot, and the digests that stand for it in the measurement."""

import hashlib
from collections.abc import Iterator
from typing import Final

from warily.core.registers import Step
from warily.errors import UsageError
from warily.formats._record import record
from warily.formats.sev_hashes import KernelHashes
from warily.measure.launch_digest import LaunchDigest

MAX_KERNEL: Final = 512 << 20
MAX_INITRD: Final = 2 << 30
MAX_COMMAND_LINE: Final = 64 << 10


@record
class FileDigest:
    """A file that is known by its size in bytes and its SHA-256."""

    size: int
    sha256: bytes


@record
class DirectBoot:
    """Kernel, initrd and command line exactly as QEMU gets them; a file as its bytes or digest. None: not given."""

    kernel: bytes | FileDigest | None
    initrd: bytes | FileDigest | None
    command_line: bytes | None

    def hashes(self) -> KernelHashes | None:
        """The digests QEMU puts into the guest, or None without a kernel. Raises `UsageError`.

        The kernel counts as the file is: QEMU leaves its setup header alone for an SEV guest. The
        command line counts with its final NUL and with every blank. No initrd counts as an empty one.
        """
        if self.kernel is None:
            if self.initrd is not None or self.command_line is not None:
                raise UsageError("an initrd or a command line needs a kernel", hint="add --kernel FILE")
            return None
        command_line = self.command_line or b""
        _check("command line", len(command_line), MAX_COMMAND_LINE)
        if 0 in command_line:
            raise UsageError("the command line holds a NUL byte; QEMU would end it there")
        return KernelHashes(
            command_line=hashlib.sha256(command_line + b"\0").digest(),
            initrd=_sha256("initrd", self.initrd or b"", MAX_INITRD),
            kernel=_sha256("kernel", self.kernel, MAX_KERNEL),
        )


def hashes_steps(digest: LaunchDigest, hashes: KernelHashes, gpa: int, offset: int) -> Iterator[Step]:
    """Add the page of kernel hashes; the steps name its three inputs first, which move no register themselves."""
    for name, value in (("kernel", hashes.kernel), ("initrd", hashes.initrd), ("command line", hashes.command_line)):
        yield digest.step("hash", name, value)
    page = hashes.page(offset)
    digest.add_bytes(gpa, page)
    yield digest.step("kernel-hashes", "kernel, initrd, command line", hashlib.sha384(page).digest(), at=gpa)


def _sha256(what: str, file: bytes | FileDigest, limit: int) -> bytes:
    if isinstance(file, FileDigest):
        _check(what, file.size, limit)
        return file.sha256
    _check(what, len(file), limit)
    return hashlib.sha256(file).digest()


def _check(what: str, size: int, limit: int) -> None:
    if size > limit:
        msg = f"{what}: {size} bytes are over the limit of {limit}"
        raise UsageError(msg)
