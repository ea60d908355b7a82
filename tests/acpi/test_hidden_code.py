"""Code that no compiler writes: where a reader may stop, or read something else than a kernel does."""

import struct
from itertools import pairwise

import pytest

from tests.acpi.test_bytecode import inspect, memory_write, method, package
from tests.acpi_tables import table

REGION = memory_write(0x1000000)
STORE = b"\x70\x01FLD0"
EVIL = method(b"EVIL", STORE + b"\xa4\x12\x03\x01\x01")
IF_TRUE = package(b"\xa0", b"\x01" + STORE)
HIGH = b"\x5b\x80RGN0\x00\x0e" + struct.pack("<Q", 0xFED00000) + b"\x0a\x10"


def start(body: bytes) -> bytes:
    return method(b"_INI", body)


HIDDEN: dict[str, tuple[bytes, set[str]]] = {
    "an If as an operand": (REGION + start(b"\x70" + IF_TRUE + b"\x60"), set()),
    "a While as an operand": (
        REGION + start(b"\x72" + package(b"\xa2", b"\x01" + STORE + b"\xa5") + b"\x01\x60"),
        set(),
    ),
    "an Else alone as an operand": (REGION + start(b"\x70" + package(b"\xa1", STORE) + b"\x60"), set()),
    "a call within ObjectType": (REGION + EVIL + start(b"\x70\x8e\x88EVIL\x00\x00\x60"), set()),
    "a store as the size of a buffer": (REGION + start(b"\x70" + package(b"\x11", b"\x70\x01FLD0") + b"\x60"), set()),
    "a call as the number of a bank": (
        REGION
        + EVIL
        + b"\x5b\x80RGX0\x00\x0c\x00\x00\xd0\xfe\x0a\x10"
        + package(b"\x5b\x81", b"RGX0\x03BNK0\x20")
        + start(package(b"\x5b\x87", b"RGX0BNK0EVIL\x03XXXX\x20")),
        set(),
    ),
    "after a Return as the table loads": (b"\xa4\x00" + REGION + start(STORE), set()),
    "after a Break without a loop": (b"\xa5" + REGION + start(STORE), set()),
    "a method that a method makes": (
        REGION + method(b"MAKE", method(b"\\_INI", STORE)) + method(b"_STA", b"MAKE\xa4\x0f"),
        set(),
    ),
    "a region that is declared again": (
        HIGH + package(b"\x5b\x81", b"RGN0\x03FLD0\x20") + REGION[:14] + start(STORE),
        set(),
    ),
    "after bytes that are no opcode": (b"\xfe\xfd" + REGION + start(STORE), {"MALFORMED_OPCODE"}),
    "after a branch of no opcodes": (
        REGION + start(package(b"\xa0", b"\x00\xfe\xfe") + STORE),
        {"MALFORMED_OPCODE"},
    ),
    "after a malformed method": (
        REGION + method(b"AAAA", b"\xa0\x3f\x01") + start(STORE),
        {"MALFORMED_PKGLENGTH"},
    ),
    "behind aliases in a circle": (b"\x06AAAABBBB\x06BBBBAAAA" + REGION + start(b"AAAA" + STORE), set()),
    "behind an alias below itself": (b"\x06\x2eAAAABBBBAAAA" + REGION + start(b"\x70\x01\x2eAAAABBBB" + STORE), set()),
}


@pytest.mark.parametrize("name", list(HIDDEN))
def test_what_a_kernel_runs_is_found(name: str) -> None:
    body, others = HIDDEN[name]
    found = {each.id for each in inspect(table("SSDT", body, revision=2))}
    assert {"MEM_RAM_WRITE", *others} <= found


def test_a_method_with_two_arities_is_doubtful_and_read_as_the_first_says() -> None:
    body = REGION + method(b"FOO_", b"") + method(b"FOO_", b"", 3) + start(b"FOO_" + IF_TRUE + b"\x01\x01")
    assert {each.id for each in inspect(table("SSDT", body, revision=2))} == {"MEM_RAM_WRITE", "MALFORMED_ARITY"}


def test_a_field_keeps_the_region_that_it_was_made_for() -> None:
    outer = b"\x5b\x80\\R___\x00\x0c" + struct.pack("<I", 0x1000000) + b"\x0a\x10"
    field = package(b"\x5b\x81", b"R___\x03FLD0\x20")
    device = package(b"\x5b\x82", b"DEV0" + field + start(STORE))
    later = package(b"\x10", b"DEV0\x5b\x80R___\x00\x0c" + struct.pack("<I", 0xFED00000) + b"\x0a\x10")
    found = inspect(table("DSDT", outer + device, revision=2), table("SSDT", later, revision=2))
    assert "MEM_RAM_WRITE" in {each.id for each in found}


def test_a_chain_of_aliases_of_any_length_is_followed() -> None:
    names = [b"A%03X" % each for each in range(500)]
    chain = b"".join(b"\x06" + old + new for old, new in pairwise(names))
    body = REGION + method(names[0], STORE) + chain + start(names[-1])
    found = inspect(table("SSDT", body, revision=2))
    assert any(each.id == "MEM_RAM_WRITE" and "auto:_INI" in each.reach for each in found)
