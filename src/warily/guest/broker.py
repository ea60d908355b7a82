"""Asking the key broker: plain HTTP/1.1 to one address, one request a connection, bounded in bytes and in time.

The transport is the host's and is trusted with nothing: what matters in an answer is encrypted and signed.
"""

import re
import socket
import time
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError
from warily.formats._json import JsonObject
from warily.formats.guest_config import BROKER_ADDRESS, BROKER_PORT
from warily.guest.refusal import Refused
from warily.release.messages import GRANT_LIMIT

TIMEOUT: Final = 20.0
HEAD_LIMIT: Final = 16 << 10
BODY_LIMIT: Final = 2 * GRANT_LIMIT
PIECE: Final = 1 << 16
MAX_FINDINGS: Final = 32
HARMLESS: Final = ("pass", "waived")
OK: Final = 200
SERVER_ERROR: Final = 500
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,8})[ \t]*\r\n", re.IGNORECASE)
_CODE: Final = re.compile(r"[a-z][a-z0-9._-]*")
_END: Final = b"\r\n\r\n"


class Unreachable(Exception):  # noqa: N818  # a state of the world, to be waited out
    """The broker gave no usable answer. Asking again later may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status and the body of one HTTP answer."""

    status: int
    body: bytes


def post(path: str, body: bytes) -> bytes:
    """The body of the broker's 200 answer. Raises `Unreachable`, or `Refused` with what the broker says."""
    try:
        answer = parse(_exchange(request(path, body)))
    except (OSError, FormatError) as error:
        raise Unreachable(str(error)) from None
    if answer.status == OK:
        return answer.body
    code, said = problem(answer.body)
    if answer.status >= SERVER_ERROR:
        msg = f"status {answer.status}: {said}"
        raise Unreachable(msg)
    check = f"broker.{code}"
    raise Refused(check, said)


def request(path: str, body: bytes) -> bytes:
    """The bytes of a POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {BROKER_ADDRESS}:{BROKER_PORT}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def parse(data: bytes) -> Answer:
    """The answer in the bytes of a connection: one status line, one Content-Length. Raises `FormatError`."""
    head, found, body = data.partition(_END)
    status = _STATUS.match(data)
    lengths = _LENGTH.findall(head.replace(b"\r\n", b"\r\n\r\n") + b"\r\n")
    if not found or status is None or len(lengths) != 1:
        msg = "HTTP: not an answer with a status and one length"
        raise FormatError(msg)
    if int(lengths[0]) != len(body):
        msg = f"HTTP: {len(body)} bytes of body, {int(lengths[0])} announced"
        raise FormatError(msg)
    return Answer(status=int(status[1]), body=body)


def problem(body: bytes) -> tuple[str, str]:
    """The code of an RFC 9457 problem document, and all that it says in one line: detail, then failed findings."""
    try:
        top = JsonObject.parse(body, what="problem", limit=BODY_LIMIT)
        code = top.text("code", limit=64)
        said = [top.text("detail")]
        found = list(top.objects("findings", limit=4096)) if "findings" in top else []
        said += [entry.text("check", limit=128) for entry in found if entry.text("outcome", limit=64) not in HARMLESS]
    except FormatError as error:
        return "unreadable", str(error)
    return code if _CODE.fullmatch(code) else "unreadable", "; ".join(said[: 1 + MAX_FINDINGS])


def _exchange(message: bytes) -> bytes:
    """What the broker sends back until it closes or all that it announced is there."""
    deadline = time.monotonic() + TIMEOUT
    received = bytearray()
    with socket.create_connection((BROKER_ADDRESS, BROKER_PORT), timeout=TIMEOUT) as connection:
        connection.sendall(message)
        while not _complete(received):
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = connection.recv(PIECE)
            if not piece:
                break
            received += piece
            if len(received) > HEAD_LIMIT + BODY_LIMIT:
                msg = "HTTP: the answer is too long"
                raise FormatError(msg)
    return bytes(received)


def _complete(received: bytearray) -> bool:
    """Whether the announced body is there, so that nobody waits for a close that comes late or never."""
    end = received.find(_END)
    if end < 0:
        return False
    length = _LENGTH.search(received, 0, end + 2)
    return length is not None and len(received) >= end + len(_END) + int(length[1])
