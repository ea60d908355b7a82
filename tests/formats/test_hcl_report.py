"""The report of Azure's paravisor comes back as it was, or is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge_tpm import ForgedAzure, runtime_data
from warily.errors import FormatError
from warily.formats.hcl_report import HclReport, ReportType, RuntimeData

GOOD = ForgedAzure().evidence.hcl_report


def test_genuine_reports_come_back(vectors: Path) -> None:
    kinds = []
    for path in sorted((vectors / "evidence").glob("azure_*/trustee/hcl-report.bin")):
        data = path.read_bytes()
        made = HclReport.decode(data)
        assert made.encode() == data
        kinds.append(made.report_type)
        said = RuntimeData.decode(made.runtime_data)
        assert len(said.modulus) == 256
        assert said.settings["tpm-enabled"] is True
        assert said.user_data == bytes(64)
    assert kinds == [ReportType.SNP, ReportType.TDX]


@given(st.integers(0, len(GOOD)), st.binary(max_size=64))
def test_any_bytes_are_refused_or_come_back(cut: int, tail: bytes) -> None:
    try:
        made = HclReport.decode(GOOD[:cut] + tail)
    except FormatError:
        return
    assert made.encode() == GOOD[:cut] + tail


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_runtime_data_is_refused_or_read(data: bytes) -> None:
    for blob in (data, b'{"keys":' + data + b"}"):
        try:
            RuntimeData.decode(blob)
        except FormatError:
            continue


@pytest.mark.parametrize(
    "data",
    [
        b"HCLB" + GOOD[4:],
        GOOD + b"\x01",
        GOOD[:1200],
        GOOD[:1224] + b"\x03" + GOOD[1225:],
        GOOD[:1232] + b"\xff\xff\xff\x7f" + GOOD[1236:],
        bytes(1 << 17),
    ],
)
def test_bad_reports_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        HclReport.decode(data)


def changed(**members: object) -> bytes:
    return json.dumps(json.loads(runtime_data()) | members).encode()


@pytest.mark.parametrize(
    "data",
    [
        changed(keys=[]),
        changed(keys=json.loads(runtime_data())["keys"] * 2),
        changed(keys=[{"kid": "HCLAkPub", "kty": "EC", "n": "AQAB", "e": "AQAB"}]),
        changed(keys=[{"kid": "HCLAkPub", "kty": "RSA", "n": "!", "e": "AQAB"}]),
        changed(**{"user-data": "xyz"}),
    ],
)
def test_runtime_data_name_one_key(data: bytes) -> None:
    with pytest.raises(FormatError):
        RuntimeData.decode(data)


def test_members_nobody_knows_are_left_out() -> None:
    said = RuntimeData.decode(changed(**{"vm-configuration": {"a": True, "b": "text", "c": [1]}, "new": 1}))
    assert said.settings == {"a": True, "b": "text"}
    assert replace(said, settings={}).settings == {}
