"""A persistent volume: whether the disk in a slot is this VM's volume, and what its keys are.

The host's disk is read once, into memory, and believed only under the volume's MAC. What is refused has a
stable name; the disk is never formatted unless the broker says that the volume was never made.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from warily.errors import FormatError
from warily.formats.guest_config import GuestVolume
from warily.formats.volume_descriptor import (
    CIPHER_KEY_SIZE,
    KERNEL_CIPHER,
    SIZE,
    TAG_SIZE,
    VolumeDescriptor,
    padded,
)
from warily.guest.refusal import Refused
from warily.release.messages import VolumeGrant, VolumeState

LABEL: Final = b"warily/volume/v1/"
MAC_KEY_SIZE: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeKeys:
    """What encrypts the sectors, and what authenticates the journal and superblock of dm-integrity."""

    crypt: bytearray
    journal: bytearray


def derive(secret: bytes, purpose: bytes, size: int, *, salt: bytes = b"") -> bytearray:
    """`size` bytes by HKDF-SHA256 (RFC 5869) from the volume's secret, for one purpose."""
    return bytearray(HKDF(SHA256(), size, salt or None, LABEL + purpose).derive(secret))


def keys_of(secret: bytes, uuid: bytes) -> VolumeKeys:
    """The keys of the volume that was made as `uuid`: made again, a volume shares none with its former self."""
    return VolumeKeys(
        crypt=derive(secret, b"dm-crypt", CIPHER_KEY_SIZE, salt=uuid),
        journal=derive(secret, b"journal", MAC_KEY_SIZE, salt=uuid),
    )


def seal(descriptor: VolumeDescriptor, secret: bytes) -> bytes:
    """The descriptor's 4 KiB with its tag."""
    body = descriptor.pack()[:-TAG_SIZE]
    return body + _tag(secret, body)


def decide(head: bytes, grant: VolumeGrant, spec: GuestVolume, identity: bytes) -> VolumeDescriptor | None:
    """The descriptor of this volume, or None where the volume is to be made. Raises `Refused`.

    `head` is the disk's first 4 KiB. A volume that the broker knows as blank but whose descriptor is
    authentic was made by a guest that stopped before it could say so; nothing had been stored in it.
    """
    if spec.cipher != KERNEL_CIPHER:
        raise Refused("volume.cipher", f"{spec.name}: the image asks for a cipher that is not {KERNEL_CIPHER}")
    blank = not any(head)
    if grant.state is VolumeState.BLANK:
        if blank:
            return None
        if not is_authentic(head, grant.secret):
            raise Refused("volume.not-blank", f"{spec.name}: the disk in this slot is not blank")
        return _checked(head, spec, identity)
    if blank:
        raise Refused("volume.blank", f"{spec.name}: the volume was initialised before, and this disk is blank")
    if not is_authentic(head, grant.secret):
        raise Refused("volume.descriptor", f"{spec.name}: the disk does not begin with this volume's descriptor")
    if grant.descriptor is None or not hmac.compare_digest(digest(head), grant.descriptor):
        raise Refused("volume.other", f"{spec.name}: the descriptor is not the one that the broker remembers")
    return _checked(head, spec, identity)


def is_authentic(head: bytes, secret: bytes) -> bool:
    """Whether the holder of `secret` made these 4 KiB."""
    return hmac.compare_digest(_tag(secret, head[:-TAG_SIZE]), head[-TAG_SIZE:])


def digest(head: bytes) -> bytes:
    """The SHA-256 by which the broker remembers a volume."""
    return hashlib.sha256(head).digest()


def read_head(disk: Path) -> bytes:
    """The first 4 KiB of the disk, read once."""
    handle = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(handle, SIZE, 0)
    finally:
        os.close(handle)
    if len(head) != SIZE:
        raise Refused("volume.size", f"{disk}: shorter than {SIZE} bytes")
    return head


def _checked(head: bytes, spec: GuestVolume, identity: bytes) -> VolumeDescriptor:
    try:
        found = VolumeDescriptor.decode(head)
    except FormatError as error:
        raise Refused("volume.descriptor", f"{spec.name}: {error}") from None
    if not hmac.compare_digest(found.identity, identity):
        raise Refused("volume.identity", f"{spec.name}: the volume belongs to another VM identity")
    if found.padded_name != padded(spec.name):
        raise Refused("volume.name", f"{spec.name}: the disk in this slot is another volume of this VM")
    if found.size != spec.size:
        raise Refused("volume.size", f"{spec.name}: made with {found.size} bytes, the image declares {spec.size}")
    return found


def _tag(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(derive(secret, b"descriptor", MAC_KEY_SIZE), body, "sha256")
