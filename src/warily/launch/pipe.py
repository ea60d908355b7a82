"""Join standard input and output to a TCP connection: QEMU starts one of these for each guest connection.

    python -I -S pipe.py HOST PORT

It runs on its own and imports nothing of warily, because it must start in a few milliseconds. A direction
that has ended stays ended while the other goes on; the process ends with both, with status 1 if an end
broke. It never prints: QEMU gives it one socket as input, output and error output, and the guest reads it.
"""

import os
import select
import socket
import sys

CHUNK = 1 << 16
WAIT = 10.0  # seconds for the connection; after that only the two ends decide


def end_output(sink: int) -> None:
    """The reader of `sink` sees the end of data, also where other descriptors share its socket."""
    try:
        with socket.socket(fileno=os.dup(sink)) as end:
            end.shutdown(socket.SHUT_WR)
    except OSError:  # a pipe or a file, whose end is its closing
        os.close(sink)


def copy(connection: socket.socket, source: int, sink: int) -> None:
    """Copy both ways until both directions have ended, or either end is gone."""
    reading = {source, connection.fileno()}
    while reading:
        ready, _, _ = select.select(list(reading), [], [])
        if source in ready:
            data = os.read(source, CHUNK)
            connection.sendall(data)
            if not data:
                reading.discard(source)
                connection.shutdown(socket.SHUT_WR)
        if connection.fileno() in ready:
            data = connection.recv(CHUNK)
            if not data:
                reading.discard(connection.fileno())
                end_output(sink)
            while data:
                data = data[os.write(sink, data) :]


def main(words: list[str]) -> int:
    """Join; the exit status says whether both ends lasted."""
    try:
        with socket.create_connection((words[0], int(words[1])), WAIT) as connection:
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            copy(connection, 0, 1)
    except (OSError, ValueError, IndexError):
        return 1
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # nothing to tidy, and descriptor 1 may be closed
