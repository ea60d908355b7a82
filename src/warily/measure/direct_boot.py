"""What QEMU hands over in a direct kernel boot, and the digests that stand for it in the measurement."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from warily.core.registers import Step
from warily.errors import UsageError
from warily.formats.sev_hashes import KernelHashes
from warily.measure.launch_digest import LaunchDigest

MAX_KERNEL: Final = 512 << 20
MAX_INITRD: Final = 2 << 30
MAX_COMMAND_LINE: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectBoot:
    """Kernel, initrd and command line as bytes, exactly as QEMU gets them. None: not given."""

    kernel: bytes | None
    initrd: bytes | None
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
        initrd, command_line = self.initrd or b"", self.command_line or b""
        _check("kernel", self.kernel, MAX_KERNEL)
        _check("initrd", initrd, MAX_INITRD)
        _check("command line", command_line, MAX_COMMAND_LINE)
        if 0 in command_line:
            raise UsageError("the command line holds a NUL byte; QEMU would end it there")
        return KernelHashes(
            command_line=hashlib.sha256(command_line + b"\0").digest(),
            initrd=hashlib.sha256(initrd).digest(),
            kernel=hashlib.sha256(self.kernel).digest(),
        )


def hashes_steps(digest: LaunchDigest, hashes: KernelHashes, gpa: int, offset: int) -> Iterator[Step]:
    """Add the page of kernel hashes; the steps name its three inputs first, which move no register themselves."""
    for name, value in (("kernel", hashes.kernel), ("initrd", hashes.initrd), ("command line", hashes.command_line)):
        yield digest.step("hash", name, value)
    page = hashes.page(offset)
    digest.add_bytes(gpa, page)
    yield digest.step("kernel-hashes", "kernel, initrd, command line", hashlib.sha384(page).digest(), at=gpa)


def _check(what: str, data: bytes, limit: int) -> None:
    if len(data) > limit:
        msg = f"{what}: {len(data)} bytes are over the limit of {limit}"
        raise UsageError(msg)
