"""A secure VM service module (SVSM) below the firmware: loaded under it in memory, and started instead of it.

QEMU measures the firmware, the SVSM's image, then the sections of the SVSM's metadata; the firmware's own sections
are the SVSM's business. Every processor starts in the SVSM.
Source: the Coconut project's QEMU, target/i386/sev.c; its image has the table that OVMF images have.
"""

import hashlib
from typing import Final, Self

from warily.errors import FormatError, UsageError
from warily.formats._guid import guid
from warily.formats._record import record
from warily.formats.ovmf import Ovmf, Section
from warily.formats.sev_hashes import KernelHashes
from warily.measure.launch_digest import PAGE, LaunchDigest

SVSM_INFO: Final = guid("a789a612-0597-4c4b-a49f-cbb1fe9d1ddd")
MAX_VARIABLES: Final = 16 << 20


@record
class Svsm:
    """The image, and the size in bytes of the variable store that lies between it and the firmware."""

    image: bytes
    variables: int


@record
class LoadedSvsm:
    """An SVSM in its place: `before` is the register before its pages were added, `eip` where processors start."""

    sha256: bytes
    gpa: int
    eip: int
    before: bytes
    sections: tuple[Section, ...]

    @classmethod
    def load(cls, svsm: Svsm, digest: LaunchDigest, *, end: int, hashes: KernelHashes | None) -> Self:
        """Add the SVSM's pages to `digest`, below `end`. Raises `UsageError` and `FormatError`."""
        if hashes is not None:
            raise UsageError("an SVSM measures no kernel: QEMU's kernel hashes have no place under it")
        if not 0 <= svsm.variables <= MAX_VARIABLES or svsm.variables % PAGE:
            msg = f"a variable store of {svsm.variables} bytes: whole pages up to {MAX_VARIABLES} can be"
            raise UsageError(msg)
        image = Ovmf.parse(svsm.image)
        info = image.table.get(SVSM_INFO)
        if info is None or len(info) < 4:  # noqa: PLR2004  # a 32-bit offset
            raise FormatError("SVSM: no entry point in its table", hint="is this the svsm.bin of an SVSM for QEMU?")
        gpa = end - svsm.variables - image.size
        before = digest.value
        digest.add_bytes(gpa, svsm.image)
        return cls(
            sha256=hashlib.sha256(svsm.image).digest(),
            gpa=gpa,
            eip=gpa + int.from_bytes(info[:4], "little"),
            before=before,
            sections=image.sections,
        )
