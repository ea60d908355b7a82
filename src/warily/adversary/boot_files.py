"""Kernels and initial RAM file systems with one thing changed, which their owner did not sign."""

from pathlib import Path
from typing import Final

from warily.formats import cpio

SETUP_VERSION: Final = 0x20E  # Linux Documentation/arch/x86/boot.rst: offset of the version string, less 0x200


def other_version(kernel: bytes) -> bytes:
    """The kernel with one bit of its version string changed, which nothing executes."""
    at = int.from_bytes(kernel[SETUP_VERSION : SETUP_VERSION + 2], "little") + 0x200
    return kernel[:at] + bytes([kernel[at] ^ 1]) + kernel[at + 1 :]


def with_more(initrd: bytes, name: str, text: str) -> bytes:
    """A second archive behind the first: the kernel unpacks both."""
    folders = [str(folder) for folder in list(Path(name).parents)[-2::-1]]
    entries = [cpio.Entry(name=folder, mode=0o040755) for folder in folders]
    more = cpio.encode([*entries, cpio.Entry(name=name, mode=0o100755, data=text.encode())])
    return initrd + bytes(-len(initrd) % 512) + more
