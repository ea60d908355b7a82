"""Parameter texts of the device-mapper targets that a guest uses. Devices are `major:minor`.

Sources: Linux Documentation/admin-guide/device-mapper/{linear,verity,dm-crypt,dm-integrity}.rst.
No text here comes from a disk: every number and name is measured, or was authenticated.
"""

from typing import Final

from warily.formats.dm_ioctl import Target

SECTOR: Final = 512
BLOCK: Final = 4096
LARGEST_REGION: Final = 2048  # sectors of a mirror that are written at once
_HEX: Final = b"0123456789abcdef"


def verity(*, data: str, hashes: str, blocks: int, root: bytes, salt: bytes) -> Target:
    """`blocks` blocks of 4 KiB under a SHA-256 tree without a superblock; a wrong block panics the kernel."""
    text = f"1 {data} {hashes} {BLOCK} {BLOCK} {blocks} 0 sha256 {root.hex()} {salt.hex()} 1 panic_on_corruption"
    return Target(start=0, length=blocks * BLOCK // SECTOR, kind="verity", params=text.encode())


def linear(*, start: int, length: int, device: str, offset: int) -> Target:
    """`length` sectors from `start`, served by `device` from sector `offset`."""
    return Target(start=start, length=length, kind="linear", params=f"{device} {offset}".encode())


def mirror(*, length: int, first: str, offset: int, second: str) -> Target:
    """`length` sectors written to both devices and read from the first, which serves them from sector `offset`.

    Source: Linux drivers/md/dm-raid1.c: reads go to the default mirror, the first, and both begin in step.
    """
    region = min(1 << (length.bit_length() - 1), LARGEST_REGION)
    text = f"core 2 {region} nosync 2 {first} {offset} {second} 0"
    return Target(start=0, length=length, kind="mirror", params=text.encode())


def integrity(*, length: int, device: str, tag_size: int, mac_key: bytes | bytearray) -> Target:
    """`length` sectors with a tag of `tag_size` bytes for each 4 KiB, journaled; journal and superblock are MACed."""
    params = bytearray(f"{device} 0 {tag_size} J 4 block_size:{BLOCK} fix_padding fix_hmac ".encode())
    params += b"journal_mac:hmac(sha256):"
    append_hex(params, mac_key)
    return Target(start=0, length=length, kind="integrity", params=params)


def crypt(*, length: int, device: str, cipher: str, tag_size: int, key: bytes | bytearray) -> Target:
    """`length` sectors of authenticated encryption over a device that keeps the tags."""
    params = bytearray(f"{cipher} ".encode())
    append_hex(params, key)
    params += f" 0 {device} 0 2 integrity:{tag_size}:aead sector_size:{BLOCK}".encode()
    return Target(start=0, length=length, kind="crypt", params=params)


def append_hex(out: bytearray, key: bytes | bytearray) -> None:
    """`key` in hexadecimal at the end of `out`, with no other copy of it made."""
    for byte in key:
        out.append(_HEX[byte >> 4])
        out.append(_HEX[byte & 15])
