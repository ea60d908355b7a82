"""The one door to other programs."""

import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from warily.errors import HostError

TAIL: Final = 2000


def find(program: str, *, package: str) -> str:
    """The path of `program`. Raises `HostError` with the Debian package that brings it."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        msg = f"{program} is not installed"
        raise HostError(msg, hint=f"run `apt-get install {package}`, or `./dev up`, which installs what is missing")
    return found


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    with_complaints: bool = False,
) -> bytes:
    """What `command` prints on standard output, once it has succeeded; on standard error too, where that is asked for.

    Raises `HostError` with the exact command and the end of its standard error otherwise.
    No secret belongs in `command`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(  # noqa: S603  # an argument vector, never a shell
            words,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_complaints else subprocess.PIPE,
            check=False,
            env=env,
            cwd=cwd,
            timeout=timeout,
        )
    except FileNotFoundError:
        msg = f"{words[0]} is not installed"
        raise HostError(msg) from None
    except subprocess.TimeoutExpired:
        msg = f"{shlex.join(words)} took over {timeout:.0f} s"
        raise HostError(msg) from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace")[-TAIL:].strip()
        msg = f"{shlex.join(words)} ended with status {done.returncode}"
        raise HostError(msg, hint=said or None)
    return done.stdout


class Conversation:
    """A running program that answers line by line. Made by `conversation`."""

    def __init__(self, process: "subprocess.Popen[bytes]", words: Sequence[str], said: Path) -> None:
        self._process = process
        self._words = words
        self._said = said

    def ask(self, line: str) -> str:
        """The next line that the program answers. Raises `HostError` where it ends or is silent for too long."""
        assert self._process.stdin is not None  # noqa: S101  # `conversation` asked for pipes
        assert self._process.stdout is not None  # noqa: S101  # likewise
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer.endswith(b"\n"):
            said = self._said.read_bytes()[-TAIL:].decode("utf-8", "replace").strip()
            msg = f"{shlex.join(self._words)} ended, or did not answer in time"
            raise HostError(msg, hint=said or None)
        return answer.decode("utf-8", "replace").rstrip("\n")


@contextmanager
def conversation(command: Sequence[str | Path], *, timeout: float) -> Iterator[Conversation]:
    """The program running, with pipes to its standard input and output; killed at the end.

    That end comes after `timeout` seconds at the latest. No secret belongs in `command`.
    """
    words = [str(word) for word in command]
    with tempfile.NamedTemporaryFile(prefix="warily-") as said:
        try:
            process = subprocess.Popen(  # noqa: S603  # an argument vector, never a shell
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
            )
        except FileNotFoundError:
            msg = f"{words[0]} is not installed"
            raise HostError(msg) from None
        watchdog = threading.Timer(timeout, process.kill)
        watchdog.start()
        try:
            with process:
                try:
                    yield Conversation(process, words, Path(said.name))
                finally:
                    process.kill()
        finally:
            watchdog.cancel()
