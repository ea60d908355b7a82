"""The guest's HTTP: exact answers, bounded ones, and a broker's no in one line."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.guest import broker
from warily.guest.broker import Answer, Unreachable, parse, problem, request
from warily.guest.refusal import Refused

GOOD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def test_an_answer_is_read() -> None:
    assert parse(GOOD) == Answer(status=200, body=b"{}")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        GOOD[:-1],
        GOOD + b"x",
        GOOD.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 2"),
        GOOD.replace(b"Content-Length: 2", b"Content-Length: -2"),
        GOOD.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked"),
        GOOD.replace(b"HTTP/1.1", b"HTTP/2.0"),
        GOOD.replace(b"200", b"999"),
    ],
)
def test_what_is_not_exactly_an_answer_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        parse(data)
    except FormatError:
        return


def test_a_request_announces_its_length() -> None:
    assert request("/v1/nonce", b"{}").endswith(b"Connection: close\r\n\r\n{}")
    assert b"\r\nContent-Length: 2\r\n" in request("/v1/nonce", b"{}")


def document(**members: object) -> bytes:
    return json.dumps({"title": "Forbidden", "status": 403, "code": "rejected", "detail": "no"} | members).encode()


def test_a_problem_names_the_failed_findings() -> None:
    findings = [{"check": "snp.measurement", "outcome": "fail"}, {"check": "snp.debug", "outcome": "pass"}]
    assert problem(document(findings=findings)) == ("rejected", "no; snp.measurement")


def test_a_problem_that_cannot_be_read_is_still_a_no() -> None:
    assert problem(b"<html>")[0] == "unreadable"
    assert problem(document(code="warily: refused"))[0] == "unreadable"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A broker on this host's loopback that gives the answers of a list, one a connection."""
    answers: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(broker, "BROKER_ADDRESS", "127.0.0.1")
    monkeypatch.setattr(broker, "BROKER_PORT", listener.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answers.pop(0))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield answers
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_yes_no_and_later(server: list[bytes]) -> None:
    server += [answer(200, b"{}"), answer(403, document()), answer(503, document()), b"nonsense"]
    assert broker.post("/x", b"{}") == b"{}"
    with pytest.raises(Refused) as refused:
        broker.post("/x", b"{}")
    assert refused.value.check == "broker.rejected"
    for _ in range(2):
        with pytest.raises(Unreachable):
            broker.post("/x", b"{}")


def test_an_endless_answer_is_cut_off(server: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "HEAD_LIMIT", 1000)
    monkeypatch.setattr(broker, "BODY_LIMIT", 1000)
    server.append(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(100_000))
    with pytest.raises(Unreachable, match="too long"):
        broker.post("/x", b"{}")


def test_nobody_there_is_to_be_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "BROKER_ADDRESS", "127.0.0.1")
    monkeypatch.setattr(broker, "BROKER_PORT", 1)
    with pytest.raises(Unreachable):
        broker.post("/x", b"{}")
