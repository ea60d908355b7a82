"""The SGX extensions of PCK certificates: members, their types and widths."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forge_tdx import FMSPC, INSTANCE, PPID, der, sgx_extensions
from warily.errors import FormatError
from warily.formats.pck import PckExtensions, PlatformFlag

WHOLE = sgx_extensions()


def test_a_multi_package_platform() -> None:
    found = PckExtensions.decode(WHOLE)
    assert (found.ppid, found.fmspc, found.pceid, found.instance_id) == (PPID, FMSPC, bytes(2), INSTANCE)
    assert found.components == (5,) * 16
    assert (found.pcesvn, found.cpusvn, found.sgx_type) == (13, b"\x05" * 16, 1)
    assert found.configuration == PlatformFlag.DYNAMIC_PLATFORM | PlatformFlag.SMT_ENABLED


def test_a_single_package_platform() -> None:
    found = PckExtensions.decode(sgx_extensions(instance=None, flags=None))
    assert found.instance_id is None
    assert found.configuration is None


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
@settings(deadline=None)
def test_changed_extensions_raise_nothing_else(at: int, value: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] = value
    with suppress(FormatError):
        PckExtensions.decode(bytes(changed))


@given(st.binary(max_size=512))
@settings(deadline=None)
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    with suppress(FormatError):
        PckExtensions.decode(data)


def member(number: int, value: bytes) -> bytes:
    return der(0x30, der(6, bytes.fromhex("2a864886f84d010d01") + bytes([number])), value)


HEAD = 4  # the outer header of WHOLE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (der(0x30), "TCB is missing"),
        (der(0x30, WHOLE[HEAD:], member(1, der(4, PPID))), "twice"),
        (der(0x30, member(2, der(0x30)), WHOLE[HEAD:]), "twice"),
        (WHOLE.replace(der(4, FMSPC), der(4, FMSPC[:5]) + b"\x05\x00"), "unexpected"),
        (WHOLE.replace(der(4, PPID), der(2, PPID)), "PPID"),
        (WHOLE.replace(der(10, b"\x01"), der(2, b"\x01")), "SGX type"),
        (WHOLE.replace(der(1, b"\xff"), der(1, b"\x01")), "neither true nor false"),
        (sgx_extensions(svn=300 - 256, pcesvn=70000), "65535"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        PckExtensions.decode(data)


def test_members_without_a_meaning_here_are_passed_over() -> None:
    assert PckExtensions.decode(der(0x30, WHOLE[HEAD:], member(9, der(4, b"later")))) == PckExtensions.decode(WHOLE)
