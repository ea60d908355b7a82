# ruff: noqa: INP001  # a program on its own, not part of a package
"""A web ledger: lines are appended to a file, and are on disk before the answer is sent.

GET / shows them, GET /entries gives them as JSON, POST /entries appends one (plain text, or the form's `line`).
"""

import argparse
import html
import json
import os
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

MAX_LINE = 1000  # bytes
MAX_BODY = 4096  # bytes: a form in which every letter is escaped
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


class Door(BaseHTTPRequestHandler):
    """One request."""

    timeout = TIMEOUT
    ledger: Ledger

    def do_GET(self) -> None:  # the name http.server looks for
        """The page, or the lines as JSON."""
        lines = self.ledger.lines()
        if self.path == "/":
            rows = "".join(f"<li>{html.escape(line)}" for line in lines)
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", PAGE.format(rows=rows, count=len(lines)))
        elif self.path == "/entries":
            self._answer(HTTPStatus.OK, "application/json", json.dumps({"entries": lines}))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "no such page\n")

    def do_POST(self) -> None:  # likewise
        """Append the body, and answer once it is on disk."""
        if self.path != "/entries":
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "no such page\n")
            return
        size = self.headers.get("Content-Length", "")
        if not size.isascii() or not size.isdecimal() or not 0 < int(size[:9]) <= MAX_BODY:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", f"1 to {MAX_BODY} bytes, please\n")
            return
        body = self.rfile.read(int(size)).decode("utf-8", "replace")
        form = self.headers.get_content_type() == "application/x-www-form-urlencoded"
        # curl --data calls everything a form; one without our field is meant as the line itself.
        line = (parse_qs(body).get("line") or [body])[0] if form else body
        line = " ".join(line.split())
        if not 0 < len(line.encode()) <= MAX_LINE:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", f"a line has 1 to {MAX_LINE} bytes\n")
            return
        try:
            number = self.ledger.append(line)
        except OSError as error:
            self._answer(HTTPStatus.INSUFFICIENT_STORAGE, "text/plain", f"not written: {error}\n")
            return
        if "text/html" in self.headers.get("Accept", ""):
            self._answer(HTTPStatus.SEE_OTHER, "text/plain", "", ("Location", "/"))
        else:
            self._answer(HTTPStatus.CREATED, "application/json", json.dumps({"number": number, "line": line}) + "\n")

    def _answer(self, status: HTTPStatus, kind: str, text: str, *more: tuple[str, str]) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Who reads or writes the ledger is nobody's business."""


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder to keep the lines in")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    Door.ledger = Ledger(options.data / "ledger.txt")
    ThreadingHTTPServer(("", options.port), Door).serve_forever()


if __name__ == "__main__":
    main()
