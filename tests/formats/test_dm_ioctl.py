"""Device-mapper: the kernel's structures, tables as its documentation writes them, hostile answers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import dm_tables
from warily.formats.dm_ioctl import (
    ANSWER_SIZE,
    HEADER_SIZE,
    Command,
    Flag,
    Header,
    Target,
    TargetSpec,
    answered,
    request,
)
from warily.formats.dm_tables import append_hex
from warily.formats.loop_ioctl import LoopConfig

STRUCT = struct.Struct("<3I I I I i I I I Q 128s 129s 7s")  # struct dm_ioctl, field by field
TARGETS = (
    Target(start=0, length=8, kind="linear", params=b"7:0 0"),
    Target(start=8, length=120, kind="linear", params=b"254:0 2056"),
)


def test_the_header_is_the_kernels() -> None:
    fields = STRUCT.unpack_from(request("warily-root", flags=Flag.READONLY, targets=TARGETS))
    assert STRUCT.size == HEADER_SIZE
    assert fields[:6] == (4, 0, 0, ANSWER_SIZE, HEADER_SIZE, 2)
    assert fields[7] == 1
    assert fields[11].rstrip(b"\0") == b"warily-root"


def test_ioctl_numbers_are_iowr_of_the_header() -> None:
    numbers = {
        Command.CREATE: 3,
        Command.REMOVE: 4,
        Command.SUSPEND: 6,
        Command.TABLE_LOAD: 9,
        Command.TABLE_STATUS: 12,
    }
    for command, number in numbers.items():
        assert command == (3 << 30) | (HEADER_SIZE << 16) | (0xFD << 8) | number


def test_targets_follow_one_another_as_the_kernel_walks_them() -> None:
    buffer, at = request("v", targets=TARGETS), HEADER_SIZE
    for target in TARGETS:
        spec = TargetSpec.unpack(memoryview(buffer)[at : at + TargetSpec.SIZE])
        text = bytes(buffer[at + TargetSpec.SIZE : at + spec.next])
        assert (spec.start, spec.length) == (target.start, target.length)
        assert text.partition(b"\0")[0] == target.params
        assert spec.next % 8 == 0
        at += spec.next


def answer(texts: list[bytes]) -> bytearray:
    """What the kernel writes for TABLE_STATUS: `next` counts from the start of the data."""
    buffer = request("v", targets=[Target(start=0, length=8, kind="crypt", params=text) for text in texts])
    at = HEADER_SIZE
    for _ in texts:
        step = int.from_bytes(buffer[at + 20 : at + 24], "little")
        buffer[at + 20 : at + 24] = (at + step - HEADER_SIZE).to_bytes(4, "little")
        at += step
    return buffer


@given(st.lists(st.binary(max_size=60).filter(lambda text: b"\0" not in text), max_size=8))
def test_an_answer_gives_its_targets(texts: list[bytes]) -> None:
    header, targets = answered(answer(texts))
    assert header.target_count == len(texts)
    assert [target.params for target in targets] == texts


@given(st.integers(0, HEADER_SIZE + 200), st.binary(max_size=40))
def test_a_changed_answer_raises_nothing_else(at: int, noise: bytes) -> None:
    buffer = answer([b"V", b"0 1 2"])
    buffer[at : at + len(noise)] = noise
    try:
        answered(buffer)
    except FormatError:
        return


@given(st.binary(min_size=HEADER_SIZE, max_size=HEADER_SIZE))
def test_any_header_round_trips(data: bytes) -> None:
    assert Header.unpack(data).pack() == data


def test_an_answer_that_did_not_fit_is_refused() -> None:
    buffer = request("v", flags=Flag.BUFFER_FULL)
    with pytest.raises(FormatError, match="does not fit"):
        answered(buffer)


@pytest.mark.parametrize("name", ["", "a\0b", "n" * 128])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError):
        request(name)


def test_the_verity_table_is_the_documented_one() -> None:
    table = dm_tables.verity(data="254:0", hashes="254:16", blocks=10, root=b"\xaa" * 32, salt=b"\xbb" * 8)
    assert table.length == 80
    assert bytes(table.params) == (
        b"1 254:0 254:16 4096 4096 10 0 sha256 " + b"aa" * 32 + b" " + b"bb" * 8 + b" 1 panic_on_corruption"
    )


def test_the_volume_tables_are_the_documented_ones() -> None:
    protected = dm_tables.integrity(length=64, device="253:1", tag_size=32, mac_key=b"\x01" * 32)
    words = bytes(protected.params).decode().split()
    assert words[:5] == ["253:1", "0", "32", "J", "4"]
    assert len(words) == 5 + 4
    assert words[-1] == "journal_mac:hmac(sha256):" + "01" * 32
    plain = dm_tables.crypt(length=64, device="253:2", cipher="capi:x-plain64", tag_size=32, key=b"\x02" * 96)
    assert bytes(plain.params).decode() == (
        f"capi:x-plain64 {'02' * 96} 0 253:2 0 2 integrity:32:aead sector_size:4096"
    )
    assert isinstance(plain.params, bytearray)  # so that it can be wiped


@given(st.binary(max_size=100))
def test_hexadecimal_by_hand_is_hexadecimal(key: bytes) -> None:
    out = bytearray()
    append_hex(out, key)
    assert out.decode() == key.hex()


def test_the_loop_configuration_is_the_kernels() -> None:
    packed = LoopConfig(fd=3, block_size=0, offset=0, size_limit=0, flags=4, file_name=bytes(64)).pack()
    # u32 fd, u32 block_size, then struct loop_info64 (232 bytes, lo_flags at 52), then u64 reserved[8]
    assert len(packed) == 4 + 4 + 232 + 64
    assert struct.unpack_from("<II", packed) == (3, 0)
    assert struct.unpack_from("<I", packed, 8 + 52) == (4,)
