"""The first blocks of a volume: whose it is, how it is laid out, and how often it was opened, under MACs.

    [0, 4 KiB)       this descriptor
    [4 KiB, 12 KiB)  two epoch records, written in turn, so that a torn one leaves the other
    [12 KiB, 1 MiB)  nothing
    [1 MiB, size)    dm-integrity: 4 KiB that are never read (its superblock is in the descriptor), journal, data

A guest reads the descriptor once into memory and checks the tag before it looks at any field. The
descriptor never changes, so its SHA-256 names this one volume; the broker remembers it.
"""

from enum import IntEnum
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u32, u64
from warily.formats.dm_integrity import SUPERBLOCK_SIZE, Superblock

SIZE: Final = 4096
TAG_SIZE: Final = 32
DATA_OFFSET: Final = 1 << 20
EPOCH_OFFSET: Final = 4096
EPOCH_SPACING: Final = 4096
EPOCH_SLOTS: Final = 2
EPOCH_SIZE: Final = 512
EPOCH_MAGIC: Final = b"WARILYVE"
MAGIC: Final = b"WARILYVD"
VERSION: Final = 1
NAME_SIZE: Final = 64


class Cipher(IntEnum):
    """How a volume is encrypted. There is one way, and no negotiation."""

    AES_XTS_HMAC_SHA256 = 1


KERNEL_CIPHER: Final = "capi:authenc(hmac(sha256),xts(aes))-plain64"  # also in guest.json and in the manifest
CIPHER_KEY_SIZE: Final = 96  # HMAC-SHA256 key (32), AES-256-XTS key (64)
CIPHER_TAG_SIZE: Final = 32


@layout(SIZE, source="this module")
class VolumeDescriptor(Layout):
    """`size` is the declared size in bytes; `uuid` is random and goes into every key of the volume but the MAC's.

    `tag` is HMAC-SHA256 over all bytes before it.
    """

    magic: Annotated[bytes, octets(0, 8)]
    version: Annotated[int, u32(8)]
    cipher: Annotated[Cipher, u32(12)]
    size: Annotated[int, u64(16)]
    uuid: Annotated[bytes, octets(24, 16)]
    identity: Annotated[bytes, octets(40, 32)]
    padded_name: Annotated[bytes, octets(72, NAME_SIZE)]
    superblock: Annotated[Superblock, octets(512, SUPERBLOCK_SIZE)]
    tag: Annotated[bytes, octets(SIZE - TAG_SIZE, TAG_SIZE)]

    @classmethod
    def untagged(cls, *, name: str, size: int, uuid: bytes, identity: bytes, superblock: Superblock) -> Self:
        """The descriptor of a new volume, with zeros for a tag."""
        return cls(
            magic=MAGIC,
            version=VERSION,
            cipher=Cipher.AES_XTS_HMAC_SHA256,
            size=size,
            uuid=uuid,
            identity=identity,
            padded_name=padded(name),
            superblock=superblock,
            tag=bytes(TAG_SIZE),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The descriptor in `data`, whose tag the caller has checked. Raises `FormatError`."""
        made = cls.unpack(data)
        if made.magic != MAGIC or made.version != VERSION:
            msg = f"volume descriptor: magic {made.magic!r}, version {made.version}"
            raise FormatError(msg)
        return made


@layout(EPOCH_SIZE, source="this module")
class EpochRecord(Layout):
    """That the volume `uuid` was opened for the `epoch`th time. `tag` is HMAC-SHA256 over all bytes before it."""

    magic: Annotated[bytes, octets(0, 8)]
    version: Annotated[int, u32(8)]
    epoch: Annotated[int, u64(16)]
    uuid: Annotated[bytes, octets(24, 16)]
    tag: Annotated[bytes, octets(EPOCH_SIZE - TAG_SIZE, TAG_SIZE)]

    @classmethod
    def untagged(cls, *, epoch: int, uuid: bytes) -> Self:
        """The record of an epoch, with zeros for a tag."""
        return cls(magic=EPOCH_MAGIC, version=VERSION, epoch=epoch, uuid=uuid, tag=bytes(TAG_SIZE))


def epoch_place(epoch: int) -> int:
    """The byte of the disk at which the record of an epoch stands."""
    return EPOCH_OFFSET + epoch % EPOCH_SLOTS * EPOCH_SPACING


def padded(name: str) -> bytes:
    """A volume's name as the descriptor holds it: UTF-8, filled up with zeros."""
    raw = name.encode()
    if not 0 < len(raw) <= NAME_SIZE or b"\0" in raw:
        msg = f"volume descriptor: {name!r} is no name of at most {NAME_SIZE} bytes"
        raise FormatError(msg)
    return raw.ljust(NAME_SIZE, b"\0")
