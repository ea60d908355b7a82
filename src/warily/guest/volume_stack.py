"""A volume's devices: AEAD by dm-crypt, over a journal by dm-integrity, over the host's disk.

/dev/dm-N  crypt      capi:authenc(hmac(sha256),xts(aes))
           integrity  4 KiB blocks, 32-byte tags, journal and superblock under a MAC
           shadow     superblock, journal and tags from guest memory; data from the disk
           fresh      journal and tags: written to memory and disk, read from memory
"""

import mmap
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warily.errors import FormatError
from warily.formats import dm_integrity, dm_tables
from warily.formats.dm_integrity import SUPERBLOCK_SIZE, Superblock
from warily.formats.dm_ioctl import Target
from warily.formats.dm_tables import BLOCK, SECTOR
from warily.formats.guest_config import GuestVolume
from warily.formats.volume_descriptor import CIPHER_TAG_SIZE, DATA_OFFSET, KERNEL_CIPHER, VolumeDescriptor
from warily.guest import epoch, kernel
from warily.guest.devices import block_device
from warily.guest.dm import DeviceMapper, number, wipe
from warily.guest.kernel import Mount
from warily.guest.loop import MemoryDisk
from warily.guest.refusal import Refused
from warily.guest.volume import VolumeKeys, decide, digest, keys_of, read_head, seal
from warily.guest.volume_memory import MEMORY, check_seal, read_tags, seal_of, shadow_in_memory
from warily.release.messages import VolumeGrant

Confirm = Callable[[bytes, int], None]
"""Tells the broker that the disk with this descriptor digest is in this epoch."""

CHUNK: Final = 1 << 22
MKFS: Final = ("/usr/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0")
MKFS_EXTENDED: Final = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
FLAGS: Final = dm_integrity.HAVE_JOURNAL_MAC | dm_integrity.FIXED_PADDING | dm_integrity.FIXED_HMAC


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedVolume:
    """A live volume in its `epoch`. `memory` has its tags; `sealed`: it was found in the state it was left in."""

    spec: GuestVolume
    node: Path
    memory: MemoryDisk
    epoch: int
    is_new: bool
    sealed: bool


def open_volume(slot: int, spec: GuestVolume, grant: VolumeGrant, identity: bytes, confirm: Confirm) -> OpenedVolume:
    """The volume in `slot`, made if the broker says it never was, is live. Raises `Refused` or `OSError`.

    Before anything of it is used, its disk and the broker say that a new epoch has begun.
    """
    disk = block_device(slot, "volume", at_least=spec.size)
    head = read_head(disk)
    descriptor = decide(head, grant, spec, identity)
    is_new = descriptor is None
    if descriptor is None:
        node, memory, descriptor = initialise(disk, spec, grant.secret, identity)
        _begin_epoch(disk, descriptor, grant, confirm)
    else:
        records = epoch.records_on(disk)
        name, uuid = spec.name, descriptor.uuid
        epoch.check_epoch(records, name=name, secret=grant.secret, uuid=uuid, remembered=grant.epoch)
        memory = read_tags(disk, descriptor.superblock)
        check_seal(memory, grant.seal, spec.name)
        _begin_epoch(disk, descriptor, grant, confirm)
        node = _activate(disk, spec, grant.secret, descriptor.uuid, descriptor.superblock, memory)
    sealed = grant.seal is not None
    return OpenedVolume(spec=spec, node=node, memory=memory, epoch=grant.epoch + 1, is_new=is_new, sealed=sealed)


def close_volume(opened: OpenedVolume) -> bytes:
    """The volume is unmounted and its devices are gone; the seal of the state it was left in. Raises `OSError`."""
    name = opened.spec.name
    kernel.unmount(opened.spec.mount)
    with DeviceMapper() as mapper:
        for layer in (f"warily-{name}", f"warily-{name}-integrity"):
            mapper.remove(layer)
        made = seal_of(opened.memory)
        for layer in ("shadow", "fresh", "kept"):
            mapper.remove(f"warily-{name}-{layer}")
    opened.memory.release()
    return made


def _begin_epoch(disk: Path, descriptor: VolumeDescriptor, grant: VolumeGrant, confirm: Confirm) -> None:
    begun = grant.epoch + 1
    epoch.write_record(disk, epoch=begun, secret=grant.secret, uuid=descriptor.uuid)
    confirm(digest(seal(descriptor, grant.secret)), begun)


def _activate(
    disk: Path, spec: GuestVolume, secret: bytes, uuid: bytes, superblock: Superblock, memory: MemoryDisk
) -> Path:
    """The node of the volume's plain side, above tags that are read from memory."""
    keys = keys_of(secret, uuid)
    with DeviceMapper() as mapper:
        shadow = shadow_in_memory(mapper, disk, spec, superblock, memory)
        node = _stack(mapper, shadow, spec, keys, superblock.provided_sectors)
    _wipe_keys(keys)
    return node


