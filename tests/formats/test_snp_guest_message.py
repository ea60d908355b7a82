"""Guest messages round-trip exactly or are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.snp_guest_message import (
    ANSWER_LIMIT,
    INVALID_PARAMETERS,
    REPORT_SIZE,
    SUCCESS,
    ReportAnswer,
    ReportRequest,
    ReportResponse,
    frame,
    frame_length,
)


@given(
    st.binary(min_size=0x60, max_size=0x60)
    | st.binary(min_size=0x44, max_size=0x44).map(lambda b: b.ljust(0x60, b"\0"))
)
def test_request_round_trips_or_is_refused(data: bytes) -> None:
    try:
        made = ReportRequest.unpack(data)
    except FormatError:
        assert any(data[0x44:])
        return
    assert made.pack() == data


@given(
    st.binary(max_size=200) | st.builds(lambda h, t: h + bytes(24) + t, st.binary(min_size=8, max_size=8), st.binary())
)
def test_answer_round_trips_or_is_refused(data: bytes) -> None:
    try:
        made = ReportAnswer.decode(data)
    except FormatError:
        return
    assert made.encode() == data


@given(st.binary(min_size=REPORT_SIZE, max_size=REPORT_SIZE), st.binary(max_size=4096))
def test_success_carries_report_and_table(report: bytes, table: bytes) -> None:
    answer = ReportAnswer(status=SUCCESS, report=report, certificates=table)
    framed = frame(answer.encode())
    assert frame_length(framed[:4]) == len(framed) - 4
    assert ReportAnswer.decode(framed[4:]) == answer


def test_layout_is_the_specified_one() -> None:
    request = ReportRequest(report_data=bytes(range(64)), vmpl=2).pack()
    assert (len(request), request[:64], request[0x40]) == (96, bytes(range(64)), 2)
    response = ReportResponse(status=0x16, report_size=0x4A0).pack()
    assert response == bytes.fromhex("16000000a0040000") + bytes(24)


def test_key_selection_is_refused() -> None:
    request = bytearray(ReportRequest(report_data=bytes(64), vmpl=0).pack())
    request[0x44] = 1
    with pytest.raises(FormatError, match="reserved"):
        ReportRequest.unpack(bytes(request))


@pytest.mark.parametrize(
    "payload",
    [
        ReportResponse(status=SUCCESS, report_size=0).pack(),
        ReportResponse(status=SUCCESS, report_size=REPORT_SIZE).pack() + bytes(REPORT_SIZE - 1),
        ReportResponse(status=SUCCESS, report_size=REPORT_SIZE + 1).pack() + bytes(REPORT_SIZE + 1),
        ReportResponse(status=INVALID_PARAMETERS, report_size=0).pack() + b"more",
        bytes(ANSWER_LIMIT + 1),
        b"",
    ],
)
def test_answers_that_do_not_add_up_are_refused(payload: bytes) -> None:
    with pytest.raises(FormatError):
        ReportAnswer.decode(payload)


@pytest.mark.parametrize("prefix", [b"", b"\0\0\0", bytes(4), b"\xff" * 4, (ANSWER_LIMIT + 1).to_bytes(4, "little")])
def test_a_length_out_of_bounds_is_refused(prefix: bytes) -> None:
    with pytest.raises(FormatError):
        frame_length(prefix)


def test_an_oversized_payload_is_never_framed() -> None:
    with pytest.raises(FormatError):
        frame(bytes(ANSWER_LIMIT + 1))
