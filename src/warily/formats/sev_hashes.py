"""The table of kernel, initrd and command line digests that QEMU leaves for a measured direct boot.

Source: QEMU target/i386/sev.c, SevHashTable and PaddedSevHashTable; edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes.
"""

from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._guid import guid
from warily.formats._layout import Layout, layout, octets, u16
from warily.formats._record import record

PAGE: Final = 4096
TABLE_SIZE: Final = 176

_TABLE: Final = guid("9438d606-4f22-4cc9-b479-a793d411fd21")
_COMMAND_LINE: Final = guid("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
_INITRD: Final = guid("44baf731-3a2f-4bd7-9af1-41e29169781d")
_KERNEL: Final = guid("4de79437-abd2-427f-b835-d5b172d2045b")


@layout(50, source="QEMU target/i386/sev.c, SevHashTableEntry")
class HashEntry(Layout):
    """One SHA-256 digest. `length` counts the entry whole."""

    guid: Annotated[bytes, octets(0, 16)]
    length: Annotated[int, u16(16)]
    digest: Annotated[bytes, octets(18, 32)]


@layout(TABLE_SIZE, source="QEMU target/i386/sev.c, PaddedSevHashTable")
class HashTable(Layout):
    """Three entries in fixed order. `length` leaves out the 8 bytes of padding."""

    guid: Annotated[bytes, octets(0, 16)]
    length: Annotated[int, u16(16)]
    command_line: Annotated[HashEntry, octets(18, 50)]
    initrd: Annotated[HashEntry, octets(68, 50)]
    kernel: Annotated[HashEntry, octets(118, 50)]


@record
class KernelHashes:
    """The SHA-256 digests of a direct boot: the command line with its final NUL, the initrd, the kernel file."""

    command_line: bytes
    initrd: bytes
    kernel: bytes

    def encode(self) -> bytes:
        """The 176 bytes of the table."""
        table = HashTable(
            guid=_TABLE,
            length=TABLE_SIZE - 8,
            command_line=HashEntry(guid=_COMMAND_LINE, length=HashEntry.SIZE, digest=self.command_line),
            initrd=HashEntry(guid=_INITRD, length=HashEntry.SIZE, digest=self.initrd),
            kernel=HashEntry(guid=_KERNEL, length=HashEntry.SIZE, digest=self.kernel),
        )
        return table.pack()

    def page(self, offset: int) -> bytes:
        """A page that is zero but for the table at `offset`. Raises `FormatError` where it does not fit."""
        if not 0 <= offset <= PAGE - TABLE_SIZE:
            msg = f"kernel hashes: a table at offset {offset:#x} leaves its page"
            raise FormatError(msg)
        return (bytes(offset) + self.encode()).ljust(PAGE, b"\0")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The digests that 176 bytes hold. Raises `FormatError`."""
        table = HashTable.unpack(data)
        made = cls(command_line=table.command_line.digest, initrd=table.initrd.digest, kernel=table.kernel.digest)
        if made.encode() != data:
            raise FormatError("kernel hashes: a GUID or a length is not as specified")
        return made
