"""ATTESTATION_REPORT: exact round trips, versions, reserved bytes, TCB versions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge import REPORT
from warily.errors import FormatError
from warily.formats.snp_report import (
    SIZE,
    SigningKey,
    SnpReport,
    Tcb,
    TcbLayout,
    firmware_version,
)

GENUINE = REPORT.pack()


def test_round_trip() -> None:
    assert len(GENUINE) == SIZE == SnpReport.SIZE
    assert SnpReport.unpack(GENUINE) == REPORT


@given(st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, 255)), max_size=6))
def test_changed_reports_are_refused_or_round_trip(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(GENUINE)
    for at, value in changes:
        changed[at] = value
    try:
        report = SnpReport.unpack(bytes(changed))
    except FormatError:
        return
    assert report.pack() == bytes(changed)


@given(st.binary(max_size=2 * SIZE))
def test_arbitrary_bytes_are_refused_or_round_trip(data: bytes) -> None:
    try:
        assert SnpReport.unpack(data).pack() == data
    except FormatError:
        return


@pytest.mark.parametrize("version", [0, 1, 6, 0x105])
def test_unknown_versions_are_refused(version: int) -> None:
    with pytest.raises(FormatError, match="version"):
        replace(REPORT, version=version)


@pytest.mark.parametrize("at", [0x4C, 0x18B, 0x19F, 0x1EB, 0x1EF, 0x208, 0x29F, 0x330, 0x49F])
def test_reserved_bytes_are_zero(at: int) -> None:
    changed = bytearray(GENUINE)
    changed[at] = 1
    with pytest.raises(FormatError, match="reserved"):
        SnpReport.unpack(bytes(changed))


def test_fields_that_an_older_version_reserves_are_zero() -> None:
    with pytest.raises(FormatError, match="version 2"):
        replace(REPORT, version=2)
    for version in (3, 4):
        with pytest.raises(FormatError, match=f"version {version}"):
            replace(REPORT, version=version, launch_mitigations=1)
    assert replace(REPORT, version=5, launch_mitigations=1).launch_mitigations == 1


@pytest.mark.parametrize("key_info", [2 << 2, 6 << 2, 1 << 5, 1 << 31])
def test_unknown_key_information_is_refused(key_info: int) -> None:
    with pytest.raises(FormatError, match="key_info"):
        replace(REPORT, key_info=key_info)


def test_key_information() -> None:
    report = replace(REPORT, key_info=0b00111)
    assert report.has_author_key
    assert report.masks_chip_key
    assert report.signing_key is SigningKey.VLEK


@given(st.integers(0, (1 << 64) - 1), st.sampled_from(TcbLayout))
def test_tcb_versions_are_refused_or_round_trip(value: int, layout: TcbLayout) -> None:
    try:
        tcb = Tcb.decode(value, layout)
    except FormatError:
        return
    assert tcb.encode() == value


def test_tcb_layouts() -> None:
    genoa = Tcb.decode(0x541700000000000A, TcbLayout.LEGACY)
    assert genoa.components() == {"bootloader": 10, "tee": 0, "snp": 23, "microcode": 0x54}
    turin = Tcb.decode(0x5100000004010101, TcbLayout.TURIN)
    assert turin.components() == {"fmc": 1, "bootloader": 1, "tee": 1, "snp": 4, "microcode": 0x51}
    assert genoa.encode() == 0x541700000000000A
    assert turin.encode() == 0x5100000004010101
    for layout in TcbLayout:
        with pytest.raises(FormatError, match="reserved"):
            Tcb.decode(1 << 40, layout)


def test_tcb_order_is_by_component() -> None:
    low, high = Tcb(bootloader=1, tee=2, snp=3, microcode=4), Tcb(bootloader=1, tee=2, snp=3, microcode=5)
    assert low.is_within(high)
    assert not high.is_within(low)
    assert not replace(low, bootloader=2).is_within(high)
    assert not replace(low, fmc=1).is_within(high)


def test_firmware_versions_are_stored_build_first() -> None:
    assert firmware_version(REPORT.current_version) == (1, 55, 29)
