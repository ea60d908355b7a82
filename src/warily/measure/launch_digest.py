"""The SNP launch digest: a hash chain over every page that enters the guest, in order.

Source: AMD 56860 (SEV-SNP firmware ABI 1.55), section 8.17.2.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from warily.core.registers import Step
from warily.formats.snp_page_info import DIGEST, PageType, encode

PAGE: Final = 4096
EMPTY: Final = bytes(DIGEST)
VMSA_GPA: Final = 0xFFFF_FFFF_F000  # KVM and QEMU put every VMSA at this address


class LaunchDigest:
    """The register while pages are added; `value` is 48 bytes. Start from `seed` to continue a chain."""

    def __init__(self, seed: bytes = EMPTY) -> None:
        self.value = seed

    def add(self, page_type: PageType, gpa: int, contents: bytes = EMPTY) -> None:
        """Add one page: `contents` is the SHA-384 of its bytes, or zeros where they are not measured."""
        self.value = hashlib.sha384(encode(self.value, contents, page_type, gpa)).digest()

    def add_bytes(self, gpa: int, data: bytes) -> None:
        """Add `data`, whole pages, with their bytes measured."""
        for at, contents in page_digests(data):
            self.add(PageType.NORMAL, gpa + at, contents)

    def add_blank(self, page_type: PageType, gpa: int, size: int) -> None:
        """Add `size` bytes, whole pages, of which only type and address are measured."""
        for at in range(gpa, gpa + size, PAGE):
            self.add(page_type, at)

    def step(self, name: str, source: str, digest: bytes, *, at: int | None = None) -> Step:
        """The step just taken, for the trace."""
        return Step(step=name, input=source, input_digest=digest.hex(), after=self.value.hex(), at=at)


def page_digests(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The offset and the SHA-384 of each page of `data`."""
    view = memoryview(data)
    for at in range(0, len(data), PAGE):
        yield at, hashlib.sha384(view[at : at + PAGE]).digest()
