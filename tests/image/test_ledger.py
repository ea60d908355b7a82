"""The example workload, run as the image runs it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

PROGRAM = Path(__file__).parent.parent.parent / "examples" / "ledger" / "ledger.py"
FORM = {"Content_Type": "application/x-www-form-urlencoded", "Accept": "text/html"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(data: Path) -> Iterator[int]:
    """The ledger at a port, ended by SIGKILL: it has nothing to tidy."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-I", str(PROGRAM), str(data), str(port)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, named)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def entries(port: int) -> list[str]:
    found: list[str] = json.loads(ask(port, "GET", "/entries")[1])["entries"]
    return found


def test_lines_are_kept_over_a_kill_and_a_torn_line_is_dropped(tmp_path: Path) -> None:
    with served(tmp_path) as port:
        assert ask(port, "POST", "/entries", b"first <b>")[0] == 201
        assert json.loads(ask(port, "POST", "/entries", "zweite Zeile ä".encode())[1])["number"] == 2
    with (tmp_path / "ledger.txt").open("ab") as file:
        file.write(b"torn by a cra")
    with served(tmp_path) as port:
        assert entries(port) == ["first <b>", "zweite Zeile ä"]
        assert ask(port, "POST", "/entries", b"third")[0] == 201
        assert entries(port)[2:] == ["third"]
        assert b"first &lt;b&gt;" in ask(port, "GET", "/")[1]


def test_the_form_and_wrong_requests(tmp_path: Path) -> None:
    with served(tmp_path) as port:
        assert (
            ask(port, "POST", "/entries", b"line=two+words%21", **{k.replace("-", "_"): v for k, v in FORM.items()})[0]
            == 303
        )
        assert entries(port) == ["two words!"]
        assert ask(port, "POST", "/entries", b"a\nb\r\nc")[0] == 201
        assert entries(port)[1:] == ["a b c"]
        assert ask(port, "POST", "/entries", b"x" * 5000)[0] == 400
        assert ask(port, "POST", "/entries", b" \n")[0] == 400
        assert ask(port, "POST", "/other", b"x")[0] == 404
        assert ask(port, "GET", "/../etc/passwd")[0] == 404
        assert len(entries(port)) == 2
