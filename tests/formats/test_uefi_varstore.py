"""UEFI variable stores: the current values, as firmware takes them."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tdx_images import store, variable
from warily.errors import FormatError
from warily.formats.uefi_varstore import GLOBAL, IMAGE_SECURITY, SECURE_BOOT_ENABLE, VariableStore

ONE = variable("PK", GLOBAL, b"key")


def test_only_current_values_count() -> None:
    data = store(
        variable("Boot0000", GLOBAL, b"gone", state=0x3C)
        + variable("Boot0000", GLOBAL, b"before", state=0x3E)
        + variable("BootOrder", GLOBAL, b"\x01\x00\x00\x00")
        + variable("Boot0000", GLOBAL, b"now")
        + variable("half", GLOBAL, b"written", state=0x7F)
        + variable("kept", GLOBAL, b"being replaced", state=0x3E)
    )
    found = VariableStore.parse(data)
    assert found.value("Boot0000") == b"now"
    assert found.value("kept") == b"being replaced"
    assert found.value("half") == b""
    assert found.find("Boot0000", IMAGE_SECURITY) is None
    assert found.boot_order == (1, 0)


@pytest.mark.parametrize(
    ("variables", "enforced"),
    [
        (b"", False),
        (ONE, True),
        (ONE + variable("SecureBootEnable", SECURE_BOOT_ENABLE, b"\x01"), True),
        (ONE + variable("SecureBootEnable", SECURE_BOOT_ENABLE, b"\x00"), False),
        (variable("SecureBootEnable", SECURE_BOOT_ENABLE, b"\x01"), False),
    ],
)
def test_secure_boot_needs_a_platform_key(variables: bytes, *, enforced: bool) -> None:
    assert VariableStore.parse(store(variables)).secure_boot is enforced


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(56),
        store(ONE)[:100],
        store(ONE).replace(b"_FVH", b"_FVX"),
        store(ONE + ONE),
        store(ONE.replace("PK\0".encode("utf-16-le"), "PK\1".encode("utf-16-le"))),
        store(variable("BootOrder", GLOBAL, bytes(5000), state=0x3C)[:100]),
    ],
)
def test_what_firmware_would_not_take_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        VariableStore.parse(data)


def test_an_odd_boot_order_is_refused() -> None:
    with pytest.raises(FormatError):
        _ = VariableStore.parse(store(variable("BootOrder", GLOBAL, b"\0\0\0"))).boot_order


@settings(max_examples=150)
@given(st.binary(max_size=400), st.randoms(use_true_random=False))
def test_arbitrary_bytes(data: bytes, chance: random.Random) -> None:
    base = bytearray(store(ONE + variable("db", IMAGE_SECURITY, bytes(50)), size=0x200))
    for _ in range(chance.randrange(5)):
        base[chance.randrange(len(base))] = chance.randrange(256)
    for candidate in (data, bytes(base), store(data, size=0x400)):
        try:
            found = VariableStore.parse(candidate)
        except FormatError:
            continue
        assert all(one.value in candidate for one in found.variables)


def test_genuine_store_with_keys(vectors: Path) -> None:
    found = VariableStore.parse((vectors / "measure/firmware/OVMF.inteltdx.ms.fd").read_bytes())
    assert {one.name: len(one.value) for one in found.variables} == {"KEK": 4071, "PK": 1005, "db": 7636, "dbx": 21292}
    assert found.secure_boot
    assert VariableStore.parse((vectors / "measure/firmware/OVMF.generic.fd").read_bytes()).variables == ()
