"""How often a volume was opened, as its disk says: what tells a current disk from an old copy of it."""

import hmac
import os
from pathlib import Path

from warily.errors import FormatError
from warily.formats.volume_descriptor import (
    EPOCH_MAGIC,
    EPOCH_SIZE,
    EPOCH_SLOTS,
    TAG_SIZE,
    VERSION,
    EpochRecord,
    epoch_place,
)
from warily.guest.refusal import Refused
from warily.guest.volume import MAC_KEY_SIZE, derive


def check_epoch(records: tuple[bytes, ...], *, name: str, secret: bytes, uuid: bytes, remembered: int) -> None:
    """The disk's epoch is the one that the broker remembers. Raises `Refused`.

    One more is right as well: a guest that stopped after it wrote the record and before it could say so
    had not yet used the volume.
    """
    found = max((read_record(record, secret, uuid) for record in records), default=0)
    if found < remembered:
        why = f"{name}: the disk is of epoch {found}, and the volume was opened in epoch {remembered} since"
        raise Refused("volume.rollback", why)
    if found > remembered + 1:
        why = (
            f"{name}: the disk is of epoch {found}, and the broker remembers only {remembered}: it was put back itself"
        )
        raise Refused("volume.broker-rollback", why)


def read_record(record: bytes, secret: bytes, uuid: bytes) -> int:
    """The epoch that an authentic record of this volume names; 0 for anything else."""
    if not hmac.compare_digest(_tag(secret, uuid, record[:-TAG_SIZE]), record[-TAG_SIZE:]):
        return 0
    try:
        found = EpochRecord.unpack(record)
    except FormatError:
        return 0
    return found.epoch if (found.magic, found.version, found.uuid) == (EPOCH_MAGIC, VERSION, uuid) else 0


def make_record(*, epoch: int, secret: bytes, uuid: bytes) -> bytes:
    """The record's 512 bytes with its tag."""
    body = EpochRecord.untagged(epoch=epoch, uuid=uuid).pack()[:-TAG_SIZE]
    return body + _tag(secret, uuid, body)


def records_on(disk: Path) -> tuple[bytes, ...]:
    """Both records, read once."""
    handle = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return tuple(os.pread(handle, EPOCH_SIZE, epoch_place(slot)) for slot in range(EPOCH_SLOTS))
    finally:
        os.close(handle)


def write_record(disk: Path, *, epoch: int, secret: bytes, uuid: bytes) -> None:
    """The disk says that it is in `epoch`, and keeps the record of the one before."""
    handle = os.open(disk, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(handle, make_record(epoch=epoch, secret=secret, uuid=uuid), epoch_place(epoch))
        os.fsync(handle)
    finally:
        os.close(handle)


def _tag(secret: bytes, uuid: bytes, body: bytes) -> bytes:
    return hmac.digest(derive(secret, b"epoch", MAC_KEY_SIZE, salt=uuid), body, "sha256")
