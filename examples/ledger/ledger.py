# ruff: noqa: INP001  # a program on its own, not part of a package
"""A web ledger: lines are appended to a file, and are on disk before the answer is sent.

GET / shows them, GET /entries gives them as JSON, POST /entries appends one (plain text, or the form's `line`).
"""

import html
import json
import os
import sys
import threading
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingMixIn
from urllib.parse import parse_qs

MAX_LINE = 1000  # bytes
MAX_BODY = 4096  # bytes: a form in which every letter is escaped
MAX_HEADER = 8192  # bytes of one line
MAX_HEADERS = 64
TIMEOUT = 10  # seconds that a client may take

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>ledger</title>
<style>body{{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#222}}
h1{{font-weight:500}}li{{border-bottom:1px solid #ddd;padding:.3rem 0;overflow-wrap:anywhere}}
input{{font:inherit;width:75%}}button{{font:inherit}}p{{color:#666}}</style>
<h1>ledger</h1>
<form method="post" action="/entries"><input name="line" maxlength="250" required autofocus aria-label="a new line">
<button>append</button></form>
<ol>{rows}</ol>
<p>{count} lines, each on the encrypted volume before its answer was sent.</p>
"""


class Ledger:
    """Lines in one file, one a line, appended by one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)  # or the file itself could be gone after a crash
        os.close(folder)
        self._path = path
        self._drop_torn_line()

    def _drop_torn_line(self) -> None:
        """What a crash left half written was never acknowledged, and must not run into the next line."""
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.ftruncate(self._file, whole)
            os.fsync(self._file)

    def append(self, line: str) -> int:
        """The line is on disk; the result is its number, from 1."""
        data = line.encode() + b"\n"
        with self._lock:
            before = os.fstat(self._file).st_size
            if os.write(self._file, data) != len(data):
                os.ftruncate(self._file, before)
                raise OSError("the volume is full")
            os.fsync(self._file)
            return len(self.lines())

    def lines(self) -> list[str]:
        """Every line that is whole."""
        return self._path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


class Refused(Exception):  # noqa: N818  # a decision, named as one
    """A request that gets no more than a status."""


class Door(StreamRequestHandler):
    """One connection, one request. HTTP by hand: `http.server` would triple the time until this program answers."""

    timeout = TIMEOUT
    ledger: Ledger

    def handle(self) -> None:
        """Answer one request, whatever it is."""
        try:
            method, path = self._request_line()
            headers = self._headers()
            if (method, path) == ("GET", "/"):
                lines = self.ledger.lines()
                rows = "".join(f"<li>{html.escape(line)}" for line in lines)
                self._answer("200 OK", "text/html; charset=utf-8", PAGE.format(rows=rows, count=len(lines)))
            elif (method, path) == ("GET", "/entries"):
                self._answer("200 OK", "application/json", json.dumps({"entries": self.ledger.lines()}))
            elif (method, path) == ("POST", "/entries"):
                self._append(headers)
            else:
                self._answer("404 Not Found", "text/plain", "no such page\n")
        except Refused as refused:
            self._answer("400 Bad Request", "text/plain", f"{refused}\n")
        except OSError:
            pass  # the client is gone, or too slow

    def _request_line(self) -> tuple[str, str]:
        match self.rfile.readline(MAX_HEADER + 1).decode("latin-1").split():
            case [method, path, version] if version.startswith("HTTP/1."):
                return method, path
        raise Refused("this is not HTTP/1")

    def _headers(self) -> dict[str, str]:
        found = {}
        for _ in range(MAX_HEADERS):
            line = self.rfile.readline(MAX_HEADER + 1).decode("latin-1")
            if not line.strip():
                return found
            name, _, value = line.partition(":")
            found[name.strip().lower()] = value.strip()
        message = f"over {MAX_HEADERS} headers"
        raise Refused(message)

    def _append(self, headers: dict[str, str]) -> None:
        """Append the body, and answer once it is on disk."""
        size = headers.get("content-length", "")
        if not size.isascii() or not size.isdecimal() or not 0 < int(size[:9]) <= MAX_BODY:
            message = f"1 to {MAX_BODY} bytes, please"
            raise Refused(message)
        body = self.rfile.read(int(size)).decode("utf-8", "replace")
        form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        # curl --data calls everything a form; one without our field is meant as the line itself.
        line = (parse_qs(body).get("line") or [body])[0] if form else body
        line = " ".join(line.split())
        if not 0 < len(line.encode()) <= MAX_LINE:
            message = f"a line has 1 to {MAX_LINE} bytes"
            raise Refused(message)
        try:
            number = self.ledger.append(line)
        except OSError as error:
            self._answer("507 Insufficient Storage", "text/plain", f"not written: {error}\n")
            return
        if "text/html" in headers.get("accept", ""):
            self._answer("303 See Other", "text/plain", "", "Location: /\r\n")
        else:
            self._answer("201 Created", "application/json", json.dumps({"number": number, "line": line}) + "\n")

    def _answer(self, status: str, kind: str, text: str, more: str = "") -> None:
        data = text.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{more}"
        self.wfile.write(f"{head}Connection: close\r\n\r\n".encode() + data)


class Server(ThreadingMixIn, TCPServer):
    """A thread a connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


def main(words: list[str]) -> None:
    """Serve until stopped."""
    match words:
        case [folder, port] if port.isdecimal():
            Door.ledger = Ledger(Path(folder) / "ledger.txt")
            Server(("", int(port)), Door).serve_forever()
        case _:
            sys.exit("usage: ledger.py FOLDER PORT")


if __name__ == "__main__":
    main(sys.argv[1:])
