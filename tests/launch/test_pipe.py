"""The pipe between a guest connection and the broker, run as QEMU runs it: one socket for everything."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from warily.launch.runner import pipe_command


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that handles one connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@contextmanager
def piped(port: int) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            end = theirs.fileno()
            process = subprocess.Popen([*pipe_command(), "127.0.0.1", str(port)], stdin=end, stdout=end, stderr=end)
        ours.settimeout(20)
        try:
            yield ours, process
        finally:
            process.kill()
            process.wait()


def all_of(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        return stream.read()


def test_each_direction_ends_on_its_own() -> None:
    """The broker answers only once the request has ended; the guest hears all of it, then the end."""
    big = bytes(range(256)) * 8192

    def serve(connection: socket.socket) -> None:
        connection.sendall(all_of(connection)[::-1])

    with listening(serve) as port, piped(port) as (guest, process):
        guest.sendall(big)
        guest.shutdown(socket.SHUT_WR)
        assert all_of(guest) == big[::-1]
        assert process.wait(10) == 0


def test_the_brokers_end_comes_first() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        assert all_of(connection) == b"still heard"

    with listening(serve) as port, piped(port) as (guest, process):
        assert all_of(guest) == b"hello"
        guest.sendall(b"still heard")
        guest.shutdown(socket.SHUT_WR)
        assert process.wait(10) == 0


def test_no_broker_is_silence_and_an_end() -> None:
    """Whatever the pipe printed, the guest would read as an answer."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with piped(unused.getsockname()[1]) as (guest, process):
            assert all_of(guest) == b""
            assert process.wait(10) == 1


def test_a_guest_that_goes_away_ends_the_pipe() -> None:
    heard = []
    with listening(lambda connection: heard.append(all_of(connection))) as port, piped(port) as (guest, process):
        guest.sendall(b"gone")
        guest.close()
        assert process.wait(10) == 0
    assert heard == [b"gone"]


def test_it_imports_nothing_heavy() -> None:
    """What makes it start quickly, held by a count instead of a clock."""
    code = (
        "import sys; sys.argv = ['x']; import runpy; runpy.run_path(sys.executable and PATH); print(len(sys.modules))"
    )
    path = pipe_command()[-1]
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code.replace("PATH", repr(path))], capture_output=True, check=True
    )
    assert int(said.stdout) < 120
