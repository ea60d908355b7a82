"""Epochs of a volume: what the disk says against what the broker remembers, torn writes and forgeries included."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.volume_descriptor import EPOCH_OFFSET, EPOCH_SIZE, EpochRecord, epoch_place
from warily.guest.epoch import check_epoch, make_record, read_record, records_on, write_record
from warily.guest.refusal import Refused

SECRET, UUID = b"s" * 32, b"u" * 16
NOTHING = bytes(EPOCH_SIZE)


def record(epoch: int, secret: bytes = SECRET, uuid: bytes = UUID) -> bytes:
    return make_record(epoch=epoch, secret=secret, uuid=uuid)


def verdict(remembered: int, *records: bytes) -> str:
    try:
        check_epoch(records, name="data", secret=SECRET, uuid=UUID, remembered=remembered)
    except Refused as refusal:
        return refusal.check
    return "current"


@pytest.mark.parametrize(
    ("remembered", "records", "wanted"),
    [
        (0, (NOTHING, NOTHING), "current"),
        (0, (NOTHING, record(1)), "current"),
        (3, (record(2), record(3)), "current"),
        (3, (record(4), record(3)), "current"),
        (3, (record(4)[:-1] + b"x", record(3)), "current"),
        (3, (record(2), record(1)), "volume.rollback"),
        (3, (NOTHING, NOTHING), "volume.rollback"),
        (3, (record(2), record(3, secret=b"t" * 32)), "volume.rollback"),
        (3, (record(2), record(3, uuid=b"v" * 16)), "volume.rollback"),
        (3, (record(4), record(5)), "volume.broker-rollback"),
    ],
)
def test_the_disk_is_of_the_epoch_that_the_broker_remembers(
    remembered: int, records: tuple[bytes, ...], wanted: str
) -> None:
    assert verdict(remembered, *records) == wanted


def test_a_record_leaves_the_one_before(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(os.urandom(1 << 16))
    before = disk.read_bytes()
    for epoch in (1, 2, 3):
        write_record(disk, epoch=epoch, secret=SECRET, uuid=UUID)
    assert sorted(read_record(one, SECRET, UUID) for one in records_on(disk)) == [2, 3]
    after = disk.read_bytes()
    assert after[:EPOCH_OFFSET] == before[:EPOCH_OFFSET]
    assert after[epoch_place(1) + EPOCH_SIZE :] == before[epoch_place(1) + EPOCH_SIZE :]


@given(st.binary(min_size=1, max_size=24), st.integers(0, EPOCH_SIZE - 25))
def test_changed_records_are_none(noise: bytes, at: int) -> None:
    good = record(7)
    bad = good[:at] + noise + good[at + len(noise) :]
    assert read_record(bad, SECRET, UUID) == (7 if bad == good else 0)


@given(st.binary(min_size=EPOCH_SIZE, max_size=EPOCH_SIZE))
def test_arbitrary_records_round_trip_or_are_refused(data: bytes) -> None:
    try:
        assert EpochRecord.unpack(data).pack() == data
    except FormatError:
        return
