"""Which disk is this VM's volume, and when may it be made."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.formats.dm_integrity import MAGIC, Superblock
from warily.formats.guest_config import GuestVolume
from warily.formats.volume_descriptor import KERNEL_CIPHER, SIZE, VolumeDescriptor
from warily.guest.refusal import Refused
from warily.guest.volume import decide, derive, digest, keys_of, seal
from warily.release.messages import VolumeGrant, VolumeState

SPEC = GuestVolume(name="data", size=1 << 26, mount="/data", cipher=KERNEL_CIPHER)
IDENTITY = b"\x11" * 32
SECRET = b"\x22" * 32
UUID = b"\x33" * 16
SUPERBLOCK = Superblock(
    magic=MAGIC,
    version=5,
    log2_interleave_sectors=15,
    tag_size=32,
    journal_sections=3,
    provided_sectors=1000,
    flags=0x19,
    log2_sectors_per_block=3,
    log2_blocks_per_bitmap_bit=15,
    salt=bytes(16),
    mac=bytes(32),
)
BLANK = bytes(SIZE)


def made(*, secret: bytes = SECRET, identity: bytes = IDENTITY, name: str = "data", size: int = 1 << 26) -> bytes:
    descriptor = VolumeDescriptor.untagged(name=name, size=size, uuid=UUID, identity=identity, superblock=SUPERBLOCK)
    return seal(descriptor, secret)


HEAD = made()
NEW = VolumeGrant(name="data", secret=SECRET, state=VolumeState.BLANK, descriptor=None)
KNOWN = VolumeGrant(name="data", secret=SECRET, state=VolumeState.INITIALISED, descriptor=digest(HEAD))


def refusal(head: bytes, grant: VolumeGrant, spec: GuestVolume = SPEC) -> str:
    with pytest.raises(Refused) as caught:
        decide(head, grant, spec, IDENTITY)
    assert SECRET.hex() not in str(caught.value)
    return caught.value.check


def test_a_blank_disk_for_a_volume_that_never_was_is_made() -> None:
    assert decide(BLANK, NEW, SPEC, IDENTITY) is None


def test_the_volume_that_the_broker_remembers_is_opened() -> None:
    found = decide(HEAD, KNOWN, SPEC, IDENTITY)
    assert found is not None
    assert found.superblock == SUPERBLOCK


def test_a_volume_made_but_not_confirmed_is_opened_and_not_made_again() -> None:
    found = decide(HEAD, NEW, SPEC, IDENTITY)
    assert found is not None
    assert found.uuid == UUID


def test_a_blank_disk_for_a_known_volume_is_refused() -> None:
    assert refusal(BLANK, KNOWN) == "volume.blank"


def test_foreign_bytes_are_never_formatted() -> None:
    assert refusal(b"\x01" + BLANK[1:], NEW) == "volume.not-blank"
    assert refusal(BLANK[:-1] + b"\x01", NEW) == "volume.not-blank"
    assert refusal(made(secret=b"\x99" * 32), NEW) == "volume.not-blank"


@given(st.integers(0, SIZE * 8 - 1))
def test_one_flipped_bit_anywhere_is_refused(bit: int) -> None:
    changed = bytearray(HEAD)
    changed[bit // 8] ^= 1 << bit % 8
    assert refusal(bytes(changed), KNOWN) == "volume.descriptor"


def test_another_vms_volume_is_refused_even_under_the_same_secret() -> None:
    head = made(identity=b"\x12" * 32)
    assert refusal(head, replace(KNOWN, descriptor=digest(head))) == "volume.identity"


def test_another_volume_of_the_same_vm_is_refused() -> None:
    head = made(name="logs")
    assert refusal(head, replace(KNOWN, descriptor=digest(head))) == "volume.name"


def test_another_size_is_refused() -> None:
    head = made(size=1 << 27)
    assert refusal(head, replace(KNOWN, descriptor=digest(head))) == "volume.size"


def test_an_authentic_descriptor_of_an_earlier_life_is_refused() -> None:
    assert refusal(HEAD, replace(KNOWN, descriptor=b"\0" * 32)) == "volume.other"
    assert refusal(HEAD, replace(KNOWN, descriptor=None)) == "volume.other"


def test_an_image_that_asks_for_another_cipher_is_refused() -> None:
    assert refusal(HEAD, KNOWN, replace(SPEC, cipher="cipher_null-ecb")) == "volume.cipher"


def test_keys_differ_by_purpose_and_by_volume() -> None:
    one, other = keys_of(SECRET, UUID), keys_of(SECRET, b"\x34" * 16)
    assert len(one.crypt) == 96
    assert len({bytes(one.crypt), bytes(other.crypt)}) == 2
    assert len({bytes(one.journal), bytes(other.journal), bytes(derive(SECRET, b"descriptor", 32))}) == 3


def test_derivation_has_not_changed() -> None:
    # HKDF-SHA256 by the standard library alone; a change here makes every existing volume unreadable.
    import hashlib
    import hmac

    extracted = hmac.digest(UUID, SECRET, hashlib.sha256)
    expanded = hmac.digest(extracted, b"warily/volume/v1/journal\x01", hashlib.sha256)
    assert bytes(keys_of(SECRET, UUID).journal) == expanded
