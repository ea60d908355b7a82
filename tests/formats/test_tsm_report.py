"""The hardware record round-trips exactly, and refuses what it does not know."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.tsm_report import AUXBLOB_LIMIT, LIMIT, OUTBLOB_LIMIT, PROVIDERS, TsmReport


@given(st.sampled_from(PROVIDERS), st.binary(min_size=1, max_size=2048), st.binary(max_size=8192))
def test_record_round_trips(provider: str, outblob: bytes, auxblob: bytes) -> None:
    made = TsmReport(provider=provider, outblob=outblob, auxblob=auxblob)
    assert TsmReport.decode(made.encode()) == made


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        TsmReport.decode(data)


def test_the_largest_record_fits() -> None:
    made = TsmReport(provider="sev_guest", outblob=bytes(OUTBLOB_LIMIT), auxblob=bytes(AUXBLOB_LIMIT))
    assert len(made.encode()) <= LIMIT
    assert TsmReport.decode(made.encode()) == made


GOOD = {"provider": "sev_guest", "outblob": "AA", "auxblob": ""}


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "nobody"},
        {"provider": 1},
        {"outblob": ""},
        {"outblob": "AA=="},
        {"outblob": "AB"},
        {"outblob": "A" * (OUTBLOB_LIMIT * 2)},
        {"auxblob": None},
        {"more": ""},
    ],
)
def test_departures_are_refused(change: dict[str, object]) -> None:
    assert TsmReport.decode(json.dumps(GOOD).encode()).outblob == b"\0"
    with pytest.raises(FormatError):
        TsmReport.decode(json.dumps(GOOD | change).encode())


def test_a_missing_member_is_refused() -> None:
    with pytest.raises(FormatError, match="auxblob is missing"):
        TsmReport.decode(b'{"provider":"sev_guest","outblob":"AA"}')