def initialise(
    disk: Path, spec: GuestVolume, secret: bytes, identity: bytes
) -> tuple[Path, MemoryDisk, VolumeDescriptor]:
    """A new volume with an empty ext4: its node, its tags and its descriptor, which is written last of all.

    Until the descriptor stands on the disk the volume was never made, and the next boot begins anew.
    """
    uuid = secrets.token_bytes(16)
    keys = keys_of(secret, uuid)
    blank = MemoryDisk(MEMORY, BLOCK)
    with DeviceMapper() as mapper:
        superblock = _format(mapper, _shadow(mapper, disk, spec, blank), spec, keys, blank)
    blank.release()
    _wipe_keys(keys)
    memory = read_tags(disk, superblock)
    node = _activate(disk, spec, secret, uuid, superblock, memory)
    _write_zeros(node, superblock.provided_sectors * SECTOR)
    _make_file_system(node, spec, uuid)
    made = VolumeDescriptor.untagged(
        name=spec.name, size=spec.size, uuid=uuid, identity=identity, superblock=superblock
    )
    _write_head(disk, seal(made, secret))
    return node, memory, made


def mount_volume(node: Path, spec: GuestVolume) -> None:
    """The volume is mounted where the image declares it; nothing on it can be executed."""
    target = Path(spec.mount)
    target.mkdir(parents=True, exist_ok=True)
    kernel.mount(str(node), spec.mount, "ext4", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC, "errors=remount-ro")


def _shadow(mapper: DeviceMapper, disk: Path, spec: GuestVolume, memory: MemoryDisk) -> Path:
    """The disk from `DATA_OFFSET` on, whose first 4 KiB are guest memory: what dm-integrity formats."""
    skip = BLOCK // SECTOR
    rest = (spec.size - DATA_OFFSET) // BLOCK * skip - skip
    first = dm_tables.linear(start=0, length=skip, device=number(memory.node), offset=0)
    second = dm_tables.linear(start=skip, length=rest, device=number(disk), offset=DATA_OFFSET // SECTOR + skip)
    return mapper.create(f"warily-{spec.name}-blank", [first, second])


def _format(mapper: DeviceMapper, shadow: Path, spec: GuestVolume, keys: VolumeKeys, memory: MemoryDisk) -> Superblock:
    """dm-integrity formats what begins with zeros; the superblock that it wrote is in guest memory."""
    name = f"warily-{spec.name}-format"
    mapper.create(name, [_integrity(shadow, keys, BLOCK // SECTOR)])
    mapper.remove(name)
    mapper.remove(f"warily-{spec.name}-blank")
    try:
        made = Superblock.unpack(memory.read(SUPERBLOCK_SIZE))
    except FormatError as error:
        raise Refused("volume.format", f"{spec.name}: {error}") from None
    blocks = made.provided_sectors // (BLOCK // SECTOR)
    if (
        made.magic != dm_integrity.MAGIC
        or made.tag_size != CIPHER_TAG_SIZE
        or made.flags != FLAGS
        or not 0 < blocks * BLOCK < spec.size
        or made.provided_sectors % (BLOCK // SECTOR)
    ):
        raise Refused("volume.format", f"{spec.name}: dm-integrity made a superblock that was not asked for")
    return made


def _stack(mapper: DeviceMapper, shadow: Path, spec: GuestVolume, keys: VolumeKeys, sectors: int) -> Path:
    """The node of the volume's plain side."""
    protected = mapper.create(f"warily-{spec.name}-integrity", [_integrity(shadow, keys, sectors)])
    table = dm_tables.crypt(
        length=sectors, device=number(protected), cipher=KERNEL_CIPHER, tag_size=CIPHER_TAG_SIZE, key=keys.crypt
    )
    return mapper.create(f"warily-{spec.name}", [table])


def _integrity(shadow: Path, keys: VolumeKeys, sectors: int) -> Target:
    return dm_tables.integrity(length=sectors, device=number(shadow), tag_size=CIPHER_TAG_SIZE, mac_key=keys.journal)


def _wipe_keys(keys: VolumeKeys) -> None:
    wipe(keys.crypt)
    wipe(keys.journal)


def _write_zeros(node: Path, size: int) -> None:
    """Every sector has been written once, so that each has a valid tag."""
    handle = os.open(node, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        with mmap.mmap(-1, CHUNK) as zeros, memoryview(zeros) as view:
            at = 0
            while at < size:
                with view[: min(CHUNK, size - at)] as part:
                    at += os.write(handle, part)
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_file_system(node: Path, spec: GuestVolume, uuid: bytes) -> None:
    import subprocess  # noqa: PLC0415  # once in a volume's life, and slow to import

    words = [*MKFS, "-E", MKFS_EXTENDED, "-U", _hyphenated(uuid), str(node)]
    done = subprocess.run(words, capture_output=True, check=False, env={"PATH": "/usr/sbin:/usr/bin"})  # noqa: S603  # fixed words
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise Refused("volume.mkfs", f"{spec.name}: mkfs.ext4 ended with status {done.returncode}: {said}")
    handle = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hyphenated(uuid: bytes) -> str:
    text = uuid.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _write_head(disk: Path, head: bytes) -> None:
    """The descriptor is on the disk, after everything it describes."""
    handle = os.open(disk, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(handle)
        os.pwrite(handle, head, 0)
        os.fsync(handle)
    finally:
        os.close(handle)
